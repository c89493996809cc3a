"""What the registers of ESMA and the FCA say they have published."""

from esma_files.registers.client import Listing, published
from esma_files.registers.entry import PublishedFile

__all__ = ["Listing", "PublishedFile", "published"]
