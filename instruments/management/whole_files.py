"""Files of commands that appear when they are complete."""

from collections.abc import Iterable
from pathlib import Path

from django.core.management.base import CommandError

from instruments.listings.workbook import TooManyRows
from marketdata.common import named_files


def write_whole_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write an export to a file, which appears under its name when all is written. Raises CommandError."""
    try:
        with named_files.writing(path) as file:
            file.writelines(chunks)
    except TooManyRows as error:
        raise CommandError(f"{path}: {error} Choose another format.") from error
    except named_files.FileUnusable as error:
        raise CommandError(str(error)) from error
