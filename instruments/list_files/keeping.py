"""Store lists and their answers, and delete them. Users see only their own.

Both files are in the storage for new files, so that web servers and workers may be on different machines.
"""

import datetime as dt
import functools
import gzip
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.db import transaction
from django.http import StreamingHttpResponse
from django.utils import timezone

from audit import trail
from esma_files import queue
from esma_files.models import Run
from instruments.bulk_lookup.files import HeaderInvalid, read_lines
from instruments.models import ListFile
from marketdata.common.errors import InvalidQuery, NotInDatabase, WrongState
from marketdata.common.named_files import NOT_UTF_8

LOOK_UP = "instruments.lookup_instrument"
MAX_BYTES = 100_000_000
MAX_LINES = 1_000_000
MAX_LINE_CHARACTERS = 1_000
KEPT_FOR = dt.timedelta(days=7)
_CONTAINER = "lists"
_PART_BYTES = 1 << 18
_STORED_WITHIN = dt.timedelta(days=1)  # hidden and without lines until then
_OPEN = (Run.State.QUEUED, Run.State.RUNNING, Run.State.ABANDONED)


def select(owner: str) -> Any:
    """Return the lists of a user that have not expired, newest first."""
    lists = ListFile.objects.filter(owner=owner, lines__gt=0, expires_at__gt=timezone.now())
    return lists.select_related("run__file")


def get_list(number: int, owner: str) -> ListFile:
    """Return a list of a user. Raises NotInDatabase, also for one of another user."""
    list_file: ListFile | None = select(owner).filter(pk=number).first()
    if list_file is None:
        raise NotInDatabase(f"You have no list {number}.")
    return list_file


def create(
    owner: str,
    chunks: Iterable[bytes],
    *,
    question: str,
    name: str,
    parameters: dict[str, str],
    request: Any = None,
) -> ListFile:
    """Store a list, and queue the run that answers it. Raises InvalidQuery, WrongState."""
    _check_number(owner)
    stored_name = f"{_CONTAINER}/{secrets.token_hex(16)}.csv.gz"
    with open_temporary() as file:
        _compress(chunks, file)
        lines = _count_lines(file, question)
        # The row is first: whatever becomes of this process, what it has stored is deleted some day.
        list_file = ListFile.objects.create(
            owner=owner,
            question=question,
            name=name[:100],
            parameters=parameters,
            lines=0,
            location=settings.FILES_LOCATION,
            content=stored_name,
            expires_at=timezone.now() + _STORED_WITHIN,
        )
        file.seek(0)
        storages[settings.FILES_LOCATION].save(stored_name, File(file))
    with transaction.atomic():
        list_file.lines, list_file.expires_at = lines, timezone.now() + KEPT_FOR
        arguments = {"list": str(list_file.pk)}
        list_file.run = queue.request_run(Run.Kind.ANSWER, requested_by=owner, arguments=arguments)
        list_file.save(update_fields=["lines", "expires_at", "run"])
        new = {"question": question, "lines": lines, **parameters}
        trail.record("list.create", request=request, actor=owner, about=list_file, new=new)
    return list_file


def _check_number(owner: str) -> None:
    lists = select(owner)
    if lists.filter(answers="", run__state__in=_OPEN).count() >= ListFile.MAX_OPEN_OF_USER:
        raise WrongState(
            f"{ListFile.MAX_OPEN_OF_USER} of your lists are not answered yet: wait, or delete one."
        )
    if lists.count() >= ListFile.MAX_OF_USER:
        raise WrongState(f"You have {ListFile.MAX_OF_USER} lists: delete one first.")


