"""Moving stored files to another storage, one at a time. The original stays until its copy is verified."""

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


def files_to_move(to: str) -> list[EsmaFile]:
    """Return the stored files that are in another storage. Raises NoSuchStorage."""
    if to not in settings.STORAGES or to not in EsmaFile.Location.values:
        raise NoSuchStorage(
            f"The storage {to!r} is not configured; for blob set AZURE_STORAGE_ACCOUNT."
        )
    elsewhere = EsmaFile.objects.stored().exclude(location=to).exclude(state__in=EsmaFile.BEFORE)
    return list(elsewhere.in_publication_order())


def files_with_originals(to: str) -> list[EsmaFile]:
    """Return the files of the storage `to` whose originals still exist."""
    return list(EsmaFile.objects.stored().filter(location=to).exclude(original=""))


def move(files: Iterable[EsmaFile], *, to: str) -> Iterator[Moved]:
    """Copy each file, read the copy back, compare size and MD5, and only then let the row refer to it.

    The original stays until `delete_originals`. Killed at any point, the row refers to complete bytes,
    and the next call continues.
    """
    for file in files:
        try:
            _move(file, to=to)
            yield Moved(file)
        except MarketDataError as error:
            yield Moved(file, error)


def delete_originals(files: Iterable[EsmaFile]) -> Iterator[Moved]:
    """Delete the originals of moved files, each after its copy has been read once more."""
    for file in files:
        try:
            with file.open() as copy:
                _verify(file, copy)
            delete_original(file)
            yield Moved(file)
        except MarketDataError as error:
            yield Moved(file, error)


def delete_original(file: EsmaFile) -> None:
    """Delete the bytes that a move has left behind, if there are any."""
    if file.original:
        storages[file.original_location].delete(file.original)
        file.original = ""
        file.save(update_fields=["original"])


def _move(file: EsmaFile, *, to: str) -> None:
    before, target = file.stored_name, storages[to]
    ending = before[before.rindex(".") :]
    new_name = file.content.field.generate_filename(file, file.name.removesuffix(".zip") + ending)
    with file.open() as original:
        name = target.save(new_name, original)
    with target.open(name) as copy:
        _verify(file, copy)
    unchanged = EsmaFile.objects.filter(pk=file.pk, location=file.location, content=before)
    tier = EsmaFile.Tier.HOT if to == EsmaFile.Location.BLOB else ""
    unchanged.update(
        content=name, location=to, original=before, tier=tier, stored_at=timezone.now()
    )


def _verify(file: EsmaFile, copy: File[bytes]) -> None:
    md5, size = store.checksum(copy)
    if (md5, size) != (file.stored_md5, file.size):
        expected = f"{file.size:,} bytes with MD5 {file.stored_md5}"
        raise WrongBytes(file.name, expected=expected, actual=f"{size:,} bytes with MD5 {md5}")
