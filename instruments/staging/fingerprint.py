"""Fingerprints: numbers by which records are compared instead of by all of their columns.

The fingerprint of a record is the sum of the hashes of its values, with the column's name in each. So a new
column does not change the fingerprint of records without it, and a value that is read later than the record
(a basket) can be added.
"""

import functools
import itertools

import numpy as np
import pyarrow as pa
import xxhash

MASK = (1 << 62) - 1  # the sum of two still fits a signed 64-bit integer


def of_distinct(column: str, values: pa.StringArray) -> np.ndarray:
    """Return the hash that each of `values` adds to the fingerprint of its record: int64, 0 to 2**62 - 1.

    None of the values may be null.
    """
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    ends = ends[values.offset : values.offset + len(values) + 1].tolist()
    text, seed = memoryview(data) if data else memoryview(b""), _seed(column)
    hashes = [
        xxhash.xxh3_64_intdigest(text[begin:end], seed) for begin, end in itertools.pairwise(ends)
    ]
    return (np.array(hashes, dtype=np.uint64) & np.uint64(MASK)).astype(np.int64)


def of_text(column: str, text: str) -> int:
    """Return the hash that a value adds to the fingerprint of its record."""
    return xxhash.xxh3_64_intdigest(text.encode(), _seed(column)) & MASK


@functools.cache
def _seed(column: str) -> int:
    return xxhash.xxh3_64_intdigest(column.encode())
