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
    place, _ = find_fullest(*paths, tempfile.gettempdir())
    return f"the disk of {describe_space(place)}. Free some space there, or choose a place on another disk."


def find_fullest(*paths: Path | str) -> tuple[Path, int]:
    """Return the folder of these paths whose disk has the least free space, and its free bytes."""
    usages = {place: shutil.disk_usage(place) for place in map(_find_existing, map(Path, paths))}
    # What is no disk, as /proc, has no size.
    place = min(usages, key=lambda folder: (not usages[folder].total, usages[folder].free))
    return place, usages[place].free


def describe_space(place: Path) -> str:
    usage = shutil.disk_usage(place)
    return (
        f"{place} (mounted at {_find_mount(place)}) is too full: {usage.free:,} of its {usage.total:,} bytes"
        " are free now"
    )


def _find_existing(path: Path) -> Path:
    """Return the folder of a path, or the nearest one above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _find_mount(folder: Path) -> Path:
    resolved = folder.resolve()
    return next(place for place in (resolved, *resolved.parents) if os.path.ismount(place))
