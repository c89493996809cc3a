"""A Python stream as a file that native code can read without the interpreter.

xml2arrow asks a Python stream for 8 KB at a time, and takes the interpreter's lock for each: with
other threads at work it mostly waits for that lock. It reads from a pipe without it.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from typing import Protocol

_CAPACITY = 1 << 20


class Readable(Protocol):
    def read(self, size: int = -1) -> bytes: ...


@contextlib.contextmanager
def piped(stream: Readable) -> Iterator[str]:
    """Yield a path from which all of `stream` can be read once; it must be opened before the context ends.

    Errors of `stream.read` are raised when the context ends; until then the reader sees the end of
    the file. A reader that stops early stops the stream.
    """
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        # The system may refuse a larger pipe to a user with many of them: the usual 64 KB do as well.
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _CAPACITY)
    raised: list[BaseException] = []
    feeder = threading.Thread(
        target=_feed, args=(stream, writing, raised), name="xml-feeder", daemon=True
    )
    feeder.start()
    problem: Exception | None = None
    try:
        yield f"/dev/fd/{reading}"
    except Exception as error:  # noqa: BLE001  # raised again below
        problem = error
    finally:
        os.close(reading)
        feeder.join()
    if raised:  # this is why the reader has met the end of the file
        raise raised[0] from problem
    if problem is not None:
        raise problem


def _feed(stream: Readable, writing: int, raised: list[BaseException]) -> None:
    try:
        with open(writing, "wb", buffering=0) as out:
            while chunk := stream.read():
                view = memoryview(chunk)
                while view:
                    view = view[out.write(view) :]
    except BrokenPipeError:
        pass
    except BaseException as error:  # noqa: BLE001  # raised again by the reading side
        raised.append(error)