def open_temporary() -> IO[bytes]:
    """Return a new temporary file; a clean-up deletes it if this process is killed."""
    folder = Path(settings.DOWNLOAD_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.NamedTemporaryFile(dir=folder, prefix="list-")


def _compress(chunks: Iterable[bytes], file: IO[bytes]) -> None:
    total = 0
    with gzip.open(file, "wb", compresslevel=1) as compressed:
        for chunk in chunks:
            total += len(chunk)
            if total > MAX_BYTES:
                raise InvalidQuery("file", f"The list has more than {MAX_BYTES:,} bytes.")
            compressed.write(chunk)


def read_text(file: IO[bytes]) -> IO[str]:
    """Return the lines of a stored list. Bytes that are not UTF-8 make the values with them invalid."""
    return gzip.open(file, "rt", encoding="utf-8-sig", errors="replace")


def _count_lines(file: IO[bytes], question: str) -> int:
    """Return the number of lines. Raises InvalidQuery if they are none, too many, too long or no text."""
    file.seek(0)
    lines = 0
    with read_text(file) as text:
        while line := text.readline(MAX_LINE_CHARACTERS + 1):
            lines += 1
            if "\x00" in line:  # in each UTF-16 file and spreadsheet, and in no text
                raise InvalidQuery("file", f"The list cannot be read: {NOT_UTF_8}")
            if len(line) > MAX_LINE_CHARACTERS:
                message = f"Line {lines:,} has more than {MAX_LINE_CHARACTERS:,} characters."
                raise InvalidQuery("file", message)
            if lines > MAX_LINES + 1:  # and a header
                raise InvalidQuery("file", f"The list has more than {MAX_LINES:,} lines.")
    if not lines:
        raise InvalidQuery("file", "The list is empty: send its lines as the body.")
    if question == ListFile.Question.LOOKUP:
        file.seek(0)
        with read_text(file) as text:
            try:
                next(read_lines(text), None)
            except HeaderInvalid as error:
                raise InvalidQuery("file", str(error)) from error
    return lines


class Answers:
    """Answers as CSV, in parts. Closing them closes their file, whether it was read or not."""

    def __init__(self, opened: Any) -> None:
        self._opened, self._uncompressed = opened, gzip.open(opened, "rb")  # noqa: SIM115

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._uncompressed.read(_PART_BYTES), b"")

    def close(self) -> None:
        self._uncompressed.close()
        self._opened.close()


def open_answers(list_file: ListFile) -> Answers:
    """Return the answers. Raises WrongState if they are not complete."""
    if not list_file.answers:
        raise WrongState(f"List {list_file.pk} is not answered yet, or its run has failed.")
    return Answers(storages[list_file.location].open(list_file.answers))


def download(list_file: ListFile, *, request: Any) -> StreamingHttpResponse:
    """Return the answers as a file. Raises WrongState if they are not complete."""
    answers = open_answers(list_file)
    record_download(list_file, request=request)
    name = f"{list_file.question}-{list_file.pk}.csv"
    return StreamingHttpResponse(
        answers,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def record_download(list_file: ListFile, *, request: Any = None) -> None:
    trail.record("list.answers", request=request, actor=list_file.owner, about=list_file)


def delete(list_file: ListFile, *, request: Any = None) -> None:
    """Delete a list with its answers; a run that answers it ends soon."""
    trail.record("list.delete", request=request, actor=list_file.owner, about=list_file)
    ListFile.objects.filter(pk=list_file.pk).update(expires_at=timezone.now())
    transaction.on_commit(functools.partial(_remove, list_file))


def delete_expired() -> int:
    """Delete the lists that have expired; return their number."""
    expired = list(ListFile.objects.filter(expires_at__lte=timezone.now()))
    for list_file in expired:
        _remove(list_file)
    return len(expired)


def _remove(list_file: ListFile) -> None:
    """Delete both files, also answers that a run is about to store, and then the row."""
    storage = storages[list_file.location]
    for name in (list_file.content, get_answers_name(list_file)):
        storage.delete(name)
    ListFile.objects.filter(pk=list_file.pk).delete()


def get_answers_name(list_file: ListFile) -> str:
    return list_file.content.replace(".csv.gz", "-answers.csv.gz")


def get_run(list_file: ListFile) -> Run:
    """Return the last run of a list: after a worker has ended, the one that is queued instead."""
    run: Run | None = list_file.run
    if run is None or run.state == Run.State.ABANDONED:
        arguments = {"list": str(list_file.pk)}
        runs = Run.objects.of(Run.Kind.ANSWER).filter(arguments=arguments)
        return runs.latest("pk")
    return run


def describe(list_file: ListFile) -> dict[str, Any]:
    """Return a list without its run."""
    parameters = list_file.parameters
    return {
        "number": list_file.pk,
        "question": list_file.question,
        "name": list_file.name,
        **{name: parameters.get(name) for name in ("on", "known_on", "register")},
        "spreadsheet": parameters.get("spreadsheet") == "safe",
        "lines": list_file.lines,
        "is_answered": bool(list_file.answers),
        "created_at": list_file.created_at,
        "expires_at": list_file.expires_at,
    }
