"""Putting files into a storage: those that lie on this machine, and those that were fetched.

Bytes go to a file of their own in DOWNLOAD_DIR first, where their MD5 is taken, and from there to the
storage as a whole. A row says that a file is stored only when it is.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction
from django.utils import timezone

from esma_files.datasets import esma_dataset_of
from esma_files.errors import BadFileName
from esma_files.models import EsmaFile
from esma_files.names import FileName
from marketdata.common.errors import PermanentError

_CHUNK = 1 << 20
ENDINGS = (".zip", ".xml")
# The fields that say where the bytes are.
_WHERE = ("content", "location", "tier", "size", "stored_md5", "stored_at")


class NothingToLoad(PermanentError):
    """A path that was named holds no file of ESMA's."""


class Unreadable(PermanentError):
    """The system does not let us read a file."""


class _Movable(File[bytes]):
    """A file on disk that a storage may move instead of copying it."""

    def temporary_file_path(self) -> str:
        """Where FileSystemStorage takes it from; Blob Storage reads it."""
        return str(self.name)


def files_in(path: Path) -> Iterator[Path]:
    """The zip or XML named, or those in the folder named. Raises NothingToLoad, BadFileName.

    In a folder only files with ESMA's names are taken; a file that is named outright must have one.
    """
    if path.is_dir():
        found = [
            p for p in sorted(path.rglob("*")) if p.suffix in ENDINGS and _is_esma_name(p.name)
        ]
        if not found:
            raise NothingToLoad(f"{path}: no zip with a name of ESMA's in this folder")
        yield from found
    elif path.is_file():
        FileName.parse(path.name)
        yield path
    else:
        raise NothingToLoad(f"{path}: no such file or folder")


def store_file(path: Path, *, dataset: str = "") -> EsmaFile:
    """Store the file at `path` unless the same bytes are here under its name; returns its row.

    `dataset` is what it is of, one of ESMA's by default. Nothing of the content is looked at
    yet. Raises BadFileName, Unreadable, and what the storage raises that may pass.
    """
    name = FileName.parse(path.name)
    dataset = dataset or esma_dataset_of(name.kind)
    try:
        with path.open("rb") as found:
            md5, size = checksum(found)
        known = EsmaFile.objects.filter(dataset=dataset, name=f"{name.stem}.zip", md5=md5).first()
        if known is None:
            known = EsmaFile.of(name, dataset=dataset)
            known.md5 = md5
        if not (known.has_content and known.content.storage.exists(known.stored_name)):
            _copy_in(known, path, size=size)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    return known


def _copy_in(file: EsmaFile, path: Path, *, size: int) -> None:
    copy = Path(settings.DOWNLOAD_DIR) / f"{path.name}.{file.md5}.copy"
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(path, copy)
        put(file, copy, md5=file.md5, size=size, ending=path.suffix or ".zip")
    finally:
        copy.unlink(missing_ok=True)
    if file._state.adding or file.state in (EsmaFile.State.LISTED, EsmaFile.State.DELETED):
        arrived(file)
    else:
        file.save(update_fields=_WHERE)


def put(file: EsmaFile, path: Path, *, md5: str, size: int, ending: str = ".zip") -> None:
    """Move the bytes at `path` to the storage for new files, and note in `file` (not saved) where."""
    file.location = settings.FILES_LOCATION
    file.tier = EsmaFile.Tier.HOT if file.location == EsmaFile.Location.BLOB else ""
    file.stored_md5, file.size, file.stored_at = md5, size, timezone.now()
    with path.open("rb") as source:
        name = file.name.removesuffix(".zip") + ending
        file.content.save(name, _Movable(source, name=str(path)), save=False)


def arrived(file: EsmaFile) -> EsmaFile:
    """Save a file whose bytes have been put: DOWNLOADED, or LOADED if it has been loaded before.

    Where the same bytes are known under the same name, the row of these is kept, and returned.
    """
    state = EsmaFile.State
    same = EsmaFile.objects.filter(dataset=file.dataset, name=file.name, md5=file.md5)
    if (known := same.exclude(pk=file.pk).first()) is not None:  # it was listed without an MD5
        return _merge(file, known)
    try:
        with transaction.atomic():
            if file._state.adding:
                file.number()
                file.save()
            else:
                file.save(update_fields=[*_WHERE, "md5"])
            file.enter(state.LOADED if file.loaded_at else state.DOWNLOADED)
    except IntegrityError:  # another process has just taken in the same bytes
        return _merge(file, same.exclude(pk=file.pk).get())
    return file


def _merge(file: EsmaFile, same: EsmaFile) -> EsmaFile:
    """Keep one row of two that turned out to be the same file."""
    with transaction.atomic():
        if not file._state.adding:
            same.url, same.register_id = file.url, file.register_id
            same.save(update_fields=["url", "register_id"])
            file.runs.update(file=same)
            EsmaFile.objects.filter(pk=file.pk).delete()
        if not same.has_content:
            for name in _WHERE:
                setattr(same, name, getattr(file, name))
            same.save(update_fields=_WHERE)
            same.enter(EsmaFile.State.LOADED if same.loaded_at else EsmaFile.State.DOWNLOADED)
    return same


def compress(file: EsmaFile) -> int:
    """Put an XML that is stored as it came into a zip; returns the bytes that this saves."""
    xml_name, before = file.stored_name, file.size
    storage = file.content.storage
    packed = Path(settings.DOWNLOAD_DIR) / f"{file.pk}.{file.md5}.packed"
    packed.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            file.open() as xml,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
            archive.open(f"{Path(file.name).stem}.xml", "w", force_zip64=True) as entry,
        ):
            while chunk := xml.read(_CHUNK):
                entry.write(chunk)
        with packed.open("rb") as source:
            md5, size = checksum(source)
        put(file, packed, md5=md5, size=size)
        file.save(update_fields=_WHERE)
    finally:
        packed.unlink(missing_ok=True)
    storage.delete(xml_name)
    return before - file.size


def checksum(source: IO[bytes]) -> tuple[str, int]:
    """MD5 and number of bytes of what can be read: MD5 is what ESMA's register gives."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _is_esma_name(name: str) -> bool:
    try:
        FileName.parse(name)
    except BadFileName:
        return False
    return True
