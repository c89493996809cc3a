"""manage.py stats"""

import dataclasses
from typing import Any

from django.core.management.base import CommandParser

from instruments.enrichment import coverage
from instruments.listings import figures
from instruments.listings.load import counts
from instruments.management.answering import AnsweringCommand
from marketdata.common import output
from marketdata.common.plain import to_plain
from monitoring import stats

_TITLES = {"last_loaded": "newest publication loaded"}
# Lists within the statistics, each printed as a table, and its columns of numbers.
_TABLES = {
    "registers": ["instruments", "listings"],
    "categories": ["instruments"],
    "coverage": ["instruments", "covered"],
    "files": ["files"],
}


class Command(AnsweringCommand):
    help = "Show the contents of the database: instruments by category and status, files, size."

    def add_arguments(self, parser: CommandParser) -> None:
        output.add_format(parser)
        parser.add_argument(
            "--recount",
            action="store_true",
            help="recount the tables first, after they were changed in another way than by a load",
        )

    def handle(self, **options: Any) -> None:
        if options["recount"]:
            counts.recount()
            coverage.recount()
            figures.recount()
        statistics = stats.collect()
        if options["format"] == "json":
            values = dataclasses.asdict(statistics)
            output.print_json(self.stdout, {name: to_plain(values[name]) for name in values})
            return
        totals = [
            {"total": _TITLES.get(name, name.replace("_", " ")), "count": to_plain(value)}
            for name, value in dataclasses.asdict(statistics).items()
            if name not in _TABLES
        ]
        output.print_table(self.stdout, totals, title="Database", numbers=["count"])
        for name, numbers in _TABLES.items():
            rows = [dataclasses.asdict(row) for row in getattr(statistics, name)]
            if rows:
                output.print_table(self.stdout, rows, title=name.title(), numbers=numbers)
