"""The list of market identifier codes (ISO 10383): where it is, how it is written, and loading it."""
