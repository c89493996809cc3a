"""`make bench-lake`: publish a loaded database and a day's changes, beside loading them; scan one column.

Everything is measured in the same run, so that all steps see the same load of the machine.
"""

import argparse
import datetime as dt
import io
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console

from tests.benchmarks import generator, measure
from tests.benchmarks.loading import SOURCES, table_of
from tests.lake.recipes import run_recipe

_DAY = dt.date(2025, 8, 30)
# A question is asked again and again for so long, and twice at least.
_ASKING_SECONDS = 1.5
_SCANNED = "SELECT notional_currency, count(*) FROM {} GROUP BY 1 ORDER BY 1"
_ASKED = (
    _SCANNED,
    "SELECT issuer_lei, count(*) AS n FROM {} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20",
    "SELECT substr(cfi_code, 1, 2), notional_currency, count(*), min(maturity_date), max(maturity_date)"
    " FROM {} GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT mic, register, status, count(*), count(DISTINCT issuer_lei) FROM {}"
    " WHERE register = 'ESMA' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
)


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
        loaded = step("load", folder, *full, what="load")
        published = step("publish", folder, what="publish")
        Console().print(table_of([loaded, published]))
        print(f"publish/load: {published.seconds / loaded.seconds:.2f} of the seconds", flush=True)
        print_scans(folder, _ASKED)
        loaded_day = step("load", folder, delta, what="load a day's changes")
        day = step("publish", folder, what="publish a day's changes")
        started = step("start", folder, what="start")
        Console().print(table_of([loaded_day, day]))
        cpu = published.cpu_seconds, day.cpu_seconds
        without = [seconds - started.cpu_seconds for seconds in cpu]
        print(
            f"a day's changes/everything: {cpu[1] / cpu[0]:.2f} of the CPU seconds,"
            f" {without[1] / without[0]:.2f} without {started.cpu_seconds:.1f} s for the start of Django,"
            f" {day.seconds / published.seconds:.2f} of the seconds",
            flush=True,
        )
        print(
            f"a day's changes/load of everything: {day.seconds / loaded.seconds:.3f} of the seconds",
            flush=True,
        )
        print_scans(folder, _ASKED[:1])


def step(name: str, folder: Path, *paths: Path, what: str = "") -> measure.Measured:
    return measure.run(what, "tests.benchmarks.step", name, *map(str, paths), folder=folder)


def print_scans(folder: Path, questions: Sequence[str]) -> None:
    """Print how long questions about all listings take both engines; the first is a scan of a column.

    The lake is asked by the view of the table and its recent rows that docs/lake.md gives.
    """
    with (
        closing(sqlite3.connect(folder / "marketdata.sqlite3")) as database,
        duckdb.connect() as engine,
    ):
        lake = str(folder / "lake")
        with redirect_stdout(io.StringIO()):  # the recipe prints an answer
            open_current: Any = run_recipe("DuckDB", lake)["open_current"]
        open_current(engine, lake, "listings")
        for sql in questions:
            in_database, stored = best(partial(_ask, database, sql.format("instruments_listing")))
            in_lake, read = best(partial(_ask, engine, sql.format("listings")))
            if sorted(map(str, stored)) != sorted(map(str, map(_plain, read))):
                raise SystemExit(f"The lake has another answer than the database: {sql}")
            print(
                f"SQLite {in_database:.3f} s, DuckDB {in_lake:.3f} s,"
                f" {in_database / in_lake:.0f} times as fast: {sql.format('listings')}",
                flush=True,
            )


def _ask(engine: Any, sql: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = engine.execute(sql).fetchall()
    return rows


def _plain(row: tuple[object, ...]) -> tuple[object, ...]:
    """Return a row with days as SQLite has them."""
    return tuple(str(value) if isinstance(value, dt.date) else value for value in row)


def best(ask: Callable[[], list[tuple[object, ...]]]) -> tuple[float, list[tuple[object, ...]]]:
    """Return the seconds of the fastest of several runs, and the answer."""
    seconds: list[float] = []
    while len(seconds) < 2 or sum(seconds) < _ASKING_SECONDS:
        begin = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), answer


if __name__ == "__main__":
    main()
