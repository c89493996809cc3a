"""The corrections that apply to listings and instruments, and the values that they replace."""

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet

from instruments.correctable import CORRECTABLE, IN_INSTRUMENT, to_text, to_value
from instruments.listings import history
from instruments.models import Correction, CorrectionState, Instrument, Listing
from marketdata.common.plain import to_plain
from marketdata.common.prepared import PreparedQuery

_MAX_PARAMETERS = 1_000  # of one statement; SQL Server takes 2,100
_IN_USE = (CorrectionState.IN_FORCE, CorrectionState.TO_REVIEW)
_COLUMNS = [field.attname for field in Correction._meta.concrete_fields]


def _select_replaced(isins: Sequence[str]) -> QuerySet[Correction, Any]:
    """Return the corrections of a range of ISINs, and of these ones only if any follow the two ends.

    Most lists are a page in the order of ISINs, so a range has few others.
    """
    first, last, *selected = isins
    rows = Correction.objects.live().filter(isin__gte=first, isin__lte=last).exclude(replaced=None)
    if selected:
        rows = rows.of(selected)
    return rows.order_by("isin", "pk").values_list(*_COLUMNS)


_REPLACED = PreparedQuery(_select_replaced)
_LIVE_OF = PreparedQuery(
    lambda isins: (
        Correction.objects.live().filter(isin=isins[0]).order_by("pk").values_list(*_COLUMNS)
    )
)


def _read(query: PreparedQuery, *isins: str) -> list[Correction]:
    return [Correction.from_db(DEFAULT_DB_ALIAS, _COLUMNS, row) for row in query.read(*isins)]


def _group(corrections: Iterable[Correction]) -> dict[str, list[Correction]]:
    by_isin: dict[str, list[Correction]] = {}
    for correction in corrections:
        by_isin.setdefault(correction.isin, []).append(correction)
    return by_isin


@dataclasses.dataclass(frozen=True)
class AppliedCorrection:
    """A correction, the published value that it replaces, and the venues of the listings that have it."""

    correction: Correction
    published: Any
    mics: tuple[str, ...]


def correct_listings(
    listings: Sequence[Listing], corrections: Iterable[Correction]
) -> list[AppliedCorrection]:
    """Put corrected values into listings in memory; return the corrections that apply to some of them.

    The published values stay in `listing.published_values`, by column. A correction of one venue counts more
    than one of all venues.
    """
    applied: list[AppliedCorrection] = []
    for correction in sorted(corrections, key=lambda row: (row.mic == "", row.pk)):
        mics: dict[Any, list[str]] = {}
        for listing in listings:
            published = getattr(listing, correction.field)
            is_corrected = correction.field in listing.published_values
            if (
                not is_corrected
                and correction.concerns(listing)
                and correction.applies_to(to_text(published))
            ):
                listing.published_values[correction.field] = published
                setattr(listing, correction.field, to_value(correction.field, correction.value))
                mics.setdefault(published, []).append(listing.mic)
        applied += [
            AppliedCorrection(correction, published, tuple(venues))
            for published, venues in mics.items()
        ]
    return applied


def correct_instrument(instrument: Instrument) -> list[AppliedCorrection]:
    """Put corrected values into an instrument and its listings, in memory; return what applies. One query.

    The records of its listings must be the newest ones.
    """
    return _correct(instrument, _read(_LIVE_OF, instrument.isin))


def correct_instruments(instruments: Iterable[Instrument]) -> None:
    """Do as `correct_instrument` for at most 1,000 instruments. One query."""
    rows = {instrument.isin: instrument for instrument in instruments}
    live = Correction.objects.live().of(rows).order_by("pk") if rows else ()
    for isin, corrections in _group(live).items():
        _correct(rows[isin], corrections)


def _correct(instrument: Instrument, corrections: Sequence[Correction]) -> list[AppliedCorrection]:
    if not corrections:
        return []
    applied = correct_listings(instrument.listings, corrections)
    reference = instrument.authoritative
    for column in set(reference.published_values) & set(IN_INSTRUMENT):
        setattr(instrument, column, getattr(reference, column) or "")
    return applied


