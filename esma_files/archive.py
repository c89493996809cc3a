"""Opening a zip from outside: its directory and its entries are checked before and while they are read."""

import codecs
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from esma_files.errors import BadArchive, EmptyFile, UnsafeArchive

# Small files may well compress better than the ratio from which on a zip counts as a bomb.
_RATIO_COUNTS_FROM = 10_000_000
# Errors of `zipfile` and `zlib` for bytes that differ from the directory.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression, or a version of zip, that Python does not know
    RuntimeError,
    ValueError,
)


class PlainXml:
    """An XML without a zip, treated as the only entry of one."""

    def __init__(self, source: IO[bytes], *, size: int) -> None:
        self._source = source
        self._entry = zipfile.ZipInfo("plain.xml")
        self._entry.file_size = self._entry.compress_size = size

    def infolist(self) -> list[zipfile.ZipInfo]:
        return [self._entry]

    def open(self, entry: zipfile.ZipInfo) -> IO[bytes]:
        """Open the XML at its beginning; closing it leaves the source open."""
        self._source.seek(0)
        return cast(IO[bytes], _Borrowed(self._source))


class _Borrowed(io.RawIOBase):
    """A stream that does not close its source."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._source.read(size)


Archive = zipfile.ZipFile | PlainXml


@contextmanager
def opened(
    source: IO[bytes], *, file_name: str, max_bytes: int, ending: str = ".xml"
) -> Iterator[Archive]:
    """Open a zip after a check of its directory, or an XML without a zip.

    The names of all entries must have the `ending`. Raises EmptyFile, BadArchive, UnsafeArchive.
    """
    size = source.seek(0, 2)
    if size == 0:
        raise EmptyFile(file_name, "the file is empty")
    source.seek(0)
    if source.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"<?xml", b"<BizData")):
        if size > max_bytes:
            limit = f"more than ARCHIVE_MAX_BYTES={max_bytes:,}"
            raise UnsafeArchive(file_name, f"it has {size:,} bytes, {limit}")
        yield PlainXml(source, size=size)
        return
    source.seek(0)
    try:
        archive = zipfile.ZipFile(source)
    except DAMAGE as error:
        raise BadArchive(file_name, f"this is not a readable zip ({error})") from error
    with archive:
        _check_directory(archive, file_name=file_name, max_bytes=max_bytes, ending=ending)
        yield archive


def entries_of(archive: Archive) -> list[zipfile.ZipInfo]:
    """Return the entries in the order of the zip; `opened` has checked the names of all."""
    return [entry for entry in archive.infolist() if not entry.is_dir()]


def check_ratio(entry: zipfile.ZipInfo, *, file_name: str, max_ratio: int) -> None:
    """Raise UnsafeArchive for an entry that unpacks to more bytes for each of its bytes than `max_ratio`."""
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > _RATIO_COUNTS_FROM and ratio > max_ratio:
        reason = f"unpacks to {ratio:,.0f} times its size, more than ARCHIVE_MAX_RATIO"
        raise UnsafeArchive(file_name, f"{reason}={max_ratio}")


def _check_directory(
    archive: zipfile.ZipFile, *, file_name: str, max_bytes: int, ending: str
) -> None:
    entries = entries_of(archive)
    for entry in archive.infolist():
        # `orig_filename` is the name in the zip; `filename` has been cut and its slashes changed.
        if entry.is_dir() or any(mark in entry.orig_filename for mark in ("/", "\\", ":", "\0")):
            raise UnsafeArchive(file_name, f"the entry {entry.orig_filename!r} has a path")
        if entry.header_offset < 0:
            raise BadArchive(file_name, f"the entry {entry.filename!r} is outside the zip")
        if entry.flag_bits & 0x1:
            raise BadArchive(file_name, f"the entry {entry.filename!r} is encrypted")
        if not entry.filename.lower().endswith(ending):
            kind = ending.removeprefix(".").upper()
            raise BadArchive(file_name, f"the entry {entry.filename!r} is not {kind}")
    if not entries:
        raise EmptyFile(file_name, "there is no file in the zip")
    if (size := sum(entry.file_size for entry in entries)) > max_bytes:
        raise UnsafeArchive(
            file_name, f"unpacks to {size:,} bytes, more than ARCHIVE_MAX_BYTES={max_bytes:,}"
        )
