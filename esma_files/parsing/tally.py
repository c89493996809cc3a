"""Proof, at almost no cost, that every element of a file has been read.

The XML has a certain number of tags (`CheckedStream`). The columns show how many elements
were read: two tags for each leaf that has a value and for each element around one. If the two numbers
are equal, the mapping has read every element of every record; if not, `unmapped.py` looks for the others.
"""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.mapping import Group, Mapping


class Tally:
    """Counts the elements and attributes that the batches of one file stand for."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        # An element around a group may hold other leaves, group rows or both, which are read at different
        # times: so the records that have it are noted, and counted at the end.
        self._shared = sorted({p for group in mapping.groups for p in _upwards(group.path)[1:]})
        self._seen = {path: np.zeros(0, dtype=bool) for path in self._shared}
        self._wrappers = {kind: path.count("/") + 1 for kind, path in mapping.records.items()}
        self._elements = 0
        self.attributes = 0
        self.has_repeated_groups = False
        self._last_begun: dict[
            tuple[str, str], int
        ] = {}  # by kind and group, the last record with one

    @property
    def elements(self) -> int:
        """Elements read so far, those of the records only."""
        return self._elements + sum(int(seen.sum()) for seen in self._seen.values())

    def add_records(self, kind: str, records: pa.RecordBatch, positions: np.ndarray) -> None:
        """Count a batch of records of one kind, with a column per leaf path."""
        self._elements += self._wrappers[kind] * len(records)
        for path, present in self._count(records).items():
            if path in self._seen:
                self._note(path, positions[present.to_numpy(zero_copy_only=False)])
            else:
                self._elements += present.true_count

    def add_group(
        self,
        kind: str,
        group: Group,
        rows: pa.RecordBatch,
        positions: np.ndarray,
        begins: np.ndarray,
    ) -> None:
        """Count a batch of rows of a group, of which `begins` each begin an element at its path."""
        begun = np.append(self._last_begun.get((kind, group.name), -1), positions[begins])
        self._last_begun[kind, group.name] = int(begun[-1])
        if not group.repeats and (np.diff(begun) == 0).any():
            self.has_repeated_groups = True
        around_leaves = self._count(rows)
        self._elements += sum(present.true_count for present in around_leaves.values())
        self._elements += int(begins.sum())
        for above in _upwards(group.path)[1:]:
            self._note(above, positions)

    def _count(self, batch: pa.RecordBatch) -> dict[str, pa.BooleanArray]:
        """Count the leaves; return for each element around a leaf the rows that have it."""
        around: dict[str, list[pa.BooleanArray]] = defaultdict(list)
        for leaf, column in zip(batch.schema.names, batch.columns, strict=True):
            if column.null_count == len(column):
                continue
            path, _, attribute = leaf.rpartition("/@")
            if path:
                self.attributes += len(column) - column.null_count
                continue
            self._elements += len(column) - column.null_count
            valid = column.is_valid()
            for parent in _upwards(attribute)[1:]:
                around[parent].append(valid)
        return {path: _any(masks) for path, masks in around.items()}

    def _note(self, path: str, positions: np.ndarray) -> None:
        if len(positions) == 0:
            return
        seen, last = self._seen[path], int(positions.max())
        if last >= len(seen):
            seen = np.concatenate([seen, np.zeros(max(last + 1, len(seen)), dtype=bool)])
            self._seen[path] = seen
        seen[positions] = True


def _upwards(path: str) -> list[str]:
    """`a/b/c` -> `a/b/c`, `a/b`, `a`."""
    steps = path.split("/")
    return ["/".join(steps[:end]) for end in range(len(steps), 0, -1)]


def _any(masks: list[pa.BooleanArray]) -> pa.BooleanArray:
    result = masks[0]
    for mask in masks[1:]:
        result = pc.or_(result, mask)
    return result
