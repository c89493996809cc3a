"""manage.py move_files"""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from audit.commands import RecordedCommand
from esma_files import moving
from esma_files.models import EsmaFile
from marketdata.common import output
from marketdata.common.errors import MarketDataError
from marketdata.common.numbers import format_count


class Command(RecordedCommand):
    help = "Move stored files to another storage. Each copy is read back and compared."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", required=True, choices=EsmaFile.Location.values)
        parser.add_argument(
            "--delete-verified",
            action="store_true",
            help="afterwards delete the originals, each after its copy has been read once more",
        )

    def handle(self, **options: Any) -> None:
        to = options["to"]
        try:
            files = moving.files_to_move(to)
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        size = sum(file.size for file in files)
        self.stdout.write(
            f"{format_count(len(files), 'file')} with {size:,} bytes to move to {to}."
        )
        problems = self._report(moving.move(files, to=to), len(files), "moved")
        originals = moving.files_with_originals(to)
        if options["delete_verified"]:
            done = moving.delete_originals(originals)
            problems += self._report(done, len(originals), "original deleted")
        elif originals:
            self.stdout.write(f"Originals kept: {len(originals)}; --delete-verified deletes them.")
        if problems:
            raise CommandError("; ".join(problems))

    def _report(self, moved: Iterable[moving.Moved], count: int, outcome: str) -> list[str]:
        """Print the outcome of each file, and return the problems."""
        problems = []
        hidden = not output.is_terminal()
        with Progress(console=Console(stderr=True), disable=hidden, transient=True) as bar:
            for result in bar.track(moved, total=count, description=outcome):
                if result.error:
                    problems.append(str(result.error))
                else:
                    self.stdout.write(f"{result.file.name}: {outcome}")
        return problems
