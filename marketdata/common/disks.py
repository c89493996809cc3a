"""Full disks: which one is full, and what to do."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
# Words of SQLite, and of libraries that keep no number of the error.
_WORDS = ("disk is full", "No space left on device")


def is_full(error: BaseException) -> bool:
    """Return whether an error says that a disk is full."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(words in str(error) for words in _WORDS)


def describe_full(*paths: Path | str) -> str:
    """Return which disk is full, after an error that says so while these paths were written, and what to do.

    It is the one of these, and of the folder for temporary files, with the least free space.
    """
    places = [_find_existing(Path(path)) for path in (*paths, tempfile.gettempdir())]
    place = min(places, key=lambda folder: shutil.disk_usage(folder).free)
    usage = shutil.disk_usage(place)
    return (
        f"the disk of {place} (mounted at {_find_mount(place)}) is too full: {usage.free:,} of its"
        f" {usage.total:,} bytes are free now. Free some space there, or choose a place on another disk."
    )


def _find_existing(path: Path) -> Path:
    """Return the folder of a path, or the nearest one above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _find_mount(folder: Path) -> Path:
    resolved = folder.resolve()
    return next(place for place in (resolved, *resolved.parents) if os.path.ismount(place))
