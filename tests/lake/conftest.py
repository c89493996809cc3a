"""A lake in a folder of the test, and what several tests ask of it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import xxhash
from django.conf import LazySettings

from lake import history, location, publishing
from lake.publication import Published
from lake.reading import DjangoReader, read
from lake.tables import TABLES, LakeTable


@pytest.fixture(autouse=True)
def own_lake(settings: LazySettings, tmp_path: Path) -> Path:
    settings.LAKE_DIR = tmp_path / "lake"
    settings.FILES_LOCATION = "local"
    return tmp_path / "lake"


def publish(*tables: LakeTable, full: bool = False) -> dict[str, Published]:
    """Publish tables, all of them by default. Return the publications by table."""
    return {item.table: item for item in publishing.publish(tables or TABLES, full=full)}


def read_lake(table: LakeTable, *, data_version: int | None = None) -> pa.Table:
    """Return the rows of a table as deltalake reads them, with its recent rows in place of older ones."""
    names = [column.name for column in table.columns]
    rows = read_published(table, data_version).select(names)
    if table.recent is None:
        return rows
    recent = read_published(table.recent, data_version)
    isin = table.recent.key_column
    newest = dict(zip(*recent.select([isin, "data_version"]).to_pydict().values(), strict=True))
    for code, number in zip(
        *recent.select([isin, "data_version"]).to_pydict().values(), strict=True
    ):
        newest[code] = max(newest[code], number)
    counts = pa.array(
        [
            newest[row[isin]] == row["data_version"] and not row["removed"]
            for row in recent.select([isin, "data_version", "removed"]).to_pylist()
        ],
        pa.bool_(),
    )
    is_replaced = pc.is_in(rows.column(isin), pa.array(newest, pa.string()))
    return pa.concat_tables(
        [rows.filter(pc.invert(is_replaced)), recent.filter(counts).select(names)]
    )


def read_published(table: LakeTable, data_version: int | None = None) -> pa.Table:
    """Return the rows of one table, without those of another one."""
    delta = history.open_published(table)
    if data_version is not None:
        delta.load_as_version(history.get_version_at(table, data_version).version)
    return delta.to_pyarrow_table()


def read_database(table: LakeTable) -> pa.Table:
    """Return the rows of a table as Django reads them, value by value."""
    rows = table.model._base_manager.count()
    return read(DjangoReader(), table.query("", None), table.schema, rows + 1)


def get_checksum(rows: pa.Table) -> str:
    """Return a hash of rows that does not depend on their order."""
    lines = sorted(repr(row) for row in rows.to_pylist())
    return xxhash.xxh3_128_hexdigest("\n".join(lines).encode())


def assert_equals_database(tables: tuple[LakeTable, ...] = TABLES) -> None:
    """Compare the number of rows, and a hash of all their values, by table."""
    for table in tables:
        published, stored = read_lake(table), read_database(table)
        assert len(published) == table.model._base_manager.count(), table.name
        assert get_checksum(published) == get_checksum(stored), table.name


def get_files(table: LakeTable) -> set[str]:
    """Return the paths of the files that the newest version of a table has."""
    root = location.get_uri(table)
    return {uri.partition(root)[2] for uri in history.open_published(table).file_uris()}
