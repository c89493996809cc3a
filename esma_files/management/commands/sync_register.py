"""manage.py sync_register"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from esma_files import steps
from esma_files.datasets import Dataset
from esma_files.kinds import KINDS
from esma_files.models import Run
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError

_COUNTS = ("read", "new", "changed", "unchanged", "rejected")


class Command(RecordedCommand):
    help = "Ask the registers for their lists of files, and record new files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dataset",
            action="append",
            choices=Dataset.values,
            help="a dataset; repeat for another one (default: those in REGISTERS)",
        )
        parser.add_argument(
            "--since",
            type=command_options.day,
            help="first day, YYYY-MM-DD (default: two weeks ago, or the oldest gap)",
        )
        parser.add_argument("--until", type=command_options.day, help="last day (default: today)")
        parser.add_argument(
            "--kind",
            action="append",
            choices=list(KINDS),
            default=[],
            help="only this kind of file; repeat for another one",
        )
        parser.add_argument(
            "--category",
            action="append",
            default=[],
            help="only full files of this CFI category; repeat for another one",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        rows, problems = [], []
        for dataset in options["dataset"] or settings.REGISTERS:
            try:
                run = steps.sync(
                    dataset,
                    since=options["since"],
                    until=options["until"],
                    kinds=options["kind"],
                    categories=[category.upper() for category in options["category"]],
                )
            except MarketDataError as error:
                problems.append(f"{dataset}: {error}")
                continue
            rows.append(_row(run))
            if options["format"] == "table":
                for line in run.report:
                    self.stderr.write(line)
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif rows:
            table = [{k: v for k, v in row.items() if k != "report"} for row in rows]
            output.print_table(self.stdout, table, numbers=_COUNTS)
        if problems:
            raise CommandError("; ".join(problems))


def _row(run: Run) -> dict[str, Any]:
    arguments = {name: run.arguments[name] for name in ("dataset", "since", "until")}
    return {**arguments, **{name: getattr(run, name) for name in _COUNTS}, "report": run.report}
