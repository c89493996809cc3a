"""manage.py stats"""

import dataclasses
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketdata.common import output
from monitoring import stats
from monitoring.api.serializers import StatsSerializer


class Command(BaseCommand):
    help = "What is in the database: instruments by category and status, files, coverage, size."

    def add_arguments(self, parser: CommandParser) -> None:
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        found = stats.collect()
        if options["format"] == "json":
            output.print_json(self.stdout, StatsSerializer(found).data)
            return
        lists = ("registers", "categories", "files")
        totals = {k: v for k, v in dataclasses.asdict(found).items() if k not in lists}
        rows = [{"total": k.replace("_", " "), "count": v} for k, v in totals.items()]
        output.print_table(self.stdout, rows, title="Database", numbers=["count"])
        tables = {
            "registers": ["instruments", "listings"],
            "categories": ["instruments"],
            "files": ["files"],
        }
        for name, numbers in tables.items():
            rows = [dataclasses.asdict(row) for row in getattr(found, name)]
            if rows:
                output.print_table(self.stdout, rows, title=name.title(), numbers=numbers)
