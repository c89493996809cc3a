"""manage.py check_list"""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from instruments.list_check.answers import Question, answer_items, format_csv
from instruments.list_check.lines import Lines
from instruments.management.answering import AnsweringCommand
from instruments.models import Register
from marketdata.common import command_options, named_files, output

# All columns would be too narrow to read.
_COLUMNS_OF_TABLE = (
    *("line", "isin", "mic", "on", "reportable", "reportable_there", "reason"),
    *("effective_status", "liquid"),
)


class Command(AnsweringCommand):
    help = (
        "Check a list of instruments or trades: what each is, whether it was reportable on the day, and its"
        " liquidity. Lists of any length are read and answered line by line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            help="a text or CSV file with an ISIN, FIGI or ticker, and optionally a MIC and a day, in each"
            " line, or a table with the columns isin, mic and day in its header; - reads standard input",
        )
        parser.add_argument(
            "--on", type=command_options.day, help="day for lines that name none; default: today"
        )
        parser.add_argument(
            "--known_on",
            "--known-on",
            type=command_options.day,
            help="use only what had been published by the end of this day",
        )
        parser.add_argument(
            "--register", type=str.upper, choices=Register.values, help="only this register"
        )
        parser.add_argument(
            "--format",
            choices=["csv", "ndjson", "table"],
            default="csv",
            help="CSV, one JSON object a line, or a table of the main columns",
        )

    def handle(self, **options: Any) -> None:
        question = Question(
            on=options["on"], known_on=options["known_on"], register=options["register"] or ""
        )
        try:
            with named_files.open_text(options["file"]) as lines:
                items = Lines(lines)
                self._write(answer_items(items, question), options["format"])
        except named_files.FileUnusable as error:
            raise CommandError(str(error)) from error
        if items.columns:
            self.stderr.write(output.escape_controls(items.columns))

    def _write(self, answers: Iterator[dict[str, Any]], format_: str) -> None:
        if format_ == "table":
            rows = [{name: answer[name] for name in _COLUMNS_OF_TABLE} for answer in answers]
            output.print_table(self.stdout, rows, numbers=["line"])
        elif format_ == "ndjson":
            for answer in answers:
                self.stdout.write(output.escape_controls(json.dumps(answer, ensure_ascii=False)))
        else:
            for text in format_csv(answers):
                self.stdout.write(text, ending="")
