"""Work that users request for a file: what its state allows, the event in the audit trail, and the run.

The API, the pages and the admin call these functions, so that all of them have the same rules and events.
Most return the run that is queued. They raise WrongState, with what to do, if the state of the file does not
allow the work. Those that queue nothing serve commands too, which have no request.
"""

from typing import Any

from audit import trail
from esma_files import downloading, queue, retention, sets, steps
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import WrongState


def download(file: EsmaFile, *, request: Any) -> Run:
    """Fetch a file, again if it is stored already: other bytes become a new revision."""
    if not file.url:
        raise WrongState(f"No register has listed {file.name}, so there is no address.")
    return _queue(Run.Kind.DOWNLOAD, downloading.prepare_refetch(file), request)


def load(file: EsmaFile, *, request: Any) -> Run:
    """Load a file, again if it is loaded already, which changes nothing."""
    if not file.has_content:
        raise WrongState(f"{file.name} is {file.state}: download it first.")
    if file.state == EsmaFile.State.HELD:
        raise WrongState(f"{file.name} is held by the load gate: release it first.")
    return _queue(Run.Kind.LOAD, file, request)


def retry(file: EsmaFile, *, request: Any) -> Run:
    """Continue a failed file with the step that failed: the download or the load."""
    put_back(file, request=request)
    return _queue(Run.Kind.LOAD if file.has_content else Run.Kind.DOWNLOAD, file, request)


def release(file: EsmaFile, *, request: Any) -> Run:
    """Let a file through that the load gate holds, and load it."""
    let_through(file, request=request)
    return _queue(Run.Kind.LOAD, file, request)


def keep(file: EsmaFile, *, kept: bool, request: Any = None) -> Run:
    """Exempt a file from the retention policy, or no longer; the run has ended."""
    trail.record(
        "file.keep", request=request, about=file, old={"kept": file.kept}, new={"kept": kept}
    )
    requested_by = request.user.get_username() if request is not None else ""
    return steps.keep(file, kept=kept, requested_by=requested_by)


def delete_set(file: EsmaFile, *, request: Any) -> Run:
    """Delete the bytes of all parts of a file's set. The rows and the loaded records stay."""
    check_may_be_deleted(retention.set_of(sets.SetKey.of(file)))
    return _queue(Run.Kind.DELETE, file, request)


def remove(file: EsmaFile, *, request: Any) -> Run:
    """Delete the bytes of one bad file, whatever its state and its set. The row and what was loaded stay."""
    if reason := retention.hindrance_of_file(file):
        raise WrongState(f"{file.name} cannot be removed: {reason}.")
    trail.record("file.remove", request=request, about=file, old={"state": file.state})
    requested_by = request.user.get_username()
    return queue.request_run(
        Run.Kind.DELETE, file=file, requested_by=requested_by, arguments=steps.ALONE
    )


def check_may_be_deleted(file_set: sets.FileSet) -> None:
    """Raise WrongState if the bytes of a set must not be deleted."""
    if reason := retention.hindrance(file_set):
        raise WrongState(f"{file_set.key} cannot be deleted: {reason}.")


def put_back(file: EsmaFile, *, request: Any = None) -> None:
    """Put a failed file back to the state before the step that failed. Raises WrongState."""
    if not EsmaFile.objects.filter(pk=file.pk).retry():
        raise WrongState(f"{file.name} is {file.state}; only failed files can be retried.")
    trail.record("file.retry", request=request, about=file)


def let_through(file: EsmaFile, *, request: Any = None) -> None:
    """Let a file through that the load gate holds. Raises WrongState."""
    if not EsmaFile.objects.filter(pk=file.pk).release_held():
        raise WrongState(f"{file.name} is {file.state}; only held files can be released.")
    trail.record("file.release", request=request, about=file)


def _queue(kind: Run.Kind, file: EsmaFile, request: Any) -> Run:
    trail.record(f"file.{kind}", request=request, about=file)
    return queue.request_run(kind, file=file, requested_by=request.user.get_username())
