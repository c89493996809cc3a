"""Moving stored files to another storage, one at a time, verified before anything is let go of."""

import dataclasses
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.utils import timezone

from esma_files import store
from esma_files.errors import WrongBytes
from esma_files.models import EsmaFile
from marketdata.common.errors import MarketDataError, PermanentError


class NoSuchStorage(PermanentError):
    """A storage that is not configured."""


@dataclasses.dataclass(frozen=True)
class Moved:
    """One file that was moved, or whose original was deleted, or the error that prevented it."""

    file: EsmaFile
    error: MarketDataError | None = None


def waiting(to: str) -> list[EsmaFile]:
    """The stored files that are elsewhere. Raises NoSuchStorage."""
    if to not in settings.STORAGES or to not in EsmaFile.Location.values:
        raise NoSuchStorage(
            f"The storage {to!r} is not configured; for blob set AZURE_STORAGE_ACCOUNT."
        )
    found = EsmaFile.objects.stored().exclude(location=to).exclude(state__in=EsmaFile.BEFORE)
    return list(found.in_publication_order())


def originals(to: str) -> list[EsmaFile]:
    """The files of the storage `to` whose originals are still where they came from."""
    return list(EsmaFile.objects.stored().filter(location=to).exclude(original=""))


def move(files: Iterable[EsmaFile], *, to: str) -> Iterator[Moved]:
    """Copy each file, read the copy back, compare size and MD5, and only then point the row to it.

    The original stays until `delete_original`. Killed anywhere, the row points to bytes that are
    whole, and the next call goes on.
    """
    for file in files:
        try:
            _move_one(file, to=to)
            yield Moved(file)
        except MarketDataError as error:
            yield Moved(file, error)


def delete_originals(files: Iterable[EsmaFile]) -> Iterator[Moved]:
    """Delete what moved files have left behind, each after its copy has been read once more."""
    for file in files:
        try:
            with file.open() as copy:
                _verify(file, copy)
            delete_original(file)
            yield Moved(file)
        except MarketDataError as error:
            yield Moved(file, error)


def delete_original(file: EsmaFile) -> None:
    """Delete the bytes that a move has left behind; nothing where there are none."""
    if file.original:
        storages[file.original_location].delete(file.original)
        file.original = ""
        file.save(update_fields=["original"])


def _move_one(file: EsmaFile, *, to: str) -> None:
    before, target = file.stored_name, storages[to]
    ending = before[before.rindex(".") :]
    wanted = file.content.field.generate_filename(file, file.name.removesuffix(".zip") + ending)
    with file.open() as source:
        name = target.save(wanted, source)
    with target.open(name) as copy:
        _verify(file, copy)
    mine = EsmaFile.objects.filter(pk=file.pk, location=file.location, content=before)
    tier = EsmaFile.Tier.HOT if to == EsmaFile.Location.BLOB else ""
    mine.update(content=name, location=to, original=before, tier=tier, stored_at=timezone.now())


def _verify(file: EsmaFile, copy: File[bytes]) -> None:
    md5, size = store.checksum(copy)
    if (md5, size) != (file.stored_md5, file.size):
        expected = f"{file.size:,} bytes with MD5 {file.stored_md5}"
        raise WrongBytes(file.name, expected=expected, actual=f"{size:,} bytes with MD5 {md5}")
