"""Taking zips that lie on this machine into the store: known by name and MD5, kept as a file field."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.core.files import File
from django.db import IntegrityError, transaction

from esma_files.errors import BadFileName
from esma_files.models import EsmaFile
from esma_files.names import FileName
from marketdata.common.errors import PermanentError

_CHUNK = 1 << 20


class NothingToLoad(PermanentError):
    """A path that was named holds no zip."""


class Unreadable(PermanentError):
    """The system does not let us read a file."""


def zips(path: Path) -> Iterator[Path]:
    """The zip named, or those in the folder named. Raises NothingToLoad, BadFileName.

    In a folder only files with ESMA's names are taken; a file that is named outright must have one.
    """
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*.zip")) if _is_esma_name(p.name)]
        if not found:
            raise NothingToLoad(f"{path}: no zip with a name of ESMA's in this folder")
        yield from found
    elif path.is_file():
        FileName.parse(path.name)
        yield path
    else:
        raise NothingToLoad(f"{path}: no such file or folder")


def take_in(path: Path) -> EsmaFile:
    """Store the zip at `path` unless the same bytes are here under its name; returns its row.

    Nothing of the content is looked at yet. Raises BadFileName, Unreadable.
    """
    name = FileName.parse(path.name)
    try:
        md5 = _md5(path)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    known = EsmaFile.objects.filter(name=f"{name.stem}.zip", md5=md5).first()
    if known is not None:
        if not known.content.storage.exists(known.stored_name):
            _keep(known, path)
            known.save(update_fields=["content"])
        return known
    file = EsmaFile(
        name=f"{name.stem}.zip",
        kind=name.kind,
        letter=name.letter,
        published_on=name.published_on,
        part=name.part,
        parts=name.parts,
        md5=md5,
        size=path.stat().st_size,
    )
    _keep(file, path)
    try:
        with transaction.atomic():
            file.revision = EsmaFile.objects.filter(name=file.name).count()
            file.sequence = name.sequence(file.revision)
            file.save()
    except IntegrityError:  # another process has just taken in the same bytes
        file.content.delete(save=False)
        return EsmaFile.objects.get(name=file.name, md5=md5)
    return file


def _keep(file: EsmaFile, path: Path) -> None:
    with path.open("rb") as source:
        file.content.save(file.name, File(source), save=False)


def _md5(path: Path) -> str:
    """MD5, because it is what ESMA's register gives to compare with."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _is_esma_name(name: str) -> bool:
    try:
        FileName.parse(name)
    except BadFileName:
        return False
    return True
