"""manage.py lookup"""

import csv
import itertools
import json
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser

from instruments.bulk_lookup.answers import IdType
from instruments.bulk_lookup.files import (
    INPUT_COLUMNS,
    HeaderInvalid,
    answer_lines,
    format_csv,
    read_lines,
)
from instruments.management.answering import AnsweringCommand
from marketdata.common import named_files, output


class Command(AnsweringCommand):
    help = (
        "Look up the identifiers of a CSV file: ISINs, FIGIs, tickers or LEIs of issuers. Files of any length"
        " are read and answered line by line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        types = ", ".join(id_type.value for id_type in IdType)
        parser.add_argument(
            "file",
            help=f"a CSV file whose first line names its columns ({', '.join(INPUT_COLUMNS)}), of which only"
            f" idValue is needed; idType is one of {types}; - reads standard input",
        )
        parser.add_argument(
            "--format",
            choices=["csv", "ndjson"],
            default="csv",
            help="CSV with a row, or one JSON object, for each line of the file",
        )

    def handle(self, **options: Any) -> None:
        try:
            with named_files.open_text(options["file"], newline="") as file:
                self._write(file, options["format"])
        except named_files.FileUnusable as error:
            raise CommandError(str(error)) from error
        except (csv.Error, HeaderInvalid) as error:
            raise CommandError(f"{options['file']}: {error}") from error

    def _write(self, file: TextIO, format_: str) -> None:
        answers = answer_lines(read_lines(file))
        if format_ == "ndjson":
            for line, answer in answers:
                row = {"line": line.number, **line.values, **answer}
                self.stdout.write(output.escape_controls(json.dumps(row, ensure_ascii=False)))
            return
        # An invalid header is reported before anything is written.
        first = next(answers, None)
        for text in format_csv(itertools.chain([] if first is None else [first], answers)):
            self.stdout.write(text, ending="")
