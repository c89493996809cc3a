"""Load a list of suspensions under the single volume cap (Article 5 of MiFIR as amended in 2024).

Since October 2025 the use of the reference price waiver is suspended for an instrument in the whole EU once
7 % of its trading were under the waiver; ESMA publishes the suspensions by ISIN. No such list was at hand
when this was written: the layout is a CSV file with a header row, columns in any order:

    ISIN, SUSPENSION START DATE, SUSPENSION END DATE, PUBLICATION DATE

Dates as 2025-10-09 or 09/10/2025 (day first). The end date may be empty: the suspension is open.
"""

import csv
import dataclasses
import datetime as dt
import io
import re
from collections.abc import Iterator

from django.db import transaction

from instruments.isin import problem_of
from instruments.models import VolumeCapSuspension
from marketdata.common.errors import PermanentError

MAX_BYTES = 20_000_000
_COLUMNS = {
    "ISIN": "isin",
    "SUSPENSION START DATE": "suspended_from",
    "SUSPENSION END DATE": "suspended_to",
    "PUBLICATION DATE": "published_on",
}
_DAY = re.compile(
    r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})|(?P<D>[0-9]{2})/(?P<M>[0-9]{2})/(?P<Y>[0-9]{4})"
)


class BadSuspensionList(PermanentError):
    """A file is not a list of suspensions; the message names file, line and value."""


@dataclasses.dataclass
class Counts:
    """The number of rows by outcome."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0  # the row in the database was published later, and stays


def load(content: bytes, *, name: str) -> Counts:
    """Load a list that is called `name` in errors, all of it or nothing.

    A suspension is identified by ISIN and first day; the row published last counts, in whichever order
    lists are loaded. Raises BadSuspensionList.
    """
    counts = Counts()
    with transaction.atomic():
        for row in _rows(content, name):
            counts.read += 1
            known = VolumeCapSuspension.objects.filter(
                isin=row.isin, suspended_from=row.suspended_from
            ).first()
            outcome = _store(row, known)
            setattr(counts, outcome, getattr(counts, outcome) + 1)
    if not counts.read:
        raise BadSuspensionList(f"{name}: contains no suspension")
    return counts


def _store(row: VolumeCapSuspension, known: VolumeCapSuspension | None) -> str:
    if known is None:
        row.save()
        return "new"
    if row.published_on < known.published_on:
        return "older"
    if (row.suspended_to, row.published_on) == (known.suspended_to, known.published_on):
        return "unchanged"
    known.suspended_to, known.published_on = row.suspended_to, row.published_on
    known.source_name = row.source_name
    known.save(update_fields=["suspended_to", "published_on", "source_name"])
    return "changed"


def _rows(content: bytes, name: str) -> Iterator[VolumeCapSuspension]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSuspensionList(f"{name}: not UTF-8 at byte {error.start:,}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().upper() for column in next(reader, [])]
        if missing := [column for column in _COLUMNS if column not in header]:
            raise BadSuspensionList(f"{name}: lacks the columns {', '.join(missing)}")
        for row in reader:
            if any(row):
                yield _suspension(
                    dict(zip(header, row, strict=False)), f"{name}, line {reader.line_num}", name
                )
    except csv.Error as error:
        raise BadSuspensionList(f"{name}, line {reader.line_num}: {error}") from error


def _suspension(texts: dict[str, str], place: str, name: str) -> VolumeCapSuspension:
    isin = texts.get("ISIN", "").strip().upper()
    if problem := problem_of(isin):
        raise BadSuspensionList(f"{place}: ISIN {isin!r}: {problem}")
    days = {
        field: _day(texts.get(column, ""), f"{place}: {column}")
        for column, field in _COLUMNS.items()
        if field != "isin"
    }
    first, last, published = days["suspended_from"], days["suspended_to"], days["published_on"]
    if first is None or published is None:
        raise BadSuspensionList(f"{place}: start and publication date are required")
    if last is not None and last < first:
        raise BadSuspensionList(f"{place}: ends on {last}, before it begins on {first}")
    return VolumeCapSuspension(
        isin=isin,
        suspended_from=first,
        suspended_to=last,
        published_on=published,
        source_name=name[-200:],
    )


def _day(text: str, place: str) -> dt.date | None:
    """Return a date; None for an empty text. Raises BadSuspensionList."""
    if not text.strip():
        return None
    match = _DAY.fullmatch(text.strip())
    try:
        if match:
            parts = match.groupdict()
            return dt.date(
                int(parts["y"] or parts["Y"]),
                int(parts["m"] or parts["M"]),
                int(parts["d"] or parts["D"]),
            )
    except ValueError:
        pass
    raise BadSuspensionList(f"{place}: {text!r} is not a date")
