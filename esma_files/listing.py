"""Comparing what a register lists with what is known of it."""

import dataclasses
from collections.abc import Iterable

from django.db import transaction

from esma_files.models import EsmaFile
from esma_files.registers import PublishedFile


@dataclasses.dataclass
class Compared:
    """How many files were new, published anew under a known name (`changed`), and known."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


def note(published: Iterable[PublishedFile]) -> Compared:
    """Make rows for the files that are not known yet; LISTED, to be downloaded.

    A file is the same where the MD5 is. Without an MD5 in the register, an entry of the same number
    is taken for the same; `manage.py download --again` finds out.
    """
    compared = Compared()
    for file in published:
        with transaction.atomic():
            _note(file, compared)
    return compared


def _note(file: PublishedFile, compared: Compared) -> None:
    same_name = list(EsmaFile.objects.filter(dataset=file.dataset, name=f"{file.name.stem}.zip"))
    known = _known(file, same_name)
    if known is not None:
        compared.unchanged += 1
        found = {"url": file.url, "register_id": file.register_id, "md5": known.md5 or file.md5}
        if any(getattr(known, name) != value for name, value in found.items()):
            EsmaFile.objects.filter(pk=known.pk).update(**found)
        return
    row = EsmaFile.of(file.name, dataset=file.dataset)
    row.url, row.md5, row.register_id = file.url, file.md5, file.register_id
    row.state = EsmaFile.State.LISTED
    row.number()
    row.save()
    if same_name:
        compared.changed += 1
    else:
        compared.new += 1


def _known(file: PublishedFile, same_name: list[EsmaFile]) -> EsmaFile | None:
    for row in same_name:
        if file.md5 and row.md5 == file.md5:
            return row
    for row in same_name:
        # One of the two has no MD5: the register's number, or that there is none, must do.
        unsure = not (file.md5 and row.md5)
        if unsure and row.register_id in ("", file.register_id):
            return row
    return None
