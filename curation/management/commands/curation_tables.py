"""manage.py curation_tables import|export"""

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from curation.descriptions import describe_batch
from curation.importing import batches, files
from curation.importing.resources import TABLES
from marketdata.common import named_files, output
from marketdata.common.errors import MarketDataError


class Command(BaseCommand):
    help = (
        "Import and export corrections, additions to the list of venues, and scopes as CSV or XLSX."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="import|export")
        importing = actions.add_parser(
            "import", help="say for each row what would change; with --commit import the valid rows"
        )
        importing.add_argument("kind", choices=list(TABLES))
        importing.add_argument("path", type=Path, help="a CSV or XLSX file")
        importing.add_argument("--commit", action="store_true", help="import the valid rows")
        output.add_format(importing)
        exporting = actions.add_parser("export", help="write a table as a file")
        exporting.add_argument("kind", choices=list(TABLES))
        exporting.add_argument("path", type=Path, help="ending in .csv or .xlsx")
        for parser_of_action in (importing, exporting):
            parser_of_action.add_argument(
                "--user", help="the user whose import it is, and whose watch lists are meant"
            )

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except MarketDataError as error:
            raise CommandError(str(error)) from error

    def _import(self, options: dict[str, Any]) -> None:
        path: Path = options["path"]
        with named_files.open_bytes(path) as file:
            content = file.read(files.MAX_BYTES + 1)
        by = options["user"] or getpass.getuser()
        batch = batches.try_import(options["kind"], content, name=path.name, by=by)
        if options["commit"]:
            batches.commit(batch, by=by)
        if options["format"] == "json":
            output.print_json(self.stdout, describe_batch(batch))
            return
        rows = [
            {
                **{name: row[name] for name in ("row", "key", "outcome")},
                "differences": "; ".join(
                    f"{name}: {old or '(none)'} → {new or '(none)'}"
                    for name, (old, new) in row["changes"].items()
                ),
                "problems": " ".join(row["problems"]),
            }
            for row in batch.report
        ]
        output.print_table(self.stdout, rows)
        if not options["commit"]:
            self.stdout.write("Nothing was changed. Import the valid rows with --commit.")

    def _export(self, options: dict[str, Any]) -> None:
        path: Path = options["path"]
        by = options["user"] or getpass.getuser()
        content = batches.export_table(options["kind"], path.suffix.lstrip(".").lower(), by=by)
        with named_files.writing(path) as file:
            file.write(content)
        self.stdout.write(f"Written: {path}")
