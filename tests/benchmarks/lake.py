"""`make bench-lake`: publish a loaded database and a day's changes, beside loading them; scan one column.

Everything is measured in the same run, so that all steps see the same load of the machine.
"""

import argparse
import datetime as dt
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import deltalake
import duckdb
from rich.console import Console

from tests.benchmarks import generator, measure
from tests.benchmarks.loading import SOURCES, table_of

_DAY = dt.date(2025, 8, 30)
_SCANS = 5
_MEASURED = "SELECT notional_currency, count(*) FROM {} GROUP BY notional_currency ORDER BY 1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        full = generator.grow(sources, records=records, folder=folder / "full", day=_DAY)
        delta = generator.grow_delta(
            sources,
            records=records,
            changes=records // 25,
            folder=folder / "delta",
            day=_DAY + dt.timedelta(days=1),
        )
        step("migrate", folder)
        rows = [
            step("load", folder, *full, what="load"),
            step("publish", folder, what="publish"),
            step("load", folder, delta, what="load a day's changes"),
            step("publish", folder, what="publish a day's changes"),
        ]
        Console().print(table_of(rows))
        print_scans(folder)


def step(name: str, folder: Path, *paths: Path, what: str = "") -> measure.Measured:
    return measure.run(what, "tests.benchmarks.step", name, *map(str, paths), folder=folder)


def print_scans(folder: Path) -> None:
    listings = deltalake.DeltaTable(folder / "lake" / "listings").to_pyarrow_dataset()
    with (
        closing(sqlite3.connect(folder / "marketdata.sqlite3")) as database,
        duckdb.connect() as engine,
    ):
        engine.register("listings", listings)
        in_database, stored = best(
            lambda: database.execute(_MEASURED.format("instruments_listing")).fetchall()
        )
        in_lake, published = best(lambda: engine.execute(_MEASURED.format("listings")).fetchall())
    if sorted(map(str, stored)) != sorted(map(str, published)):
        raise SystemExit("The lake has other counts than the database.")
    print(
        f"Count by currency: SQLite {in_database:.3f} s, DuckDB {in_lake:.3f} s,"
        f" {in_database / in_lake:.0f} times as fast."
    )


def best(ask: Callable[[], list[tuple[object, ...]]]) -> tuple[float, list[tuple[object, ...]]]:
    """Return the seconds of the fastest of several runs, and the answer."""
    seconds = []
    for _ in range(_SCANS):
        begin = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), answer


if __name__ == "__main__":
    main()
