"""Instruments for a list of identifiers, in the form that users of OpenFIGI know.

Each item has an answer of its own: the instruments (`data`), a `warning` if there are none, or an `error` if
the item is invalid.
"""

import dataclasses
import datetime as dt
import enum
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from instruments.correctable import CorrectionSubject
from instruments.fields import LEI
from instruments.figis.questions import problem_of_figi
from instruments.isin import problem_of
from instruments.listings.descriptions import describe_instrument, describe_instruments
from instruments.listings.history import get_snapshot
from instruments.models import Correction, Figi, Instrument, Listing, OtherIssuer, Venue
from marketdata.common.batches import in_batches

MAX_ITEMS = 1_000
# Instruments of one item. An LEI may be that of the issuer of a million.
MAX_MATCHES = 100
# The fields of an instrument in a list.
SUMMARY = (
    *("isin", "full_name", "short_name", "cfi_code", "category", "notional_currency"),
    *("issuer_lei", "operator_lei", "status", "effective_status", "mic", "register"),
    *("listing_count", "eu_listings", "uk_listings", "corrections"),
)
Answer = dict[str, Any]


class IdType(enum.StrEnum):
    """The kinds of identifiers; names as in OpenFIGI, and ID_LEI for the issuer."""

    ISIN = "ID_ISIN"
    FIGI = "ID_BB_GLOBAL"
    COMPOSITE_FIGI = "COMPOSITE_ID_BB_GLOBAL"
    SHARE_CLASS_FIGI = "ID_BB_GLOBAL_SHARE_CLASS_LEVEL"
    TICKER = "TICKER"
    LEI = "ID_LEI"


_FIGI_COLUMNS = {
    IdType.FIGI: "figi",
    IdType.COMPOSITE_FIGI: "composite_figi",
    IdType.SHARE_CLASS_FIGI: "share_class_figi",
    IdType.TICKER: "ticker",
}


@dataclasses.dataclass(frozen=True)
class Item:
    """One identifier. `mic` narrows it to instruments with a listing there, or on a segment of it.

    With `as_of` or `known_on`, the instruments are as they were on that day: those of an LEI had this issuer
    then, whichever they have now. FIGIs and tickers mean the instruments that have them now.
    """

    id_type: IdType
    value: str
    mic: str = ""
    as_of: dt.date | None = None
    known_on: dt.date | None = None

    @property
    def has_day(self) -> bool:
        return bool(self.as_of or self.known_on)

    @property
    def problem(self) -> str | None:
        """The reason why the identifier is invalid, as a sentence; None for a valid one."""
        if self.id_type is IdType.ISIN:
            problem = problem_of(self.value)
        elif self.id_type is IdType.LEI:
            problem = None if re.fullmatch(LEI, self.value) else "not an LEI of 20 characters"
        elif self.id_type is IdType.TICKER:
            problem = None if self.value else "a ticker has at least one character"
        else:
            problem = problem_of_figi(self.value)
        return f"{self.value!r}: {problem}." if problem else None


def answer_items(items: Sequence[Item]) -> list[Answer]:
    """Return the answer for each item, in the same order and length.

    A fixed number of queries for 500 items, one more for each LEI (three if it has a day), and some for each
    item with a day.
    """
    valid = {item for item in items if item.problem is None}
    isins = _find_isins(valid)
    rows = _describe_all({isin for matching_isins in isins.values() for isin in matching_isins})
    mics = _read_mics(valid, isins)
    covered_by = Venue.objects.read_covered({item.mic for item in valid if item.mic})
    answers = {}
    for item in valid:
        covered = covered_by.get(item.mic, set())
        if item.id_type is IdType.LEI and len(isins[item]) > MAX_MATCHES:
            answers[item] = _refuse_many(item)  # not all of them have been read
            continue
        if item.has_day:
            matching = _describe_snapshots(item, isins[item], covered)
        else:
            listed = [isin for isin in isins[item] if not item.mic or mics[isin] & covered]
            matching = [rows[isin] for isin in listed if isin in rows]
        answers[item] = _answer(item, matching)
    return [answers.get(item) or {"error": item.problem} for item in items]


def _answer(item: Item, rows: list[dict[str, Any]]) -> Answer:
    where = f" with a listing on {item.mic}" if item.mic else ""
    if not rows:
        day = f" on {item.as_of}" if item.as_of else ""
        day += f", by what was known on {item.known_on}" if item.known_on else ""
        named = f"the {item.id_type} {item.value}{day}"
        if day and item.id_type is IdType.LEI:
            return {"warning": f"No instrument{where} had {named}."}
        return {"warning": f"No instrument{where} has {named}."}
    if len(rows) > MAX_MATCHES:
        return {
            "error": f"More than {MAX_MATCHES} instruments{where} have the {item.id_type} {item.value}. List"
            " them by /api/v1/instruments/ with the filter `ticker`."
        }
    return {"data": rows}


