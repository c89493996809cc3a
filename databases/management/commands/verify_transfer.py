"""manage.py verify_transfer"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases import named
from databases.management.commands.transfer import add_databases
from databases.moving import by_natural_key
from databases.moving.verify import Compared, verify
from databases.progress import table_progress_bars
from marketdata.common import output
from marketdata.common.errors import MarketDataError
from marketdata.common.numbers import format_count


class Command(BaseCommand):
    help = "Compare all rows of two databases and list those that differ; both are only read."

    def add_arguments(self, parser: CommandParser) -> None:
        add_databases(parser)
        parser.add_argument(
            "--by-natural-key",
            action="store_true",
            help="for databases that were filled apart: compare what they have of the same files,"
            " whatever numbers they have given to their rows",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        began = time.monotonic()
        try:
            opened = named.pair(options["source"], options["target"], write=False)
            with opened as (source, target), table_progress_bars() as watcher:
                compare = by_natural_key.verify if options["by_natural_key"] else verify
                compared = list(compare(source, target, watcher))
        except (MarketDataError, DatabaseError) as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - began
        rows = [_row(table) for table in compared]
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        else:
            shown = [
                {name: row[name] for name in _SHOWN}
                for row in rows
                if row["source_rows"] or row["target_rows"]
            ]
            output.print_table(self.stdout, shown, numbers=["source_rows", "target_rows"])
        self._judge(compared, seconds)

    def _judge(self, compared: list[Compared], seconds: float) -> None:
        for table in compared:
            for row in table.shown:
                self.stderr.write(f"{row.table}, key {row.key}: {row.description}")
            if table.differing > len(table.shown):
                self.stderr.write(f"{table.table}: {table.differing - len(table.shown):,} more")
        differing = sum(table.differing for table in compared)
        if differing or not all(table.same for table in compared):
            raise CommandError(
                f"Rows that differ: {differing:,}. If the service or a load has run since the transfer began,"
                " stop it and begin again: `transfer --restart`, then `verify_transfer`."
            )
        read = sum(table.source_rows for table in compared)
        self.stderr.write(
            f"Equal: {format_count(read, 'row')} in {format_count(len(compared), 'table')}, {seconds:,.0f} s,"
            f" {read / seconds:,.0f} rows/s."
        )


_SHOWN = ("table", "source_rows", "target_rows", "checksum", "same")


def _row(compared: Compared) -> dict[str, Any]:
    return {
        "table": compared.table,
        "source_rows": compared.source_rows,
        "target_rows": compared.target_rows,
        "checksum": compared.source_checksum,
        "target_checksum": compared.target_checksum,
        "same": compared.same,
        "differing": compared.differing,
        "differences": [{"key": row.key, "description": row.description} for row in compared.shown],
    }
