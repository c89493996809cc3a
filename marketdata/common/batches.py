"""Values in batches, for statements that would otherwise have too many parameters."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# A statement of SQL Server takes at most 2,100 parameters, and most statements have others beside the values.
BATCH_SIZE = 500


def in_batches(values: Sequence[T], size: int = BATCH_SIZE) -> Iterator[Sequence[T]]:
    """Yield the values in their order, in sequences of `size` and a last one that may be shorter."""
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]
