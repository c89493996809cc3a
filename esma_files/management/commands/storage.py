"""manage.py storage"""

import dataclasses
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from esma_files import usage
from marketdata.common import output
from marketdata.common.numbers import format_count


class Command(BaseCommand):
    help = (
        "Show the use of the storage by dataset, kind, tier and age, with the budget and the cost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        total = usage.collect()
        if options["format"] == "json":
            output.print_json(self.stdout, dataclasses.asdict(total))
            return
        rows = [
            {**dataclasses.asdict(s), "monthly_cost": f"${s.monthly_cost}"} for s in total.shares
        ]
        if rows:
            output.print_table(self.stdout, rows, numbers=["files", "bytes", "monthly_cost"])
        self.stdout.write(
            f"{format_count(total.files, 'file')}, {total.bytes:,} of {total.budget_bytes:,} bytes "
            f"({total.percent} %), ${total.monthly_cost} a month; new files go to {total.location}."
        )
        if total.warning:
            self.stderr.write(self.style.WARNING(total.warning))
