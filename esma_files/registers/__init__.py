"""The lists of files that the registers of ESMA and the FCA publish."""

from esma_files.registers.client import RegisterEntries, oldest_delta, published
from esma_files.registers.entry import PublishedFile, UnusableEntry

__all__ = ["PublishedFile", "RegisterEntries", "UnusableEntry", "oldest_delta", "published"]
