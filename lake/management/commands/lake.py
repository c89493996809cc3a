"""manage.py lake"""

import dataclasses
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from instruments.management.answering import AnsweringCommand
from lake import history, publishing
from lake.errors import NoSuchTable
from lake.tables import ALL_TABLES, TABLES, LakeTable, get_table
from marketdata.common import output
from marketdata.common.errors import MarketDataError
from marketdata.common.progress import progress_bars

_NUMBERS = ("data_version", "version", "rows", "written", "removed", "kept", "bytes_written")


class Command(RecordedCommand, AnsweringCommand):
    recorded_actions = frozenset({"publish", "vacuum"})
    help = "Publish the data as Delta Lake tables, list them, and delete old files (docs/lake.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        publish = actions.add_parser("publish", help="write what has changed since the last time")
        publish.add_argument(
            "tables", metavar="TABLE", nargs="*", help="these tables only (default: all)"
        )
        publish.add_argument(
            "--full", action="store_true", help="read all rows, not only those that have changed"
        )
        actions.add_parser("list", help="the tables that have been published")
        versions = actions.add_parser("history", help="the versions of a table")
        versions.add_argument("table")
        versions.add_argument(
            "--at", type=int, metavar="N", help="only the version that holds data version N"
        )
        vacuum = actions.add_parser(
            "vacuum", help="delete files of versions older than LAKE_KEEP_DAYS"
        )
        vacuum.add_argument("--dry-run", action="store_true", help="delete nothing")
        for action in actions.choices.values():
            output.add_format(action)

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except MarketDataError as error:
            raise CommandError(str(error)) from error

    def _publish(self, options: dict[str, Any]) -> None:
        names = [table.name for table in TABLES]
        for name in options["tables"]:
            if name not in names:
                raise NoSuchTable(name, names)
        tables = [get_table(name) for name in options["tables"]] or TABLES
        with progress_bars() as bars:
            count = sum(2 if table.recent else 1 for table in tables)
            bar = bars.add_task("lake", total=count, amount="")

            def show(table: str, rows: int) -> None:
                bars.update(bar, amount=f"{table}: {rows:,} rows read")

            published = []
            for item in publishing.publish(tables, full=options["full"], progress=show):
                published.append(dataclasses.asdict(item))
                bars.advance(bar)
        self._print(options, published, numbers=_NUMBERS)

    def _list(self, options: dict[str, Any]) -> None:
        self._print(options, [history.describe(table) for table in ALL_TABLES])

    def _history(self, options: dict[str, Any]) -> None:
        table = get_table(options["table"])
        if options["at"] is None:
            versions = history.get_versions(table)
        else:
            versions = [history.get_version_at(table, options["at"])]
        self._print(options, [dataclasses.asdict(version) for version in versions])

    def _vacuum(self, options: dict[str, Any]) -> None:
        rows = [
            {"table": table.name, "files": len(self._delete(table, options))}
            for table in ALL_TABLES
        ]
        self._print(options, rows, numbers=["files"])

    def _delete(self, table: LakeTable, options: dict[str, Any]) -> list[str]:
        return history.vacuum(table, dry_run=options["dry_run"])

    def _print(
        self, options: dict[str, Any], rows: list[dict[str, Any]], *, numbers: Any = ()
    ) -> None:
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        else:
            output.print_table(self.stdout, rows, numbers=numbers)
