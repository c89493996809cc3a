"""`make bench`: look-ups of legal entities in a small and in a large table.

The tables are filled by SQL with made-up entities: names of words of which few are frequent, groups of ten,
former names for every third, and the indexes that loads keep.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
from rich.console import Console
from rich.table import Table

from tests.benchmarks import measure
from tests.benchmarks.entities import lei_of

SIZES = (100_000, 3_000_000)
_GROUP, _REPEATS = 10, 21
_WORDS = 30_000
_FORMS = ("Holding", "GmbH", "Limited", "Fund", "SA", "AB", "LLC", "SE", "Bank", "plc")
_UPDATED = "2026-01-01 00:00:00"


def name_of(number: int) -> str:
    """The legal name of an entity: two words, of which the first are the most frequent, and a form."""
    source = random.Random(number)
    words = (int(_WORDS * source.random() ** 3) for _ in range(2))
    return " ".join([*(f"Word{word:05d}" for word in words), _FORMS[number % len(_FORMS)]])


def fill(size: int) -> None:
    """Fill the tables of entities, names and relationships, and index the names."""
    from django.db import connection

    from instruments.entities import load
    from instruments.models import EntityName, EntityRelationship, LegalEntity

    source = {"source_answer": "20260101-0000-gleif-api", "fingerprint": 0}

    def entities() -> Iterator[dict[str, Any]]:
        for number in range(size):
            yield {
                "lei": lei_of(number),
                "legal_name": name_of(number),
                "legal_address_country": "DE",
                "entity_status": "ACTIVE",
                "registration_status": "ISSUED",
                "last_updated_at": _UPDATED,
                "source_position": number + 1,
                **source,
            }

    def names() -> Iterator[dict[str, Any]]:
        for number in range(0, size, 3):
            yield {"lei": lei_of(number), "type": "PREVIOUS_LEGAL_NAME", "name": name_of(-number)}

    def relationships() -> Iterator[dict[str, Any]]:
        for number in range(size):
            place = number % _GROUP
            if place:
                yield {
                    "start_lei": lei_of(number),
                    "end_lei": lei_of(number - place + (place - 1) // 3),
                    "type": "IS_DIRECTLY_CONSOLIDATED_BY",
                    "status": "ACTIVE",
                    "last_updated_at": _UPDATED,
                    "source_position": number + 1,
                    **source,
                }

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("BEGIN")
        for model, rows in (
            (LegalEntity, entities()),
            (EntityName, names()),
            (EntityRelationship, relationships()),
        ):
            first = next(rows)
            columns, marks = ", ".join(first), ", ".join(f":{name}" for name in first)
            sql = f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({marks})"
            cursor.connection.execute(sql, first)
            cursor.connection.executemany(sql, rows)
        load.rebuild_index()
        cursor.execute("COMMIT")
        cursor.execute("ANALYZE")


def list_questions(size: int) -> dict[str, Callable[[int], Any]]:
    """Return the questions by name; each is asked with the number of an entity."""
    from instruments.entities.hierarchy import read_group, read_hierarchy
    from instruments.entities.questions import get_entity
    from instruments.models import LegalEntity
    from marketdata.web.pages import BoundedPaginator

    def search(words: str) -> list[Any]:
        entities = LegalEntity.objects.order_by("lei").search(words)
        return list(BoundedPaginator(entities, 50).get_page(1))

    def search_rare(number: int) -> Any:
        return search(name_of(number).rpartition(" ")[0])

    return {
        "one entity by LEI": lambda number: get_entity(lei_of(number)),
        "search: two words of a name": search_rare,
        "search: a frequent word and a form": lambda number: search(
            f"Word{number % 5:05d} {_FORMS[number % len(_FORMS)]}"
        ),
        "search: a word of every tenth name": lambda number: search(_FORMS[number % len(_FORMS)]),
        "tree of an entity": lambda number: read_hierarchy(lei_of(number)),
        "LEIs of a group": lambda number: read_group(lei_of(number - number % _GROUP)),
    }


def answer(size: int) -> dict[str, float]:
    """Fill the database, and return the median milliseconds of each question, for entities at random."""
    fill(size)
    milliseconds = {}
    for name, ask in list_questions(size).items():
        numbers = random.Random(name).choices(range(size), k=_REPEATS)
        seconds = []
        for number in numbers:
            started = time.perf_counter()
            assert ask(number), (name, number)
            seconds.append(time.perf_counter() - started)
        milliseconds[name] = statistics.median(seconds) * 1000
    return milliseconds


def compare(console: Console, sizes: tuple[int, ...] = SIZES) -> None:
    """Print the times of the questions for tables of several sizes."""
    times = []
    for size in sizes:
        console.print(f"Filling tables with {size:,} made-up legal entities ...")
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            measure.run("migrate", "tests.benchmarks.step", "migrate", folder=folder)
            out = measure.printed(
                "tests.benchmarks.entity_lookups", "--answer", str(size), folder=folder
            )
            times.append(json.loads(out.splitlines()[-1]))
    table = Table("median of 21, in ms", *(f"{size:,} entities" for size in sizes))
    for question in times[0]:
        table.add_row(question, *(f"{answers[question]:.1f}" for answers in times))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answer", type=int, metavar="SIZE")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    if options.answer:
        django.setup()
        print(json.dumps(answer(options.answer)))
        return
    compare(Console(width=None if sys.stdout.isatty() else 120), tuple(options.sizes))


if __name__ == "__main__":
    main()
