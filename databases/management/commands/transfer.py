"""manage.py transfer"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases import named, tables
from databases.backups import create
from databases.moving.transfer import Copied, transfer
from databases.progress import table_progress_bars
from marketdata.common import disks, output
from marketdata.common.errors import MarketDataError


class Command(BaseCommand):
    help = (
        "Copy all data from one database into another, empty one. An interrupted transfer continues when"
        " it is run again; the source is only read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_databases(parser)
        parser.add_argument(
            "--restart", action="store_true", help="empty the target of an earlier transfer first"
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        began = time.monotonic()
        try:
            copied, left = self._transfer(options)
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            again = "Run transfer again: it continues from there."
            target = named.file_of(options["target"])
            if target is not None and disks.is_full(error):
                raise CommandError(f"{error}: {disks.describe_full(target)} {again}") from error
            raise CommandError(f"{error}. {again}") from error
        seconds = time.monotonic() - began
        now = sum(table.now for table in copied)
        if options["format"] == "json":
            rows = [{"table": c.table, "rows": c.rows, "copied": c.now} for c in copied]
            output.print_json(self.stdout, rows)
            return
        rows = [{"table": c.table, "rows": c.rows, "copied now": c.now} for c in copied if c.rows]
        output.print_table(self.stdout, rows, numbers=["rows", "copied now"])
        self.stdout.write(f"{now:,} rows in {seconds:,.0f} s, {now / seconds:,.0f} rows/s.")
        if left:
            self.stdout.write(f"Not copied, because they have no model: {', '.join(left)}.")
        self.stdout.write(
            f"Compare now: manage.py verify_transfer --from {options['source']}"
            f" --to {options['target']}"
        )

    def _transfer(self, options: dict[str, Any]) -> tuple[list[Copied], list[str]]:
        origin, file = named.described(options["source"]), named.file_of(options["source"])

        def back_up() -> None:
            if file is not None:
                backup = create.create(file, reason="before-transfer")
                self.stderr.write(f"Backup of the source: {backup.path}")

        opened = named.pair(options["source"], options["target"], write=True)
        with opened as (source, target), table_progress_bars() as watcher:
            copied = transfer(
                source,
                target,
                origin=origin,
                restart=options["restart"],
                beginning=back_up,
                watcher=watcher,
            )
            return list(copied), tables.unknown(source)


def add_databases(parser: CommandParser) -> None:
    description = "a configured database (sqlite, azure_sql), or a file as sqlite:///path"
    parser.add_argument(
        "--from", dest="source", required=True, metavar="DATABASE", help=description
    )
    parser.add_argument("--to", dest="target", required=True, metavar="DATABASE", help=description)
