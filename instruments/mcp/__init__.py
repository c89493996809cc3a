"""Tools for language models: the Model Context Protocol, over questions of the API."""
