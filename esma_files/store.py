"""Storing files: files from a path on this machine, and files that were fetched.

Bytes are written to a file of their own in DOWNLOAD_DIR first, where their MD5 is computed, and moved from
there to the storage as a whole. A row refers to stored bytes only once they are there.
"""

import contextlib
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

from esma_files.errors import BadFileName, LoadedOtherwise, StorageRefused
from esma_files.models import EsmaFile
from esma_files.names import FileName
from marketdata.common import disks, named_files
from marketdata.common.errors import PermanentError

_CHUNK = 1 << 20
ENDINGS = (".zip", ".xml")
# The fields that describe the stored bytes.
_STORED_FIELDS = ("content", "location", "tier", "size", "stored_md5", "stored_at")


class NothingToLoad(PermanentError):
    """A path holds no file with the name of a published one."""


class Unreadable(PermanentError):
    """The operating system refuses to read a file."""


class _Movable(File[bytes]):
    """A file on disk that a storage may move instead of copying it."""

    def temporary_file_path(self) -> str:
        """Return the path that FileSystemStorage moves; Blob Storage reads it."""
        return str(self.name)


def files_in(path: Path) -> Iterator[Path]:
    """Yield the zip or XML at a path, or those in the folder there. Raises NothingToLoad, BadFileName.

    In a folder files with other names are left out; a file that is named outright must have the name of
    a published one.
    """
    if path.is_dir():
        files = [
            file for file in sorted(path.rglob("*")) if file.suffix in ENDINGS and _has_name(file)
        ]
        if not files:
            raise NothingToLoad(
                f"{path}: this folder holds no zip or XML with a published file's name"
            )
        yield from files
    elif path.is_file():
        FileName.parse(path.name)
        yield path
    else:
        raise NothingToLoad(f"{path}: no such file or folder")


def store_file(path: Path, *, dataset: str = "", excerpt: bool = False) -> EsmaFile:
    """Store the file at `path` unless the same bytes are stored under its name; return its row.

    Without a `dataset`, the file belongs to the one of ESMA's that has its kind. An `excerpt` is known to
    hold only a part of what was published. Its content is not read yet. Raises BadFileName, Unreadable,
    LoadedOtherwise, and temporary errors of the storage.
    """
    name = FileName.parse(path.name)
    dataset = dataset or name.kind.default_dataset
    if dataset not in name.kind.datasets:
        raise BadFileName(path.name, f"{dataset} has no files of the kind {name.kind}")
    try:
        with path.open("rb") as source:
            md5, size = checksum(source)
        same = EsmaFile.objects.filter(dataset=dataset, name=f"{name.stem}.zip", md5=md5)
        file = same.first()
        if file is None:
            file = EsmaFile.from_name(name, dataset=dataset)
            file.md5 = md5
        _mark_excerpt(file, is_excerpt=excerpt)
        if not (file.has_content and file.content.storage.exists(file.stored_name)):
            _copy(file, path, size=size)
    except OSError as error:
        raise Unreadable(f"{path}: {named_files.describe(path, error)}") from error
    return file


def _mark_excerpt(file: EsmaFile, *, is_excerpt: bool) -> None:
    """Note whether a file is an excerpt. Raises LoadedOtherwise if it was loaded as the other."""
    if file.is_excerpt == is_excerpt:
        return
    if file.loaded_at is not None:
        raise LoadedOtherwise(file.name, is_excerpt=file.is_excerpt)
    file.is_excerpt = is_excerpt
    if not file._state.adding:
        file.save(update_fields=["is_excerpt"])


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn errors of writing to the folders for files into StorageRefused."""
    try:
        yield
    except OSError as error:
        problem = str(error)
        if disks.is_full(error):
            problem = disks.describe_full(settings.DOWNLOAD_DIR, settings.MEDIA_ROOT)
        raise StorageRefused(f"{name}: cannot be stored: {problem}") from error


def _copy(file: EsmaFile, path: Path, *, size: int) -> None:
    copy = Path(settings.DOWNLOAD_DIR) / f"{path.name}.{file.md5}.copy"
    with writing(file.name):
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, copy)
            put(file, copy, md5=file.md5, size=size, ending=path.suffix or ".zip")
        finally:
            copy.unlink(missing_ok=True)
    if file._state.adding or file.state in (EsmaFile.State.LISTED, EsmaFile.State.DELETED):
        save_stored(file)
    else:
        file.save(update_fields=_STORED_FIELDS)


def put(file: EsmaFile, path: Path, *, md5: str, size: int, ending: str = ".zip") -> None:
    """Move the bytes at `path` to the storage for new files, and set the fields of `file`, which is not
    saved.
    """
    file.location = settings.FILES_LOCATION
    file.tier = EsmaFile.Tier.HOT if file.location == EsmaFile.Location.BLOB else ""
    file.stored_md5, file.size, file.stored_at = md5, size, timezone.now()
    with path.open("rb") as source:
        name = file.name.removesuffix(".zip") + ending
        file.content.save(name, _Movable(source, name=str(path)), save=False)


def save_stored(file: EsmaFile) -> EsmaFile:
    """Save a file whose bytes have been stored: DOWNLOADED, or LOADED if it has been loaded before.

    Where the same bytes are known under the same name, the row of these is kept, and returned.
    """
    state = EsmaFile.State
    same = EsmaFile.objects.filter(dataset=file.dataset, name=file.name, md5=file.md5)
    if (known := same.exclude(pk=file.pk).first()) is not None:  # it was listed without an MD5
        return _merge(file, known)
    try:
        with transaction.atomic():
            if file._state.adding:
                file.set_order()
                file.save()
            else:
                file.save(update_fields=[*_STORED_FIELDS, "md5"])
            file.enter(state.LOADED if file.loaded_at else state.DOWNLOADED)
    except IntegrityError:  # another process has just stored the same bytes
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
            for name in _STORED_FIELDS:
                setattr(same, name, getattr(file, name))
            same.save(update_fields=_STORED_FIELDS)
            same.enter(EsmaFile.State.LOADED if same.loaded_at else EsmaFile.State.DOWNLOADED)
    return same


def compress(file: EsmaFile) -> int:
    """Replace an XML that is stored uncompressed by a zip; return the number of bytes saved."""
    xml_name, size_before = file.stored_name, file.size
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
        file.save(update_fields=_STORED_FIELDS)
    finally:
        packed.unlink(missing_ok=True)
    storage.delete(xml_name)
    return size_before - file.size


def checksum(source: IO[bytes]) -> tuple[str, int]:
    """Return the MD5, which ESMA's register gives too, and the number of bytes."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _has_name(path: Path) -> bool:
    try:
        FileName.parse(path.name)
    except BadFileName:
        return False
    return True
