"""manage.py download"""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from audit.commands import RecordedCommand
from esma_files import downloading
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from marketdata.common import output


class Command(RecordedCommand):
    help = "Fetch listed files: those named, or all that the settings ask for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="as in FULINS_E_20250830_01of02.zip"
        )
        parser.add_argument(
            "--again",
            action="store_true",
            help="also fetch files that are stored; other bytes become a new revision",
        )
        parser.add_argument(
            "--dataset",
            choices=Dataset.values,
            default="",
            help="dataset of the named files: ESMA and the FCA use the same names (default: ESMA's)",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        files, problems = _named(
            options["names"], dataset=options["dataset"], again=options["again"]
        )
        rows = []
        with _bars() as watcher:
            for result in downloading.download(files, watcher=watcher):
                rows.append(_row(result))
                problems += [str(result.error)] if result.error else []
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif rows:
            output.print_table(self.stdout, rows, numbers=["size", "seconds"])
        elif not problems:
            self.stdout.write("There is nothing to download; sync_register lists new files.")
        if problems:
            raise CommandError("; ".join(problems))


def _named(names: list[str], *, dataset: str, again: bool) -> tuple[list[EsmaFile], list[str]]:
    """Return the newest file of each name, or those that the settings select; and the problems with names."""
    if not names:
        selected = EsmaFile.objects.selected().filter(state=EsmaFile.State.LISTED)
        return list(selected.order_by("-sequence")), []
    files, problems = [], []
    for name in names:
        file = EsmaFile.objects.named(f"{name.removesuffix('.zip')}.zip", dataset=dataset).first()
        if file is None:
            problems.append(f"{name}: no register has listed it; run sync_register first")
        else:
            files.append(downloading.prepare_refetch(file) if again else file)
    return files, problems


def _row(result: downloading.Result) -> dict[str, Any]:
    file = result.file
    return {
        "file": file.name,
        "dataset": file.dataset,
        "state": file.state,
        "size": file.size,
        "md5": file.md5,
        "seconds": round(result.run.seconds, 1) if result.run else 0.0,
    }


class _Bars:
    """A progress bar for each file that is being fetched."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lines: dict[int, TaskID] = {}

    def fetching(self, file: EsmaFile, size: int, total: int) -> None:
        if file.pk not in self._lines:
            self._lines[file.pk] = self._progress.add_task(file.name, total=None)
        self._progress.update(self._lines[file.pk], completed=size, total=total or None)

    def done(self, file: EsmaFile) -> None:
        if (line := self._lines.pop(file.pk, None)) is not None:
            self._progress.remove_task(line)


@contextlib.contextmanager
def _bars() -> Iterator[_Bars]:
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not output.is_terminal(),
        transient=True,
    )
    with bars:
        yield _Bars(bars)
