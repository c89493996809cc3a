"""`make bench`: how fast files become tables, beside a plain loader and beside parsing alone.

Each line is a process of its own: seconds and CPU seconds of the whole process, its start included.
"""

import argparse
import datetime as dt
import shutil
import sqlite3
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import measure
from tests.benchmarks.generator import grow, grow_results
from tests.benchmarks.waiting import small_writes

SOURCES = Path(__file__).parent.parent / "data"
DAY = dt.date(2026, 1, 3)
# The plain loader is slow: it gets a share of the records, and its rate is what is compared.
BASELINE_SHARE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    console = Console(width=None if sys.stdout.isatty() else 120)
    for bench in (_bench, _bench_results):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            bench(records, Path(name), console)


def _bench(records: int, folder: Path, console: Console) -> None:
    sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
    console.print(f"Growing {records:,} records from {len(sources)} real files ...")
    paths = grow(sources, records=records, folder=folder / "whole", day=DAY)
    half = grow(sources, records=records // 2, folder=folder / "half", day=DAY)
    next_week = grow(
        sources, records=records, folder=folder / "next", day=DAY + dt.timedelta(days=7)
    )
    share = grow(sources, records=records // BASELINE_SHARE, folder=folder / "share", day=DAY)

    waits: list[float] = []
    done = [
        _measure("lxml + bulk_create", "baseline", share, folder),
        _measure("parse only", "parse", paths, folder),
        _measure("load half of it", "load", half, folder, waits=waits),
        _measure("load", "load", paths, folder, keep=True),
        _measure("load the same files again", "load", paths, folder, keep=True),
        _measure("load next week's, unchanged", "load", next_week, folder, keep=True),
    ]
    done.append(_measure_corrected(paths, folder))
    console.print(table_of(done))
    plain, _, smaller, loaded, again, unchanged, corrected = done
    console.print(
        f"corrections: {corrected.cpu_seconds / loaded.cpu_seconds:.2f} times the CPU seconds of the load "
        f"without; {_count_replaced(folder / 'corrected'):,} values were replaced"
    )
    size, rows = _size(folder / "load")
    console.print(
        f"load: {loaded.rate / plain.rate:.1f} times the plain loader's records/s, "
        f"{plain.cpu_seconds / plain.records / (loaded.cpu_seconds / loaded.records):.1f} times "
        "fewer CPU seconds a record"
    )
    console.print(
        f"linear: {loaded.seconds / smaller.seconds:.2f} times the seconds for "
        f"{loaded.records / smaller.records:.2f} times the records"
    )
    console.print(
        f"unchanged: {loaded.seconds / again.seconds:.1f} times as fast again, "
        f"{loaded.seconds / unchanged.seconds:.1f} times next week"
    )
    largest = max(half, key=lambda path: path.stat().st_size).name
    console.print(
        f"small writes while half of it was loaded: {len(waits):,}; the longest waited "
        f"{max(waits):.1f} s, half of them {sorted(waits)[len(waits) // 2] * 1000:.1f} ms at most "
        f"(largest file: {largest})"
    )
    console.print(
        f"database: {size / 1e6:,.0f} MB, {size / rows:.0f} bytes a listing, indexes and all"
    )


def _bench_results(records: int, folder: Path, console: Console) -> None:
    """The same for FITRS."""
    sources = sorted(SOURCES.glob("fitrs/*.zip"))
    console.print(f"Growing {records:,} FITRS records from {len(sources)} real files ...")
    paths = grow_results(sources, records=records, folder=folder / "whole", day=DAY)
    half = grow_results(sources, records=records // 2, folder=folder / "half", day=DAY)
    share = grow_results(
        sources, records=records // BASELINE_SHARE, folder=folder / "share", day=DAY
    )
    next_week = grow_results(
        sources, records=records, folder=folder / "next", day=DAY + dt.timedelta(days=7)
    )
    done = [
        _measure("FITRS: lxml + bulk_create", "plain_results", share, folder),
        _measure("FITRS: parse only", "parse", paths, folder),
        _measure("FITRS: load half of it", "load", half, folder),
        _measure("FITRS: load", "load", paths, folder, keep=True),
        _measure("FITRS: load next week's, unchanged", "load", next_week, folder, keep=True),
    ]
    console.print(table_of(done))
    plain, _, smaller, loaded, _ = done
    console.print(
        f"FITRS load: {loaded.rate / plain.rate:.1f} times the plain loader's records/s; "
        f"{loaded.seconds / smaller.seconds:.2f} times the seconds for "
        f"{loaded.records / smaller.records:.2f} times the records"
    )


def _measure(
    what: str,
    step: str,
    paths: list[Path],
    folder: Path,
    *,
    keep: bool = False,
    waits: list[float] | None = None,
) -> measure.Measured:
    database = folder / step
    if not keep:
        shutil.rmtree(database, ignore_errors=True)
    if not database.exists():
        database.mkdir()
        measure.run("migrate", "tests.benchmarks.step", "migrate", folder=database)
    with (
        small_writes(database / "marketdata.sqlite3")
        if waits is not None
        else nullcontext() as seen
    ):
        result = measure.run(what, "tests.benchmarks.step", step, *map(str, paths), folder=database)
    if waits is not None and seen is not None:
        waits += seen.seconds
    if not keep:
        shutil.rmtree(database)
    return result


def _measure_corrected(paths: list[Path], folder: Path) -> measure.Measured:
    """Load the files into an empty database that has 10,000 corrections of their instruments."""
    database = folder / "corrected"
    database.mkdir()
    measure.run("migrate", "tests.benchmarks.step", "migrate", folder=database)
    loaded = str(folder / "load" / "marketdata.sqlite3")
    corrections = measure.run(
        "correct", "tests.benchmarks.step", "correct", loaded, folder=database
    )
    return measure.run(
        f"load, with {corrections.records:,} corrections",
        *("tests.benchmarks.step", "load", *map(str, paths)),
        folder=database,
    )


def _count_replaced(folder: Path) -> int:
    with sqlite3.connect(folder / "marketdata.sqlite3") as connection:
        query = "SELECT count(*) FROM instruments_correction WHERE replaced IS NOT NULL"
        (number,) = connection.execute(query).fetchone()
    return int(number)


def _size(folder: Path) -> tuple[int, int]:
    path = folder / "marketdata.sqlite3"
    with sqlite3.connect(path) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM instruments_listing").fetchone()
    return path.stat().st_size, rows


def table_of(done: list[measure.Measured]) -> Table:
    table = Table(header_style="bold")
    table.add_column("")
    for column in ("records", "seconds", "records/s", "CPU seconds", "us CPU/record", "peak MB"):
        table.add_column(column, justify="right")
    for one in done:
        table.add_row(
            one.what,
            f"{one.records:,}",
            f"{one.seconds:.1f}",
            f"{one.rate:,.0f}",
            f"{one.cpu_seconds:.1f}",
            f"{one.cpu_seconds / one.records * 1e6:.1f}",
            f"{one.peak_bytes / 1e6:.0f}",
        )
    return table


if __name__ == "__main__":
    main()
