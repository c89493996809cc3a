"""Fetching one file: streamed to disk, resumed after an interruption, complete or absent."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import requests
from django.conf import settings

from esma_files.errors import NotAFile, TooLarge, WrongBytes
from marketdata.common import http
from marketdata.common.errors import Refused, Unavailable

_CHUNK = 1 << 16
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/(?:[0-9]+|\*)")
# The first bytes of every zip; a page or a message of a server begins otherwise.
_ZIP = b"PK"

# Called with the number of bytes received, and the total (0: not known).
Progress = Callable[[int, int], None]


def _md5() -> "hashlib._Hash":
    """Return an MD5, because that is the checksum in ESMA's register."""
    return hashlib.md5(usedforsecurity=False)


@dataclasses.dataclass
class Part:
    """The bytes of a file that are on disk, their MD5, and the validator (ETag) of the server for them."""

    path: Path
    name: str
    expected: str = ""
    size: int = 0
    validator: str = ""
    digest: "hashlib._Hash" = dataclasses.field(default_factory=_md5)

    @classmethod
    def resume(cls, path: Path, *, name: str, expected: str) -> "Part":
        """Return the bytes that an earlier process left at `path`; none, unless an MD5 can verify them."""
        part = cls(path, name, expected)
        if expected and path.exists():
            with path.open("rb") as partial:
                while chunk := partial.read(_CHUNK):
                    part.digest.update(chunk)
                    part.size += len(chunk)
        return part

    @property
    def md5(self) -> str:
        return self.digest.hexdigest()

    @property
    def is_complete(self) -> bool:
        """Return True if the MD5 is the expected one, or if none is expected."""
        return not self.expected or self.md5 == self.expected

    def restart(self) -> None:
        """Forget the bytes that are on disk."""
        self.size, self.validator, self.digest = 0, "", _md5()


def fetch(url: str, *, name: str, md5: str, path: Path, progress: Progress) -> Part:
    """Write the file at `url` to `path`; with an `md5`, the bytes must match it.

    After an interruption, a time-out, 429 or 5xx it tries again, from the byte where it stopped if the server
    can. Raises Unavailable, Refused, ForbiddenAddress, WrongBytes, TooLarge, NotAFile. The bytes received so
    far stay at `path` for the next call, unless they are wrong.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Part.resume(path, name=name, expected=md5)
    resumed = part.size > 0
    if resumed and part.is_complete:
        return part
    with http.new_session() as session:
        try:
            _receive(session, url, part, progress)
            if resumed and not part.is_complete:  # the earlier bytes were not its beginning
                part.restart()
                _receive(session, url, part, progress)
        except (TooLarge, NotAFile):
            path.unlink(missing_ok=True)
            raise
    if not part.is_complete:
        path.unlink(missing_ok=True)
        raise WrongBytes(name, expected=f"MD5 {md5}", actual=f"{part.md5} ({part.size:,} bytes)")
    return part


def _receive(session: requests.Session, url: str, part: Part, progress: Progress) -> None:
    for attempt in http.retried():
        with attempt:
            _receive_once(session, url, part, progress)


def _receive_once(session: requests.Session, url: str, part: Part, progress: Progress) -> None:
    headers = {"Accept-Encoding": "identity"}
    if part.size and not (part.expected or part.validator):
        part.restart()  # a change of the file in between would not be noticed
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.validator:
            headers["If-Range"] = part.validator
    hosts = settings.DOWNLOAD_HOSTS
    with (
        _restarted_without_range(part),
        http.answer(session, url, hosts=hosts, headers=headers) as response,
    ):
        _continue_or_restart(response, part)
        total = part.size + int(response.headers.get("Content-Length") or 0)
        _check_size(total, part)
        with part.path.open("r+b" if part.size else "wb") as out:
            out.truncate(part.size)
            out.seek(part.size)
            for chunk in response.iter_content(_CHUNK):
                if not part.size and not chunk.startswith(_ZIP):
                    kind = response.headers.get("Content-Type", "something")
                    raise NotAFile(part.name, f"{url} answered with {kind} instead of a zip")
                out.write(chunk)
                part.digest.update(chunk)
                part.size += len(chunk)
                _check_size(part.size, part)
                progress(part.size, total)
    if not part.size:
        raise Unavailable(f"{url}: the answer is empty")


@contextmanager
def _restarted_without_range(part: Part) -> Iterator[None]:
    """Start again where the server has no bytes after those that are on disk."""
    try:
        yield
    except Refused as error:
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
            part.restart()
            raise Unavailable(str(error)) from error
        raise


def _continue_or_restart(response: requests.Response, part: Part) -> None:
    """Restart the part unless the answer continues where it ends."""
    content_range = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    is_partial = response.status_code == HTTPStatus.PARTIAL_CONTENT
    if not (is_partial and content_range and int(content_range[1]) == part.size):
        if is_partial:
            part.restart()
            raise Unavailable(f"{response.url}: sent another part than the one requested")
        part.restart()
    validator = response.headers.get("ETag", "")
    part.validator = "" if validator.startswith("W/") else validator


def _check_size(size: int, part: Part) -> None:
    if size > settings.DOWNLOAD_MAX_BYTES:
        limit = f"more than DOWNLOAD_MAX_BYTES={settings.DOWNLOAD_MAX_BYTES:,}"
        raise TooLarge(part.name, f"{size:,} bytes, {limit}")
