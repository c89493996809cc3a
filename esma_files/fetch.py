"""Fetching one file: streamed to disk, taken up again after a break, whole or absent."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import requests
from django.conf import settings

from esma_files import http
from esma_files.errors import NotAFile, Refused, TooLarge, Unavailable, WrongBytes

_CHUNK = 1 << 16
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/(?:[0-9]+|\*)")
# Zips begin so, empty ones too; a page or a message of a server does not.
_ZIP = b"PK"

# Told how many bytes are here, and how many there will be (0: not known).
Progress = Callable[[int, int], None]


def _md5() -> "hashlib._Hash":
    """MD5, because it is what ESMA's register gives to compare with."""
    return hashlib.md5(usedforsecurity=False)


@dataclasses.dataclass
class Part:
    """The bytes of a file that are on disk, their MD5 so far, and how the server calls them."""

    path: Path
    name: str
    expected: str = ""
    size: int = 0
    validator: str = ""
    digest: "hashlib._Hash" = dataclasses.field(default_factory=_md5)

    @classmethod
    def found(cls, path: Path, *, name: str, expected: str) -> "Part":
        """What an earlier process has left at `path`; nothing, unless an MD5 can prove it right."""
        part = cls(path, name, expected)
        if expected and path.exists():
            with path.open("rb") as begun:
                while chunk := begun.read(_CHUNK):
                    part.digest.update(chunk)
                    part.size += len(chunk)
        return part

    @property
    def md5(self) -> str:
        return self.digest.hexdigest()

    @property
    def is_whole(self) -> bool:
        """As far as an MD5 tells."""
        return not self.expected or self.md5 == self.expected

    def begin_anew(self) -> None:
        self.size, self.validator, self.digest = 0, "", _md5()


def fetch(url: str, *, name: str, md5: str, path: Path, progress: Progress) -> Part:
    """Write the file at `url` to `path`; with an `md5`, what comes must have it.

    A break, a time-out, 429 or 5xx is tried again, from the byte where it stopped if the server can.
    Raises Unavailable, Refused, ForbiddenAddress, WrongBytes, TooLarge, NotAFile. What has come so far
    stays at `path` for the next call, unless it is wrong.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Part.found(path, name=name, expected=md5)
    resumed = part.size > 0
    if resumed and part.is_whole:
        return part
    with http.new_session() as session:
        try:
            _receive(session, url, part, progress)
            if resumed and not part.is_whole:  # what was found was not the beginning of it
                part.begin_anew()
                _receive(session, url, part, progress)
        except (TooLarge, NotAFile):
            path.unlink(missing_ok=True)
            raise
    if not part.is_whole:
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
        part.begin_anew()  # nothing could tell whether the file has changed meanwhile
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.validator:
            headers["If-Range"] = part.validator
    hosts = settings.DOWNLOAD_HOSTS
    with (
        _range_to_be_had(part),
        http.answer(session, url, hosts=hosts, headers=headers) as response,
    ):
        _continue_or_begin_anew(response, part)
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
        raise Unavailable(f"{url}: an empty answer")


@contextmanager
def _range_to_be_had(part: Part) -> Iterator[None]:
    """Begin anew where the server has no byte after those that are here."""
    try:
        yield
    except Refused as error:
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
            part.begin_anew()
            raise Unavailable(str(error)) from error
        raise


def _continue_or_begin_anew(response: requests.Response, part: Part) -> None:
    """Whether the answer goes on where the part ends, or begins at the beginning."""
    goes_on = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not (response.status_code == 206 and goes_on and int(goes_on[1]) == part.size):
        if response.status_code == 206:
            part.begin_anew()
            raise Unavailable(f"{response.url}: sent another part than was asked for")
        part.begin_anew()
    validator = response.headers.get("ETag", "")
    part.validator = "" if validator.startswith("W/") else validator


def _check_size(size: int, part: Part) -> None:
    if size > settings.DOWNLOAD_MAX_BYTES:
        limit = f"more than DOWNLOAD_MAX_BYTES={settings.DOWNLOAD_MAX_BYTES:,}"
        raise TooLarge(part.name, f"{size:,} bytes, {limit}")
