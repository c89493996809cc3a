"""Folders on this machine as a storage of Django's."""

from collections.abc import Iterator
from pathlib import Path

from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible


@deconstructible
class LocalStorage(FileSystemStorage):
    """MEDIA_ROOT. A file that comes with a path of its own is moved there, at once or not at all."""

    def __init__(self) -> None:
        # A name says what bytes the file holds: what lies there under it is the same, or half of it.
        super().__init__(allow_overwrite=True)

    def names(self, container: str) -> Iterator[str]:
        """Every file below a folder of MEDIA_ROOT, as `container/path`."""
        root = Path(self.location)
        for path in sorted((root / container).rglob("*")):
            if path.is_file():
                yield path.relative_to(root).as_posix()
