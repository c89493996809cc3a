"""Unpacking of large entries of zips in a process of its own.

Unpacking takes as long as a third of the checks of the bytes, which follow it. In a thread it would wait for
the interpreter's lock more than it gains.
"""

import contextlib
import fcntl
import io
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from esma_files.archive import Archive
from esma_files.errors import UnpackingEnded

_SCRIPT = Path(__file__).with_name("unpack_entry.py")
# Smaller entries are unpacked before a process has started.
_FROM_BYTES = 1 << 25
_PIPE = 1 << 20


@contextmanager
def opened_entry(
    archive: Archive, entry: zipfile.ZipInfo, *, from_bytes: int = _FROM_BYTES
) -> Iterator[IO[bytes]]:
    """Yield a stream of the bytes of an entry. One with `from_bytes` is unpacked by another process.

    Opening and reading raise the errors `archive.DAMAGE`, and UnpackingEnded where that process was killed.
    """
    file = _file_of(archive)
    if file is None or entry.file_size < from_bytes:
        with archive.open(entry) as stream:
            yield stream
        return
    place = archive.infolist().index(entry)
    command = [sys.executable, "-I", "-S", str(_SCRIPT), str(file), str(place)]
    with subprocess.Popen(  # noqa: S603  # our own script
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[file],
    ) as process:
        try:
            yield cast(IO[bytes], _Unpacked(process))
        finally:
            process.kill()


def _file_of(archive: Archive) -> int | None:
    """Return the descriptor of the file on disk that an archive is read from; None if there is none."""
    source: Any = archive.fp if isinstance(archive, zipfile.ZipFile) else None
    try:
        descriptor: int = source.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    is_file = Path("/dev/fd").is_dir() and stat.S_ISREG(os.fstat(descriptor).st_mode)
    return descriptor if is_file else None


class _Unpacked(io.RawIOBase):
    """The output of a process as a stream, and its end as an error."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__()
        self._process = process
        stream: Any = process.stdout
        self._stream = stream
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            # The system may refuse a larger pipe to a user with many of them: the usual 64 KB do as well.
            with contextlib.suppress(PermissionError):
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        if not data and size:
            self._check_end()
        return data

    def _check_end(self) -> None:
        status = self._process.wait()
        errors: Any = self._process.stderr
        if status < 0:
            raise UnpackingEnded(f"the process that unpacks the zip was ended by signal {-status}")
        if status:
            raise zipfile.BadZipFile(errors.read().decode(errors="replace").strip())
