"""manage.py storage"""

import dataclasses
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from esma_files import usage
from marketdata.common import output


class Command(BaseCommand):
    help = "What is stored, by dataset, kind, tier and age, beside the budget, and what it costs."

    def add_arguments(self, parser: CommandParser) -> None:
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        found = usage.collect()
        if options["format"] == "json":
            output.print_json(self.stdout, dataclasses.asdict(found))
            return
        rows = [
            {**dataclasses.asdict(s), "monthly_cost": f"${s.monthly_cost}"} for s in found.shares
        ]
        if rows:
            output.print_table(self.stdout, rows, numbers=["files", "bytes", "monthly_cost"])
        self.stdout.write(
            f"{found.files} files, {found.bytes:,} of {found.budget_bytes:,} bytes "
            f"({found.percent} %), ${found.monthly_cost} a month; new files go to {found.location}."
        )
        if found.warning:
            self.stderr.write(self.style.WARNING(found.warning))
