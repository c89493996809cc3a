"""A list of venues into the table: rows added, rows brought up to date, none deleted."""

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.db import transaction
from stdnum import lei

from instruments.models import Venue
from instruments.venues.errors import BadVenueList
from instruments.venues.layout import Row, rows

BUNDLED = Path(__file__).parent / "ISO10383_MIC.csv"
MAX_BYTES = 20_000_000
_KINDS = {"O": "OPRT", "S": "SGMT"}
_DATES = ("created_on", "updated_on", "validated_on", "expires_on")
_MONTH = r"(?:BEFORE )?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]* [0-9]{4}"
_DAY = r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T00:00:00)?"
_PATTERNS = {
    "mic": "[A-Z0-9]{4}",
    "operating_mic": "[A-Z0-9]{4}",
    "kind": "OPRT|SGMT",
    "name": ".+",
    "category": "(?:[A-Z]{4})?",
    "country": "[A-Z]{2}",
    "status": "ACTIVE|UPDATED|EXPIRED|MODIFIED|DELETED|ADDED",
}
_COLUMNS = tuple(field.attname for field in Venue._meta.fields if not field.primary_key)


@dataclasses.dataclass
class Counts:
    """What became of the rows of a list; `problems` are of those left out, with place and field."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0  # last updated before what is known: that stays
    problems: list[str] = dataclasses.field(default_factory=list)


class _BadRow(Exception):
    pass


def read_list(path: Path) -> bytes:
    """The bytes of a list on this machine. Raises BadVenueList."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadVenueList(f"{path}: larger than {MAX_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BadVenueList(f"{path}: {error.strerror}") from error


def load(content: bytes, *, name: str) -> Counts:
    """Load a list, all of it or nothing. Raises BadVenueList."""
    counts = Counts()
    venues = _venues(rows(content, name=name), counts)
    if not venues:
        said = f" ({counts.problems[0]})" if counts.problems else ""
        raise BadVenueList(f"{name}: not one venue in it{said}")
    with transaction.atomic():
        known = Venue.objects.in_bulk()
        new = [venue for mic, venue in venues.items() if mic not in known]
        changed = []
        for mic, venue in venues.items():
            if mic in known:
                outcome = _compare(known[mic], venue)
                setattr(counts, outcome, getattr(counts, outcome) + 1)
                changed += [venue] if outcome == "changed" else []
        Venue.objects.bulk_create(new, batch_size=100)
        Venue.objects.bulk_update(changed, _COLUMNS, batch_size=50)
    counts.new = len(new)
    return counts


def _compare(known: Venue, said: Venue) -> str:
    if all(getattr(known, column) == getattr(said, column) for column in _COLUMNS):
        return "unchanged"
    # A list does not say of which day it is; its rows do, and old ones no more than the month.
    newest, this = known.updated_on or dt.date.min, said.updated_on or dt.date.min
    return "older" if this < newest else "changed"


def _venues(read: Iterable[Row], counts: Counts) -> dict[str, Venue]:
    venues: dict[str, Venue] = {}
    for row in read:
        counts.read += 1
        try:
            if row.problem:
                raise _BadRow(row.problem)
            venue = _venue(row.texts)
            if venue.mic in venues:
                raise _BadRow(f"mic: {venue.mic} stands there a second time")
            venues[venue.mic] = venue
        except _BadRow as problem:
            counts.problems.append(f"{row.place}: {problem}")
    return venues


def _venue(texts: Mapping[str, str]) -> Venue:
    values: dict[str, Any] = dict(texts)
    values["kind"] = _KINDS.get(texts["kind"], texts["kind"])
    months = []
    for field in _DATES:
        values[field], month = _date(field, texts.get(field, ""))
        months += [f"{field.removesuffix('_on')}: {month}"] if month else []
    values["months"] = "; ".join(months)
    for field, pattern in _PATTERNS.items():
        text = values.get(field, "")
        if not re.fullmatch(pattern, str(text)):
            raise _BadRow(f"{field}: {text!r} does not match {pattern}")
    if texts.get("lei") and not lei.is_valid(texts["lei"]):
        raise _BadRow(f"lei: {texts['lei']!r} is not a LEI")
    venue = Venue(**values)
    for column in Venue._meta.fields:
        longest = getattr(column, "max_length", None)
        if longest and len(str(getattr(venue, column.attname) or "")) > longest:
            raise _BadRow(f"{column.attname}: longer than {longest} characters")
    return venue


def _date(field: str, text: str) -> tuple[dt.date | None, str]:
    """A day, or the words for a month. Raises _BadRow."""
    if not text:
        return None, ""
    if re.fullmatch(_MONTH, text.upper()):
        return None, text
    try:
        if day := re.fullmatch(_DAY, text):
            year, month, of_month = map(int, day.groups())
            return dt.date(year, month, of_month), ""
    except ValueError:
        pass
    raise _BadRow(f"{field}: {text!r} is not a date")
