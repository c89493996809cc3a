"""manage.py sync_register"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from esma_files import steps
from esma_files.models import Run
from esma_files.names import Kind
from esma_files.sources import Source
from marketdata.common import output
from marketdata.common.errors import MarketDataError

_COUNTS = ("read", "new", "changed", "unchanged", "rejected")


class Command(BaseCommand):
    help = "Ask the registers which files they have published, and note those that are new."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--source",
            action="append",
            choices=Source.values,
            help="a register; again for another (those that REGISTERS names)",
        )
        day = dt.date.fromisoformat
        parser.add_argument(
            "--since", type=day, help="first day, YYYY-MM-DD (two weeks ago, or the oldest gap)"
        )
        parser.add_argument("--until", type=day, help="last day (today)")
        parser.add_argument(
            "--kind", action="append", choices=list(Kind), default=[], help="only this kind of file"
        )
        parser.add_argument(
            "--category", action="append", default=[], help="only full files of this CFI letter"
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        rows, problems = [], []
        for source in options["source"] or settings.REGISTERS:
            try:
                run = steps.sync(
                    source,
                    since=options["since"],
                    until=options["until"],
                    kinds=options["kind"],
                    categories=[letter.upper() for letter in options["category"]],
                )
            except MarketDataError as error:
                problems.append(f"{source}: {error}")
                continue
            rows.append(_row(run))
            if options["format"] == "table":
                for line in run.report:
                    self.stderr.write(line)
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif rows:
            shown = [{k: v for k, v in row.items() if k != "report"} for row in rows]
            output.print_table(self.stdout, shown, numbers=_COUNTS)
        if problems:
            raise CommandError("; ".join(problems))


def _row(run: Run) -> dict[str, Any]:
    days = {name: run.arguments[name] for name in ("source", "since", "until")}
    return {**days, **{name: getattr(run, name) for name in _COUNTS}, "report": run.report}
