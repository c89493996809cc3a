"""The Parquet files of a slice, their statistics, and what is left of one that was not finished."""

import datetime as dt
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import history
from lake.files import make_files
from lake.tables import get_table
from tests.lake.conftest import publish

LISTINGS = get_table("listings")


def make_rows(*rows: tuple[str, str, dt.date | None]) -> pa.Table:
    """Return listings of which the ISIN, the CFI code and the first day are given."""
    given = zip(*rows, strict=True) if rows else ((), (), ())
    columns = dict(zip(("isin", "cfi_code", "valid_from"), given, strict=True))
    return pa.table(
        [pa.array(columns.get(f.name, [None] * len(rows)), f.type) for f in LISTINGS.schema],
        schema=LISTINGS.schema,
    )


def test_rows_that_wait_are_written_in_order_as_row_groups() -> None:
    batches = [
        make_rows(("A", "DB", dt.date(2025, 1, 3)), ("B", "ES", None), ("C", "DB", None)),
        make_rows(),
        make_rows(("D", "DB", dt.date(2024, 1, 1)), ("E", "DB", dt.date(2025, 2, 1))),
        make_rows(("F", "ES", None)),
    ]

    made = list(make_files(LISTINGS, "A", batches, 7, most_waiting=2))

    isins = {}
    for file, content, statistics in made:
        parquet = pq.ParquetFile(io.BytesIO(content))
        isins[file.partition] = parquet.read().column("isin").to_pylist()
        known = json.loads(statistics)
        assert known["numRecords"] == file.rows == len(isins[file.partition])
        assert (file.start, file.version, file.size) == ("A", 7, len(content))
        assert known["minValues"]["isin"] == isins[file.partition][0]
        assert known["maxValues"]["isin"] == isins[file.partition][-1]
        if file.partition == "D":
            assert parquet.num_row_groups > 1
            assert known["minValues"]["valid_from"] == "2024-01-01"
            assert known["maxValues"]["valid_from"] == "2025-02-01"
            assert known["nullCount"]["valid_from"] == 1
        else:
            assert "valid_from" not in known["minValues"]
            assert known["nullCount"]["valid_from"] == 2
    assert isins == {"D": ["A", "C", "D", "E"], "E": ["B", "F"]}


def test_a_slice_without_rows_has_a_file_with_the_columns() -> None:
    [(file, content, statistics)] = make_files(LISTINGS, "", [make_rows()], 0)

    assert file.partition == "none"
    assert pq.read_table(io.BytesIO(content)).schema.names == LISTINGS.schema.names
    assert json.loads(statistics)["numRecords"] == file.rows == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_a_killed_process_has_written_of_a_file_is_deleted(own_lake: Path) -> None:
    table = get_table("venues")
    publish(table)
    code = (
        "import sys, django; django.setup()\n"
        "from lake import location; location.write_file('venues/a.parquet', bytes(1 << 30))"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "marketdata.settings",
        "LAKE_DIR": str(own_lake),
    }
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    folder = own_lake / "venues"
    deadline = time.monotonic() + 60
    while not (parts := [path for path in folder.glob("*") if path.suffix == ".part"]):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.wait()
    os.utime(parts[0], (0, 0))

    history.vacuum(table)

    assert [path for path in folder.glob("*") if path.suffix == ".part"] == []
