"""Files that a user names in a command: errors say which file, what is wrong with it, and what to do."""

import contextlib
import errno
import getpass
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from marketdata.common import disks
from marketdata.common.errors import PermanentError

# The name of standard input, for commands that read text.
STANDARD_INPUT = "-"
NOT_UTF_8 = "it is not text in UTF-8. Save it as UTF-8 (spreadsheet programs: CSV UTF-8)."

_PROBLEMS: dict[type[OSError], str] = {
    IsADirectoryError: "this is a folder. Give the name of a file.",
    NotADirectoryError: "a part of this path is a file, not a folder. Check the path.",
    FileExistsError: "there is a file of this name already. Move it away, or choose another folder.",
}
_PARTICIPLES = {"read": "read", "write": "written"}


class FileUnusable(PermanentError):
    """A file that a user has named cannot be read or written."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


@contextlib.contextmanager
def open_text(path: Path | str, *, newline: str | None = None) -> Iterator[TextIO]:
    """Open a file of text in UTF-8, or standard input for `-`. Raises FileUnusable, also while it is read."""
    name = "standard input" if str(path) == STANDARD_INPUT else path
    with contextlib.ExitStack() as stack:
        if name == path:
            opened = stack.enter_context(open_bytes(Path(path)))
        elif sys.stdin is None:
            raise FileUnusable(name, "it is closed. Name a file, or pipe one into the command.")
        else:
            opened = sys.stdin.buffer  # the text of which depends on the locale
        file = io.TextIOWrapper(opened, encoding="utf-8-sig", newline=newline)
        stack.callback(file.detach)  # standard input stays open
        try:
            yield file
        except UnicodeDecodeError as error:
            raise FileUnusable(name, NOT_UTF_8) from error


def read_text(path: Path | str) -> str:
    """Return the text of a file, or of standard input for `-`. Raises FileUnusable."""
    with open_text(path) as file:
        return file.read()


def open_bytes(path: Path) -> BinaryIO:
    """Open a file to read its bytes. Raises FileUnusable."""
    try:
        return path.open("rb")
    except OSError as error:
        raise FileUnusable(path, describe(path, error)) from error


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a file of at most this size. Raises FileUnusable."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise FileUnusable(path, describe(path, error)) from error
    if len(content) > max_bytes:
        raise FileUnusable(path, f"it is larger than {max_bytes:,} bytes.")
    return content


@contextlib.contextmanager
def writing(path: Path, *, may_replace: bool = True) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when all is written; a device or a pipe is written at once.

    Raises FileUnusable, also if there is a file of this name that must not be replaced.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        if path.exists() and not may_replace:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        target = path.resolve()  # a link stays one
        part = target.with_name(f"{target.name}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FileUnusable(path, describe(path, error, verb="write")) from error


def describe(path: Path | str, error: OSError, *, verb: str = "read") -> str:
    """Return what is wrong with a file and what to do, from an error that was met with it."""
    if isinstance(error, FileNotFoundError):
        folder = Path(path).absolute().parent
        if folder.is_dir():
            return f"there is no such file in {folder}. Check its name."
        return f"there is no folder {folder}. Create it, or check the path."
    if isinstance(error, PermissionError):
        return f"the user {_get_user()} may not {verb} it. Change its permissions, or copy it."
    if disks.is_full(error):
        return disks.describe_full(path)
    known = next((text for kind, text in _PROBLEMS.items() if isinstance(error, kind)), None)
    return known or f"it cannot be {_PARTICIPLES[verb]}: {error.strerror or error}."


def _get_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "of this process"
