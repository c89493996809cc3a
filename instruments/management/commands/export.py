"""manage.py export"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from audit import trail
from instruments.listings import export
from instruments.listings.api.filters import InstrumentFilterSet
from instruments.models import Instrument
from marketdata.common import filtering, output


class Command(BaseCommand):
    help = "Write instruments to a file: CSV, NDJSON or Parquet, by the ending of its name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="FILE", help="as in bonds.parquet")
        filtering.add_filter_options(parser, InstrumentFilterSet)

    def handle(self, **options: Any) -> None:
        path: Path = options["path"]
        form = path.suffix.removeprefix(".")
        if form not in export.FORMS:
            raise CommandError(f"{path}: the name must end in {', '.join(export.FORMS)}.")
        found: Any = filtering.filter_queryset(
            InstrumentFilterSet, options, Instrument.objects.all()
        )
        part = path.with_name(f"{path.name}.part")
        counted = _Counted(export.pages(found))
        _, written = export.FORMS[form]
        try:
            with part.open("wb") as out, counted.shown():
                for chunk in written(iter(counted)):
                    out.write(chunk)
            part.replace(path)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        wanted = filtering.get_filter_values(InstrumentFilterSet, options)
        trail.record("instruments.exported", about=str(path)[:200], new=wanted)
        self.stdout.write(f"{path}: {counted.rows:,} instruments, {path.stat().st_size:,} bytes.")


class _Counted:
    """Pages on their way, counted, and shown on a terminal."""

    def __init__(self, pages: Iterator[export.Rows]) -> None:
        self._pages = pages
        self.rows = 0
        self._bar = Progress(
            TextColumn("{task.completed:,} instruments"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not output.is_terminal(),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def shown(self) -> Progress:
        return self._bar

    def __iter__(self) -> Iterator[export.Rows]:
        for page in self._pages:
            self.rows += len(page)
            self._bar.update(self._task, completed=self.rows)
            yield page
