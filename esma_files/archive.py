"""Opening a zip from outside: what is in it is checked before and while it is read."""

import codecs
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from esma_files.errors import BadArchive, EmptyFile, UnsafeArchive

# What `zipfile` and `zlib` raise when bytes are not what the directory promised.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression, or a version of zip, that Python does not know
    RuntimeError,
    ValueError,
)
_PIECE = 1 << 20


class PlainXml:
    """An XML that lies in no zip, as the only entry of one."""

    def __init__(self, source: IO[bytes], *, size: int) -> None:
        self._source = source
        self._entry = zipfile.ZipInfo("plain.xml")
        self._entry.file_size = self._entry.compress_size = size

    def infolist(self) -> list[zipfile.ZipInfo]:
        return [self._entry]

    def open(self, entry: zipfile.ZipInfo) -> IO[bytes]:
        """From its beginning; closing it leaves the source open."""
        self._source.seek(0)
        return cast(IO[bytes], _Borrowed(self._source))


class _Borrowed(io.RawIOBase):
    def __init__(self, source: IO[bytes]) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._source.read(size)


Archive = zipfile.ZipFile | PlainXml


@contextmanager
def opened(source: IO[bytes], *, file_name: str, max_bytes: int) -> Iterator[Archive]:
    """The zip of `source`, its directory checked, or the XML that is stored as it came.

    Raises EmptyFile, BadArchive, UnsafeArchive.
    """
    size = source.seek(0, 2)
    if size == 0:
        raise EmptyFile(file_name, "the file is empty")
    source.seek(0)
    if source.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"<?xml", b"<BizData")):
        if size > max_bytes:
            limit = f"more than ARCHIVE_MAX_BYTES={max_bytes:,}"
            raise UnsafeArchive(file_name, f"has {size:,} bytes, {limit}")
        yield PlainXml(source, size=size)
        return
    source.seek(0)
    try:
        archive = zipfile.ZipFile(source)
    except DAMAGE as error:
        raise BadArchive(file_name, f"not a zip that can be read ({error})") from error
    with archive:
        _check_directory(archive, file_name=file_name, max_bytes=max_bytes)
        yield archive


def xml_entries(archive: Archive) -> list[zipfile.ZipInfo]:
    """The entries in the order of the zip; `opened` has made sure that all are XML."""
    return [entry for entry in archive.infolist() if not entry.is_dir()]


def check(source: IO[bytes], *, file_name: str, max_bytes: int) -> None:
    """Read all of it: raises BadArchive where bytes are not what the zip says, and what `opened` raises."""
    with opened(source, file_name=file_name, max_bytes=max_bytes) as archive:
        for entry in xml_entries(archive):
            try:
                with archive.open(entry) as xml:
                    while xml.read(_PIECE):
                        pass
            except DAMAGE as error:
                raise BadArchive(file_name, f"the zip is damaged ({error})") from error


def _check_directory(archive: zipfile.ZipFile, *, file_name: str, max_bytes: int) -> None:
    entries = xml_entries(archive)
    for entry in archive.infolist():
        # `orig_filename` is what the zip says; `filename` has been cut and turned around.
        if entry.is_dir() or any(mark in entry.orig_filename for mark in ("/", "\\", ":", "\0")):
            raise UnsafeArchive(file_name, f"the entry {entry.orig_filename!r} has a path")
        if entry.header_offset < 0:
            raise BadArchive(file_name, f"the entry {entry.filename!r} lies outside the zip")
        if entry.flag_bits & 0x1:
            raise BadArchive(file_name, f"the entry {entry.filename!r} is encrypted")
        if not entry.filename.lower().endswith(".xml"):
            raise BadArchive(file_name, f"the entry {entry.filename!r} is not XML")
    if not entries:
        raise EmptyFile(file_name, "there is no file in the zip")
    if (size := sum(entry.file_size for entry in entries)) > max_bytes:
        raise UnsafeArchive(
            file_name, f"unpacks to {size:,} bytes, more than ARCHIVE_MAX_BYTES={max_bytes:,}"
        )
