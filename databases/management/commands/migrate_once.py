"""manage.py migrate_once"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.migrating import migrate_once
from marketdata.common.errors import MarketDataError


class Command(BaseCommand):
    help = (
        "Apply missing migrations. Several processes may run this at the same time: one applies the"
        " migrations, and the others wait until it has finished."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait",
            type=float,
            default=900,
            metavar="SECONDS",
            help="how long to wait for another process (default: 900)",
        )

    def handle(self, *, wait: float, verbosity: int, **options: Any) -> None:
        try:
            applied = migrate_once(wait_seconds=wait, verbosity=verbosity)
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        if applied:
            self.stdout.write(self.style.SUCCESS(f"Applied {len(applied)} migrations."))
        else:
            self.stdout.write("No migrations to apply.")
