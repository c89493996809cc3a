"""The run that answers a list, line by line.

The answers appear when they are complete, so a run that is begun again changes nothing that was seen.
"""

import datetime as dt
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files import File
from django.core.files.storage import storages

from esma_files import runs
from esma_files.models import Run
from instruments.bulk_lookup import files as lookup_files
from instruments.list_check import answers as list_answers
from instruments.list_check.lines import Lines
from instruments.list_files import keeping
from instruments.models import ListFile
from marketdata.common.errors import NotInDatabase

_NOTED_LINES = 2_000  # between two notes of the progress


def answer(run: Run) -> None:
    """Answer the list of a run. Raises NotInDatabase if it has been deleted, and errors of the storage."""
    with runs.failing_on_error(run):
        list_file = ListFile.objects.filter(pk=int(run.arguments["list"])).first()
        if list_file is None:
            raise _deleted(run)
        ListFile.objects.filter(pk=list_file.pk).update(run=run)
        storage = storages[list_file.location]
        progress = _Progress(run, list_file)
        name = keeping.get_answers_name(list_file)
        with keeping.open_temporary() as file:
            with storage.open(list_file.content) as opened, keeping.read_text(opened) as text:
                _write(_format(list_file, text, progress), file)
            file.seek(0)
            storage.save(name, File(file))
        if not ListFile.objects.filter(pk=list_file.pk).update(answers=name):
            storage.delete(name)
            raise _deleted(run)
        progress.summarize()
        run.end()


def _deleted(run: Run) -> NotInDatabase:
    return NotInDatabase(f"List {run.arguments['list']} has been deleted.")


def _write(lines: Iterable[str], file: Any) -> None:
    with (
        gzip.open(file, "wb", compresslevel=1) as compressed,
        io.TextIOWrapper(compressed, encoding="utf-8", newline="") as text,
    ):
        text.writelines(lines)


class _Progress:
    """The lines that are answered, by outcome. `columns` says how the header of a table was read."""

    def __init__(self, run: Run, list_file: ListFile) -> None:
        self._run, self._list, self._outcomes = run, list_file, Counter[str]()
        self.columns = ""

    def count(self, outcome: str) -> None:
        """Count a line. Raises NotInDatabase if the list has been deleted meanwhile."""
        self._outcomes[outcome] += 1
        lines = self._outcomes.total()
        if lines % _NOTED_LINES == 0:
            if not ListFile.objects.filter(pk=self._list.pk).exists():
                raise _deleted(self._run)
            self._run.note(share=min(lines / self._list.lines, 1), done=lines, unit="lines")

    def summarize(self) -> None:
        """Write the counts into the run: `read` are all lines, `rejected` the invalid ones."""
        run, outcomes = self._run, self._outcomes
        run.read = run.done = outcomes.total()
        run.unit = "lines"
        run.rejected = outcomes["invalid"]
        run.report = [f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items())]
        if self.columns:
            run.report.append(self.columns)


def _format(list_file: ListFile, text: Iterable[str], progress: _Progress) -> Iterator[str]:
    is_safe = list_file.parameters.get("spreadsheet") == "safe"
    if list_file.question == ListFile.Question.LOOKUP:
        lookups = lookup_files.answer_lines(lookup_files.read_lines(text))
        return lookup_files.format_csv(_count_lookups(lookups, progress), spreadsheet=is_safe)
    parameters = list_file.parameters
    question = list_answers.Question(
        on=_parse_day(parameters.get("on")),
        known_on=_parse_day(parameters.get("known_on")),
        register=parameters.get("register", ""),
    )
    lines = Lines(text)
    rows = list_answers.answer_items(lines, question)
    return list_answers.format_csv(_count_rows(rows, lines, progress), spreadsheet=is_safe)


def _parse_day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _count_lookups(lookups: Iterable[tuple[Any, Any]], progress: _Progress) -> Iterator[Any]:
    outcomes = {"data": "found", "warning": "unknown", "error": "invalid"}
    for line, answered in lookups:
        progress.count(outcomes[next(iter(answered))])
        yield line, answered


def _count_rows(
    rows: Iterable[dict[str, Any]], lines: Lines, progress: _Progress
) -> Iterator[dict[str, Any]]:
    for row in rows:
        is_found = row["status"] == list_answers.CheckStatus.FOUND
        outcome = "reportable" if row["reportable"] else "not reportable"
        progress.count(outcome if is_found else row["status"])
        yield row
    progress.columns = lines.columns