def _refuse_many(item: Item) -> Answer:
    listing = "/api/v1/instruments/ with the filters `issuer` and `mic`"
    identifier = f"the {item.id_type} {item.value}"
    if item.has_day:
        return {
            "error": f"More than {MAX_MATCHES} instruments have {identifier}, or had it on some day. List"
            f" those that have it now by {listing}, and look up ISINs for the day."
        }
    return {
        "error": f"More than {MAX_MATCHES} instruments have {identifier}. List them by {listing}."
    }


def _find_isins(items: Iterable[Item]) -> dict[Item, list[str]]:
    """Return the ISINs of each item, in their order; one more than MAX_MATCHES at most."""
    values: dict[IdType, set[str]] = defaultdict(set)
    for item in items:
        values[item.id_type].add(item.value)
    by_value: dict[tuple[IdType, str], set[str]] = defaultdict(set)
    for id_type, column in _FIGI_COLUMNS.items():
        for batch in in_batches(sorted(values[id_type])):
            figis = Figi.objects.filter(**{f"{column}__in": batch}).order_by()
            if id_type is IdType.TICKER:
                figis = figis.filter(is_current=True)
            for value, isin in figis.values_list(column, "isin"):
                by_value[id_type, value].add(isin)
    for lei in values[IdType.LEI]:
        issued = Instrument.objects.issued_by(lei).values_list("pk", flat=True)
        by_value[IdType.LEI, lei] = set(issued[: MAX_MATCHES + 1])
    ever = {
        item.value: by_value[IdType.LEI, item.value] | _find_isins_on_other_days(item.value)
        for item in items
        if item.id_type is IdType.LEI and item.has_day
    }

    def find(item: Item) -> Iterable[str]:
        if item.id_type is IdType.LEI and item.has_day:
            return ever[item.value]
        return by_value[item.id_type, item.value]

    return {
        item: [item.value] if item.id_type is IdType.ISIN else sorted(find(item)) for item in items
    }


def _find_isins_on_other_days(lei: str) -> set[str]:
    """Return ISINs of instruments of which some record has this issuer, although the instrument has another.

    At most one more than MAX_MATCHES of those that loads have noted, and those of which it is corrected.
    """
    noted = OtherIssuer.objects.filter(lei=lei).values_list("isin", flat=True)
    corrected = Correction.objects.filter(
        subject=CorrectionSubject.INSTRUMENT, field="issuer_lei", replaced=lei
    )
    return {*noted[: MAX_MATCHES + 1], *corrected.order_by().values_list("isin", flat=True)}


def _read_mics(items: Iterable[Item], isins: dict[Item, list[str]]) -> dict[str, set[str]]:
    """Return the MICs of the listings of those instruments that are asked for on a venue."""
    narrowed = {isin for item in items if item.mic for isin in isins[item]}
    mics: dict[str, set[str]] = defaultdict(set)
    for batch in in_batches(sorted(narrowed)):
        listings = Listing.objects.filter(isin__in=batch).order_by()
        for isin, mic in listings.values_list("isin", "mic"):
            mics[isin].add(mic)
    return mics


def _describe_all(isins: set[str]) -> dict[str, dict[str, Any]]:
    """Return the instruments as they are now, in the form of a list."""
    rows: dict[str, dict[str, Any]] = {}
    for batch in in_batches(sorted(isins)):
        described = describe_instruments(Instrument.objects.filter(pk__in=batch))
        rows |= {row["isin"]: row for row in described}
    return rows


def _describe_snapshots(
    item: Item, isins: Iterable[str], covered: set[str]
) -> list[dict[str, Any]]:
    """Return the instruments as they were on the day of an item, in the form of a list."""
    rows = []
    for isin in isins:
        snapshot = get_snapshot(isin, as_of=item.as_of, known_on=item.known_on)
        if snapshot is None:
            continue
        if item.id_type is IdType.LEI and snapshot.issuer_lei != item.value:
            continue
        if item.mic and not covered.intersection(row.mic for row in snapshot.listings):
            continue
        described = describe_instrument(snapshot, as_of=item.as_of, known_on=item.known_on)
        rows.append({name: described[name] for name in SUMMARY})
    return rows
