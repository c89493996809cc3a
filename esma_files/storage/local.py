"""Folders on this machine as a Django storage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible

from marketdata.common.telemetry import measured


@deconstructible
class LocalStorage(FileSystemStorage):
    """The folder MEDIA_ROOT. A file that has a path of its own is moved into it in one step."""

    def __init__(self) -> None:
        # A name has a part of the MD5 in it: a file that exists has the same bytes, or some of them.
        super().__init__(allow_overwrite=True)

    @measured("storage", target="local", name="open")
    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        opened: File[Any] = super()._open(name, mode)  # type: ignore[misc]  # not in the stubs
        return opened

    @measured("storage", target="local", name="save")
    def _save(self, name: str, content: File[Any]) -> str:
        saved: str = super()._save(name, content)  # type: ignore[misc]  # not in the stubs
        return saved

    def names(self, container: str) -> Iterator[str]:
        """Yield the name of every file below a folder of MEDIA_ROOT, as `container/path`."""
        root = Path(self.location)
        for path in sorted((root / container).rglob("*")):
            if path.is_file():
                yield path.relative_to(root).as_posix()
