"""manage.py export"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from audit import trail
from instruments.listings import export, export_files
from instruments.listings.filters import InstrumentFilterSet
from instruments.management.answering import AnsweringCommand
from instruments.management.whole_files import write_whole_file
from instruments.models import Instrument
from instruments.profiles import saving, shapes
from marketdata.common import command_options, output
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.numbers import format_count


class Command(AnsweringCommand):
    help = (
        "Write instruments or listings to a CSV, JSON, NDJSON, XML, Parquet or XLSX file. The extension of"
        " its name selects the format."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="FILE", help="file name, as bonds.parquet")
        parser.add_argument(
            "--rows",
            choices=list(export.FIELDS),
            help="one row for each instrument, for each listing, or for each version of a listing"
            " (default: instruments)",
        )
        parser.add_argument(
            "--fields",
            default="",
            help="names of fields, separated by commas, or all: see docs/exports.md",
        )
        parser.add_argument(
            "--profile",
            metavar="NAME",
            help="output profile, as vendor or vendor@2, instead of --rows and --fields",
        )
        parser.add_argument(
            "--spreadsheet",
            choices=["safe"],
            help="put an apostrophe before texts of a CSV file that a spreadsheet program would read as"
            " a formula (default: write all texts as published)",
        )
        command_options.add_filter_options(parser, InstrumentFilterSet)

    def handle(self, **options: Any) -> None:
        path: Path = options["path"]
        format_ = path.suffix.removeprefix(".").lower()
        if format_ not in export_files.FORMATS:
            raise CommandError(f"{path}: the name must end in {', '.join(export_files.FORMATS)}.")
        if options["spreadsheet"] and format_ not in export_files.SPREADSHEET_FORMATS:
            raise CommandError("--spreadsheet is for CSV files only.")
        shape = self._get_shape(options)
        try:
            if shape is None:
                layout = export.choose(options["rows"] or "instruments", options["fields"])
            else:
                layout = shape.source
        except InvalidQuery as error:
            raise CommandError(f"--fields: {error}") from error
        instruments: Any = command_options.filter_queryset(
            InstrumentFilterSet, options, Instrument.objects.all()
        )
        counter = _Counter(export.read_pages(instruments, layout), layout.rows)
        pages = iter(counter)
        if shape is not None:
            pages, layout = shape.apply(pages), shape.target
        if options["spreadsheet"]:
            pages = export_files.make_spreadsheet_safe(pages)
        _, write = export_files.FORMATS[format_]
        with counter.progress_bar:
            write_whole_file(path, write(pages, layout))
        filters = command_options.get_filter_values(InstrumentFilterSet, options)
        trail.record("instruments.exported", about=str(path)[:200], new=filters)
        self.stdout.write(
            f"{path}: {format_count(counter.rows, layout.rows.removesuffix('s'))},"
            f" {path.stat().st_size:,} bytes."
        )

    @staticmethod
    def _get_shape(options: dict[str, Any]) -> shapes.Shape | None:
        """Return the shape of the profile that is named, if any. Raises CommandError."""
        if not options["profile"]:
            return None
        if options["rows"] or options["fields"]:
            raise CommandError("--profile has rows and fields of its own: pass it alone.")
        try:
            return shapes.get_shape(saving.get_profile(options["profile"]))
        except (InvalidQuery, NotInDatabase) as error:
            raise CommandError(f"--profile: {error}") from error


class _Counter:
    """Counts the rows of pages as they pass, and shows the number on a terminal."""

    def __init__(self, pages: Iterator[export.Rows], noun: str) -> None:
        self._pages = pages
        self.rows = 0
        self.progress_bar = Progress(
            TextColumn(f"{{task.completed:,}} {noun}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not output.is_terminal(),
            transient=True,
        )
        self._task = self.progress_bar.add_task("", total=None)

    def __iter__(self) -> Iterator[export.Rows]:
        for page in self._pages:
            self.rows += len(page)
            self.progress_bar.update(self._task, completed=self.rows)
            yield page
