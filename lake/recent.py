"""Rows that have changed since a table was written, in a table beside it: the table itself stays as it is."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings

from lake import location
from lake.publication import Publication, Published
from lake.reading import Reader, read_keys
from lake.state import ChangedIsins, State
from lake.tables import DATA_VERSION, REMOVED, LakeTable, RecentTable, get_table

# The data version of the table beside, in each commit: rows that were added to another one do not count.
_FOLDED_AT = "foldedAt"


def count_published_listings() -> int:
    """Return the number of listings that the lake has, without the recent rows."""
    listings = location.open_table(get_table("listings"))
    if listings is None:
        return 0
    rows = pa.table(listings.get_add_actions()).column("num_records")
    return pc.sum(rows).as_py() or 0


class RecentRows:
    """The publication of the recent rows of a table."""

    def __init__(self, deltalake: Any, table: RecentTable, state: State) -> None:
        self._table = table
        self._state = state
        self._publication = Publication(deltalake, table, state)

    def add(
        self, reader: Reader, isins: ChangedIsins, base: LakeTable, folded: Publication
    ) -> bool:
        """Write the rows of the ISINs that have changed. Return False if all rows have to be read instead."""
        before, folded_at = self._publication.before, folded.before
        if before is None or folded_at is None:
            return False
        if self._publication.get_remark(_FOLDED_AT) != folded_at.data_version:
            return False
        changed = [] if before.data_version == self._state.data_version else isins.since(before)
        most = max(folded.rows * settings.LAKE_FOLD_PERCENT // 100, base.slice_rows)
        if changed is None or self._publication.rows + len(changed) > most:
            return False
        self._publication.remark(_FOLDED_AT, folded_at.data_version)
        if changed:
            parts = read_keys(reader, self._table, changed)
            self._publication.add(changed[0], (self._complete(keys, rows) for keys, rows in parts))
        return True

    def _complete(self, keys: Sequence[str], rows: pa.Table) -> pa.Table:
        """Return rows in the order of their ISINs, and after them one for each ISIN that has none."""
        name = self._table.key_column
        asked = pa.array(keys, pa.string())
        absent = asked.filter(pc.invert(pc.is_in(asked, rows.column(name))))
        partition = self._table.base_partition
        if partition is not None:
            rows = rows.append_column(partition.arrow_field, partition.get_values(rows))
        rows = rows.append_column(REMOVED, pa.repeat(False, len(rows)))
        if len(absent):
            marks = {name: absent, REMOVED: pa.repeat(True, len(absent))}
            rows = pa.concat_tables([rows, pa.table(marks)], promote_options="default")
        version = pa.scalar(self._state.data_version, pa.int64())
        rows = rows.append_column(DATA_VERSION, pa.repeat(version, len(rows)))
        return rows.cast(self._table.full_schema)

    def empty(self) -> Published:
        """Remove all rows: the table beside is written whole."""
        self._publication.remark(_FOLDED_AT, self._state.data_version)
        no_rows = self._table.full_schema.empty_table()
        self._publication.publish_range([("", [no_rows])], ("", None))
        return self.commit()

    def commit(self) -> Published:
        return self._publication.commit()
