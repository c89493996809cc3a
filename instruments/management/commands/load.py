"""manage.py load"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.progress import Progress, TaskID

from audit.commands import RecordedCommand
from esma_files.datasets import Dataset
from esma_files.errors import LoadedOtherwise
from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.venues.load import load_bundled_if_none
from marketdata.common import output
from marketdata.common.errors import MarketDataError
from marketdata.common.numbers import format_count
from marketdata.common.progress import progress_bars

_COUNTS = ("read", "new", "changed", "ended", "dropped", "late", "unchanged", "rejected", "outside")
# Elements without a field that are named; a golden copy of GLEIF has dozens.
_SHOWN_PATHS = 3


class Command(RecordedCommand):
    help = (
        "Store published files (FULINS, DLTINS, FULCAN; FULECR, DLTECR, FULNCR, DLTNCR; DVCRES) and "
        "load them in publication order. Without a path, load the files that are downloaded and not "
        "loaded yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths", nargs="*", type=Path, metavar="PATH", help="zip, or folder of zips"
        )
        parser.add_argument(
            "--dataset",
            choices=Dataset.values,
            default="",
            help="dataset that the files belong to; by default the one of ESMA for their kind",
        )
        parser.add_argument(
            "--excerpt",
            action="store_true",
            help="the files hold only a part of what was published: a full file then drops no listing",
        )
        parser.add_argument(
            "--skip-loaded", action="store_true", help="do not reload files that are loaded"
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        problems: list[MarketDataError] = []
        rows = []
        if options["paths"]:
            files = pipeline.register_files(
                options["paths"],
                dataset=options["dataset"],
                excerpt=options["excerpt"],
                on_problem=problems.append,
            )
        else:
            files = list(EsmaFile.objects.waiting())
        if files and (venues := load_bundled_if_none()):
            self.stderr.write(
                f"The list of venues was empty. The bundled list of {venues.new:,} venues has been loaded;"
                " `load_venues --official` loads the newest one."
            )
        with _progress(len(files)) as progress:
            again = not options["skip_loaded"]
            for result in pipeline.load(files, again=again, progress=progress):
                rows.append(_row(result))
                problems += [result.error] if result.error else []
                progress.done(result.file)
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif rows:
            self._print_table(rows)
            self._explain(rows)
        elif not problems:
            self.stdout.write(
                "No file waits to be loaded; `download` fetches those that are listed."
            )
        if problems:
            raise CommandError("; ".join(map(_describe_problem, problems)))

    def _print_table(self, rows: list[dict[str, Any]]) -> None:
        """Print the counts of each file, without outcomes that no record has."""
        empty = {name for name in _COUNTS[1:] if not any(row[name] for row in rows)}
        hidden = {*empty, "run", "unmapped", "report", "problem"}
        shown = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
        numbers = [*_COUNTS, "seconds", "records_per_second"]
        output.print_table(self.stdout, shown, numbers=numbers)

    def _explain(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            remarks = [*row["report"]]
            if row["unmapped"]:
                remarks.append(_describe_unmapped(row["unmapped"], run=row["run"]))
            if row["rejected"]:
                subject = format_count(row["rejected"], "record was", "records were")
                remarks.append(f"{subject} rejected: see `rejects list`.")
            for remark in remarks:
                self.stderr.write(f"{row['file']}: {remark}")


def _describe_problem(problem: MarketDataError) -> str:
    """Return a problem with the option that avoids it, if there is one."""
    if isinstance(problem, LoadedOtherwise):
        return f"{problem} Load it {'with' if problem.is_excerpt else 'without'} --excerpt."
    return str(problem)


def _describe_unmapped(unmapped: dict[str, int], *, run: int | None) -> str:
    paths = [f"{path} ({count:,})" for path, count in unmapped.items()]
    text = ", ".join(paths[:_SHOWN_PATHS])
    if len(paths) > _SHOWN_PATHS:
        text += f" and {len(paths) - _SHOWN_PATHS} more: see `runs get {run}`"
    return f"Elements without a field, which are kept in the zip only: {text}."


def _row(result: pipeline.LoadResult) -> dict[str, Any]:
    run = result.run
    seconds = run.seconds if run else 0.0
    return {
        "file": result.file.name,
        "state": result.file.state,
        **{name: getattr(run, name) if run else 0 for name in _COUNTS},
        "seconds": round(seconds, 3),
        "records_per_second": round(run.read / seconds) if run and seconds else 0,
        "run": run.pk if run else None,
        "unmapped": run.unmapped if run else {},
        "report": run.report if run else [],
        "problem": result.file.problem,
    }


class _Bars:
    """Progress bars on a terminal: one for all files, and one for each that is being loaded."""

    def __init__(self, progress: Progress, files: int) -> None:
        self._progress = progress
        self._all_files = progress.add_task("files", total=files, amount=f"of {files}")
        self._bars: dict[int, TaskID] = {}
        self._merging: set[int] = set()

    def reading(self, file: EsmaFile, records: int, share: float) -> None:
        bar, text = self._bar(file), format_count(records, "record")
        if file.pk in self._merging:
            self._progress.update(bar, amount=text)
        else:
            self._progress.update(bar, completed=share, amount=text)

    def merging(self, file: EsmaFile, share: float) -> None:
        self._merging.add(file.pk)
        bar = self._bar(file)
        self._progress.update(bar, description=f"merging {file.name}", completed=share)

    def optimizing_index(self) -> None:
        self._progress.update(self._all_files, description="files are loaded, optimizing the index")

    def done(self, file: EsmaFile) -> None:
        if (bar := self._bars.pop(file.pk, None)) is not None:
            self._progress.remove_task(bar)
        self._progress.advance(self._all_files)

    def _bar(self, file: EsmaFile) -> TaskID:
        if file.pk not in self._bars:
            text = f"reading {file.name}"
            self._bars[file.pk] = self._progress.add_task(text, total=1, amount="")
        return self._bars[file.pk]


@contextlib.contextmanager
def _progress(files: int) -> Iterator[_Bars]:
    with progress_bars() as progress:
        yield _Bars(progress, files)
