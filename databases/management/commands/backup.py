"""manage.py backup create|list|verify|restore|prune"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from audit import trail
from databases.backups import create, folder, restore, sqlite
from databases.backups.folder import Backup
from databases.errors import DamagedBackup, NotSqlite
from databases.progress import bar
from marketdata.common import disks, output
from marketdata.common.errors import MarketDataError
from marketdata.common.numbers import format_count
from marketdata.common.questions import is_confirmed

_AZURE = (
    "{database} is on a server, which makes its own backups; none was made here. On Azure SQL, go back to"
    " any second of the last 7 days (or what its retention is set to) by point-in-time restore:\n"
    "  az sql db restore --resource-group GROUP --server SERVER --name DATABASE"
    " --dest-name DATABASE-restored --time 2026-01-31T09:30:00Z\n"
    "then set AZURE_SQL_DATABASE to the restored one. docs/backups.md says more."
)


class Command(BaseCommand):
    help = "Back up the SQLite database while it is in use, and check and restore backups."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="create|list|verify|restore|prune"
        )
        output.add_format(
            actions.add_parser("create", help="make a backup while the database is in use")
        )
        output.add_format(actions.add_parser("list", help="all backups, newest first"))
        verifying = actions.add_parser(
            "verify", help="unpack and check backups; without a name all of them"
        )
        verifying.add_argument("name", nargs="*")
        restoring = actions.add_parser("restore", help="replace the database by a backup")
        restoring.add_argument("name")
        restoring.add_argument("--yes", action="store_true", help="do not ask")
        pruning = actions.add_parser("prune", help="delete old backups")
        pruning.add_argument(
            "--keep",
            type=int,
            default=settings.BACKUPS_KEEP,
            help="number of the newest backups of each reason to keep (BACKUPS_KEEP)",
        )
        pruning.add_argument(
            "--dry-run", action="store_true", help="only list the backups that would be deleted"
        )

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except NotSqlite as error:
            host = connection.settings_dict["NAME"]
            raise CommandError(_AZURE.format(database=host)) from error
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            if not disks.is_full(error):
                raise
            full = disks.describe_full(folder.folder())
            raise CommandError(f"`backup {action}` has ended: {full}") from error

    def _create(self, options: dict[str, Any]) -> None:
        database = sqlite.file_of("default")
        with bar("copying") as watcher:
            backup = create.create(database, reason="manual", watcher=watcher)
        if options["format"] == "json":
            output.print_json(self.stdout, _row(backup))
        else:
            self.stdout.write(
                f"Made {backup.path}: {backup.rows:,} rows in {len(backup.tables)} tables,"
                f" {backup.bytes:,} bytes as {backup.stored_bytes:,}, in {backup.seconds:.1f} s."
            )

    def _list(self, options: dict[str, Any]) -> None:
        backups, problems = folder.scan()
        output.print_rows(
            self.stdout,
            [_row(backup) for backup in backups],
            options["format"],
            numbers=["bytes", "stored_bytes", "rows"],
            if_empty=f"No backups in {folder.folder()}; backup create makes one.",
        )
        for problem in problems:
            self.stderr.write(problem)

    def _verify(self, options: dict[str, Any]) -> None:
        with folder.locked():
            backups, problems = folder.scan()
            if options["name"]:
                backups, problems = [folder.get(name) for name in options["name"]], []
            for backup in backups:
                try:
                    with restore.unpacked(backup):
                        self.stdout.write(f"{backup.name}: whole, {backup.rows:,} rows.")
                except DamagedBackup as error:
                    problems.append(str(error))
        if problems:
            raise CommandError("\n".join(problems))
        if not backups:
            self.stdout.write(f"No backups in {folder.folder()}; backup create makes one.")

    def _restore(self, options: dict[str, Any]) -> None:
        if connection.vendor != "sqlite":
            raise NotSqlite
        database = Path(connection.settings_dict["NAME"])
        with folder.locked():
            backup = folder.get(options["name"])
            restore.check_schema(backup)
            with restore.unpacked(backup) as ready:
                if not options["yes"]:
                    self._ask(backup, database)
                connection.close()  # this process has the file open too
                with bar("restoring") as watcher:
                    safety = restore.replace(ready, database, watcher)
        kept = safety.name if safety else ""
        trail.record("backup.restored", about=backup.name, new={"before": kept})
        self.stdout.write(f"Restored {backup.name}: {backup.rows:,} rows.")
        if safety:
            self.stdout.write(f"Backup of the former content: {safety.path}")

    def _ask(self, backup: Backup, database: Path) -> None:
        self.stdout.write(
            f"This replaces all of {database} by the backup of {backup.made_at}"
            f" ({backup.rows:,} rows). The present content is backed up first."
        )
        if not is_confirmed("Type yes to continue: "):
            raise CommandError("Nothing was changed. With --yes the command does not ask.")

    def _prune(self, options: dict[str, Any]) -> None:
        if options["keep"] < 1:
            raise CommandError("--keep must be 1 or more: the newest backup always stays.")
        with _lock_unless(options["dry_run"]):
            old = folder.superfluous(options["keep"])
            for backup in old:
                if not options["dry_run"]:
                    folder.remove(backup)
                self.stdout.write(
                    f"{'would delete' if options['dry_run'] else 'deleted'} {backup.name}"
                )
        self.stdout.write(
            f"{format_count(len(old), 'backup')}, {sum(b.stored_bytes for b in old):,} bytes."
        )


@contextlib.contextmanager
def _lock_unless(dry_run: bool) -> Iterator[None]:
    with contextlib.nullcontext() if dry_run else folder.locked():
        yield


def _row(backup: Backup) -> dict[str, Any]:
    shown = ("name", "made_at", "reason", "release", "bytes", "stored_bytes", "rows")
    return {name: getattr(backup, name) for name in shown}
