"""Load a list of venues: add new rows, update changed ones, delete none."""

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from stdnum import lei

from instruments import corrected_records
from instruments.correctable import CorrectionSubject
from instruments.models import DataSubject, DataVersion, Venue
from instruments.venues.errors import BadVenueList
from instruments.venues.layout import Row, rows

BUNDLED = Path(__file__).parent / "ISO10383_MIC.csv"
MAX_BYTES = 20_000_000
# A list of which a larger share of rows cannot be read has a layout that is not known yet.
_MAX_SHARE_LEFT_OUT = 0.05
_KINDS = {"O": "OPRT", "S": "SGMT"}
_DATES = ("created_on", "updated_on", "validated_on", "expires_on")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# `JUNE 2005`, `BEFORE JUNE 2005`, and, where a spreadsheet has rewritten the list, `Jun-05`.
_MONTH = re.compile(
    rf"(?:BEFORE )?(?P<month>{'|'.join(_MONTHS)})[A-Z]*(?: (?P<year>[0-9]{{4}})|-(?P<short>[0-9]{{2}}))"
)
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
    """The number of rows by outcome; `problems` names place and field of each row left out."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0  # the row in the database is newer, and stays
    problems: list[str] = dataclasses.field(default_factory=list)


class _InvalidRow(Exception):
    """A row has a value that cannot be read; the message names field and value."""


def load(content: bytes, *, name: str) -> Counts:
    """Load a list that is called `name` in errors, in one transaction.

    Single invalid rows are left out and named in the result. Raises BadVenueList where the list as a whole
    cannot be read, or more than a twentieth of its rows.
    """
    counts = Counts()
    venues = _venues(rows(content, name=name), counts)
    first_problem = f" ({counts.problems[0]})" if counts.problems else ""
    if not venues:
        raise BadVenueList(f"{name}: contains no venue{first_problem}")
    if len(counts.problems) > max(2, _MAX_SHARE_LEFT_OUT * counts.read):
        raise BadVenueList(
            f"{name}: {len(counts.problems):,} of {counts.read:,} rows cannot be read{first_problem}"
        )
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
        corrected_records.apply_all(CorrectionSubject.VENUE)
        if new or changed:
            DataVersion.objects.renew(DataSubject.VENUES)
    counts.new = len(new)
    return counts


def load_bundled_if_none() -> Counts | None:
    """Load the bundled list unless a list is loaded; return its counts, or None if there is one.

    Loads of files call this: without a list, the LEI of a venue operator would be shown as an issuer's.
    """
    if Venue.objects.exists():
        return None
    try:
        return load(BUNDLED.read_bytes(), name=BUNDLED.name)
    except IntegrityError:  # another process has just loaded it
        return None


def _compare(known: Venue, listed: Venue) -> str:
    if all(getattr(known, column) == getattr(listed, column) for column in _COLUMNS):
        return "unchanged"
    return "older" if _valid_on(listed) < _valid_on(known) else "changed"


def _valid_on(venue: Venue) -> dt.date:
    """Return the last day on which the row is known to have been right.

    A list does not say of which day it is, but its rows do: by the last validation or, before that column
    existed, the last update, of which old lists give only the month.
    """
    days = [day for day in (venue.validated_on, venue.updated_on, venue.created_on) if day]
    months = (month for text in venue.months.split("; ") if (month := _first_of_month(text)))
    return max([*days, *months], default=dt.date.min)


def _first_of_month(text: str) -> dt.date | None:
    """Return the first day of a month as old lists write it, as `updated: JUNE 2005`."""
    match = _MONTH.search(text.upper())
    if match is None:
        return None
    year = int(match["year"] or f"20{match['short']}")
    return dt.date(year, _MONTHS.index(match["month"]) + 1, 1)


def _venues(read: Iterable[Row], counts: Counts) -> dict[str, Venue]:
    venues: dict[str, Venue] = {}
    for row in read:
        counts.read += 1
        try:
            if row.problem:
                raise _InvalidRow(row.problem)
            venue = _venue(row.texts)
            if venue.mic in venues:
                raise _InvalidRow(f"mic: {venue.mic} occurs twice")
            venues[venue.mic] = venue
        except _InvalidRow as problem:
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
            raise _InvalidRow(f"{field}: {text!r} does not match {pattern}")
    if texts.get("lei") and not lei.is_valid(texts["lei"]):
        raise _InvalidRow(f"lei: {texts['lei']!r} is not a LEI")
    venue = Venue(**values)
    for column in Venue._meta.fields:
        longest = getattr(column, "max_length", None)
        if longest and len(str(getattr(venue, column.attname) or "")) > longest:
            raise _InvalidRow(f"{column.attname}: longer than {longest} characters")
    return venue


def _date(field: str, text: str) -> tuple[dt.date | None, str]:
    """Return a day, or the words for a month. Raises _InvalidRow."""
    if not text:
        return None, ""
    if _MONTH.fullmatch(text.upper()):
        return None, text
    try:
        if day := re.fullmatch(_DAY, text):
            year, month, of_month = map(int, day.groups())
            return dt.date(year, month, of_month), ""
    except ValueError:
        pass
    raise _InvalidRow(f"{field}: {text!r} is not a date")
