"""`make bench-week`: a whole week of FIRDS and a day's changes on top, and questions to the result.

29 full files of 11.25 million listings, grown from real ones, and two deltas of 600,000: most of it changes
listings from all over the tables, with new names on the first day, and without on the second. Growing is
not counted. Needs 25 GB of disk, two cores, half an hour.
"""

import argparse
import datetime as dt
import json
import sqlite3
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import measure
from tests.benchmarks.generator import grow, grow_delta
from tests.benchmarks.loading import DAY, SOURCES, table_of

DELTA_SHARE = 11_250_000 / 600_000
LOAD_SECONDS, DELTA_SECONDS, PEAK_BYTES, ASK_SECONDS = 300, 40, 1e9, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=11_250_000)
    parser.add_argument("--folder", type=Path, help="where the files and the database go, and stay")
    given = parser.parse_args()
    console = Console(width=120)
    if given.folder:
        _bench(given.records, given.folder, console)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        _bench(given.records, Path(name), console)


def _bench(records: int, folder: Path, console: Console) -> None:
    sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
    changes = round(records / DELTA_SHARE)
    console.print(f"Growing {records:,} records and {changes:,} changes of real ones ...")
    paths = grow(sources, records=records, folder=folder / "week", day=DAY)
    deltas = [
        grow_delta(
            sources,
            records=records,
            changes=changes,
            folder=folder / "days",
            day=DAY + dt.timedelta(number),
        )
        for number in (1, 2)
    ]
    database = folder / "database"
    database.mkdir()
    measure.run("migrate", "tests.benchmarks.step", "migrate", folder=database)
    done = [
        measure.run(what, "tests.benchmarks.step", "load", *map(str, files), folder=database)
        for what, files in (
            (f"{len(paths)} full files", paths),
            ("a day's changes, with new names", deltas[:1]),
            ("the day after, names as they were", deltas[1:]),
        )
    ]
    console.print(table_of(done))
    for one, aim in zip(done, (LOAD_SECONDS, DELTA_SECONDS, DELTA_SECONDS), strict=True):
        console.print(
            f"{one.what}: zip to queryable in {one.ready_seconds:.0f} s (aim: {aim}), "
            f"then {one.seconds - one.ready_seconds:.0f} s of tidying up"
        )
    peak = max(one.peak_bytes for one in done)
    console.print(f"memory: {peak / 1e6:.0f} MB at most (aim: {PEAK_BYTES / 1e6:.0f})")
    console.print(_sizes(database / "marketdata.sqlite3"))
    answers = measure.printed("tests.benchmarks.questions", folder=database)
    console.print(_answers(json.loads(answers)))


def _sizes(path: Path) -> Table:
    """Bytes of each table and index, by listing and by row of its own."""
    table = Table("table or index", header_style="bold", title="Bytes on disk")
    for column in ("MB", "bytes a listing"):
        table.add_column(column, justify="right")
    with sqlite3.connect(path) as connection:
        (listings,) = connection.execute("SELECT count(*) FROM instruments_listing").fetchone()
        sizes = connection.execute(
            # Page by page: dbstat's own sums wrap around at 2 GB.
            "SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name"
            " HAVING size > 1000000 ORDER BY size DESC"
        ).fetchall()
    sizes.append(("the whole database", path.stat().st_size))
    for name, size in sizes:
        table.add_row(name, f"{size / 1e6:,.0f}", f"{size / listings:.1f}")
    return table


def _answers(answers: list[dict[str, float]]) -> Table:
    table = Table(
        "question", header_style="bold", title="Milliseconds, the second time it is asked"
    )
    for column in ("whole answer", "SQL to first row", "statements", "total"):
        table.add_column(column, justify="right")
    for answer in answers:
        slow = "[red]" if answer["seconds"] > ASK_SECONDS else ""
        table.add_row(
            str(answer["question"]),
            f"{slow}{answer['seconds'] * 1000:.1f}",
            f"{answer['to_first_row'] * 1000:.2f}",
            str(answer["statements"]),
            f"{answer['total']:,}",
        )
    return table


if __name__ == "__main__":
    main()
