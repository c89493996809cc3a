"""Files and folders for the user of the service alone, whatever the umask of the shell is."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_OTHERS = 0o077
# Commands that write for others: the web server's static files, and the source code.
_WRITE_FOR_OTHERS = {
    "collectstatic",
    "compilemessages",
    "makemessages",
    "makemigrations",
    "startapp",
}


def is_service() -> bool:
    """Return True if this process works with data, and not with source code or static files."""
    return not _WRITE_FOR_OTHERS.intersection(sys.argv[1:2])


def restrict_new_files() -> None:
    """Create files with mode 0600 and folders with 0700 from now on."""
    if is_service():
        os.umask(_OTHERS)


def restrict_existing(*, folder: Path, database: object) -> None:
    """Take the rights of others from the default folder, and from a SQLite database with its journals."""
    if not is_service():
        return
    files: Iterable[Path] = ()
    if database:
        path = Path(str(database))
        files = [path, *(path.with_name(f"{path.name}-{end}") for end in ("wal", "shm", "journal"))]
    for path in (folder, *files):
        try:
            status = path.stat()
        except OSError:
            continue
        if status.st_mode & _OTHERS and status.st_uid == os.geteuid():
            path.chmod(status.st_mode & 0o777 & ~_OTHERS)


def readable_by_others(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that other users of the machine can read or write."""
    return [path for path in paths if path.exists() and path.stat().st_mode & _OTHERS]
