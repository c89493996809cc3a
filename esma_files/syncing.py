"""Comparison of the entries of a register with the files that are known."""

import dataclasses
import datetime as dt
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from esma_files import registers
from esma_files.kinds import Content, kinds_of
from esma_files.models import EsmaFile, RegisterHistory
from esma_files.registers import PublishedFile


@dataclasses.dataclass
class Comparison:
    """Numbers of files that are new, published again under a known name (`changed`), and known."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


def record_entries(published: Iterable[PublishedFile]) -> Comparison:
    """Make rows for the files that are not known yet; LISTED, to be downloaded.

    A file is the same where the MD5 is. Without an MD5 in the register, an entry with the same number
    counts as the same file; `manage.py download --again` compares the bytes.
    """
    comparison = Comparison()
    for file in published:
        with transaction.atomic():
            _record(file, comparison)
    return comparison


def record_history(dataset: str, *, today: dt.date) -> None:
    """Ask the register for its oldest deltas, of the kinds that are downloaded, and note the answer."""
    for kind in kinds_of(dataset):
        if kind.content is not Content.DELTA or kind.code not in settings.DOWNLOAD_KINDS:
            continue
        oldest = registers.oldest_delta(kind, dataset, until=today)
        if oldest is not None:
            history, _ = RegisterHistory.objects.get_or_create(
                dataset=dataset,
                kind=kind.code,
                defaults={"oldest_on": oldest, "checked_on": today, "first_oldest_on": oldest},
            )
            history.oldest_on, history.checked_on = oldest, today
            history.save(update_fields=["oldest_on", "checked_on"])


def _record(file: PublishedFile, comparison: Comparison) -> None:
    same_name = list(EsmaFile.objects.filter(dataset=file.dataset, name=f"{file.name.stem}.zip"))
    known = _matching_row(file, same_name)
    if known is not None:
        comparison.unchanged += 1
        values = {"url": file.url, "register_id": file.register_id, "md5": known.md5 or file.md5}
        if any(getattr(known, name) != value for name, value in values.items()):
            EsmaFile.objects.filter(pk=known.pk).update(**values)
        return
    row = EsmaFile.from_name(file.name, dataset=file.dataset)
    row.url, row.md5, row.register_id = file.url, file.md5, file.register_id
    row.state = EsmaFile.State.LISTED
    row.set_order()
    row.save()
    if same_name:
        comparison.changed += 1
    else:
        comparison.new += 1


def _matching_row(file: PublishedFile, same_name: list[EsmaFile]) -> EsmaFile | None:
    for row in same_name:
        if file.md5 and row.md5 == file.md5:
            return row
    for row in same_name:
        # One of the two has no MD5: compare the register's number, where the row has one.
        is_uncertain = not (file.md5 and row.md5)
        if is_uncertain and row.register_id in ("", file.register_id):
            return row
    return None