def get_served(
    instrument: Instrument,
    *,
    as_of: dt.date | None = None,
    known_on: dt.date | None = None,
    register: str = "",
    with_corrections: bool = True,
) -> tuple[Instrument, list[AppliedCorrection]]:
    """Return an instrument as it is shown, and the corrections that apply to it.

    `as_of`, `known_on` and `register` are those of a snapshot. A snapshot of a day is what the register
    had published, so corrections do not apply to it. Raises NotInDatabase.
    """
    if as_of or known_on or register:
        instrument = history.require_snapshot(
            instrument.isin, as_of=as_of, known_on=known_on, register=register
        )
    if as_of or known_on:
        return instrument, []
    if with_corrections:
        return instrument, correct_instrument(instrument)
    if not register:
        restore_published([instrument])
    return instrument, []


def read_replaced(instruments: Iterable[Instrument]) -> dict[str, list[Correction]]:
    """Return the corrections of the values in these rows of `Instrument`, by ISIN.

    `replaced` of each is the published value. One query.
    """
    isins = {instrument.isin for instrument in instruments}
    if not isins:
        return {}
    selected = sorted(isins) if len(isins) <= _MAX_PARAMETERS else ()
    corrections = _read(_REPLACED, min(isins), max(isins), *selected)
    return _group(correction for correction in corrections if correction.isin in isins)


def correct_records(
    instruments: Iterable[Instrument], records: dict[str, dict[str, Any]]
) -> dict[str, list[AppliedCorrection]]:
    """Put corrected values into columns of the reference listings of instruments, by ISIN, in memory.

    Return what applies, by ISIN. One query, and none if no column can be corrected.
    """
    columns = {name for record in records.values() for name in record} & CORRECTABLE.keys()
    if not columns:
        return {}
    live = Correction.objects.live().filter(
        isin__gte=min(records), isin__lte=max(records), field__in=columns
    )
    if len(records) <= _MAX_PARAMETERS:
        live = live.of(records)
    by_isin = _group(live.order_by("isin", "pk"))
    applied = {}
    for instrument in instruments:
        isin = instrument.isin
        if isin in by_isin and isin in records:
            values = {name: records[isin][name] for name in columns}
            key = {"isin": isin, "mic": instrument.mic, "register": instrument.register}
            listing = Listing(**key, status=instrument.status, **values)
            applied[isin] = correct_listings([listing], by_isin[isin])
            records[isin] |= {name: getattr(listing, name) for name in listing.published_values}
    return applied


def read_in_use(isins: Collection[str]) -> dict[str, list[Correction]]:
    """Return the corrections of these instruments that are in force or to review, by ISIN.

    At most 1,000 instruments. One query.
    """
    if not isins:
        return {}
    rows = Correction.objects.of(isins).filter(state__in=_IN_USE)
    return _group(rows.order_by("isin", "pk"))


def describe_in_use(correction: Correction) -> dict[str, Any]:
    """Return a correction beside a record as published: its number, field and values, and when and why."""
    return {
        "number": correction.number,
        "field": correction.field,
        "published": to_plain(correction.expected_value),
        "value": to_plain(correction.right_value),
        "state": str(correction.state),
        "reason": correction.reason,
        "approved_at": to_plain(correction.approved_at),
        "closed_at": to_plain(correction.closed_at),
    }


def read_approved(isin: str) -> list[Correction]:
    """Return the corrections of an instrument that were ever approved, by number. One query."""
    return list(Correction.objects.of([isin]).exclude(approved_at=None).order_by("pk"))


def restore_published(instruments: Iterable[Instrument]) -> None:
    """Put the published values back into rows of `Instrument`, in memory. One query."""
    rows = list(instruments)
    replaced = read_replaced(rows)
    for instrument in rows:
        for correction in replaced.get(instrument.isin, ()):
            setattr(instrument, correction.field, correction.replaced)


def describe_replaced(instrument: Instrument, correction: Correction) -> dict[str, Any]:
    """Return a correction of a value in a row of `Instrument`, as `describe_applied`."""
    published = to_value(correction.field, correction.replaced or "")
    return describe_applied(AppliedCorrection(correction, published, (instrument.mic,)))


def describe_applied(applied: AppliedCorrection) -> dict[str, Any]:
    """Return a correction as it is served beside the value: published value, when and why.

    Names of users are left out: `/corrections/` has them, for those who may read it.
    """
    correction = applied.correction
    return {
        "number": correction.number,
        "field": correction.field,
        "register": str(correction.register),
        "mics": list(applied.mics),
        "published": to_plain(applied.published),
        "value": to_plain(correction.right_value),
        "state": str(correction.state),
        "reason": correction.reason,
        "evidence": correction.evidence or None,
        "approved_at": to_plain(correction.approved_at),
    }
