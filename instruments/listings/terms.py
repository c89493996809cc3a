"""Terms of an instrument: facts that follow from the published values. Nothing is guessed.

Calls and puts come from `OptnTp`, not from the CFI code; a commodity derivative from its flag, not from
a name. A fact is None if the published values contradict each other; where that is possible, `reason`
explains it.
"""

import dataclasses
import datetime as dt
from decimal import Decimal

from instruments.classification import cfi
from instruments.listings.rates import (
    Benchmark,
    Coupon,
    Leg,
    get_benchmark,
    get_coupon,
    get_first_leg,
    get_other_leg,
)
from instruments.models import ListingRecord

# ESMA prescribes 9999-12-31 if no expiry date is defined (Q&A on MiFIR data reporting, 5.5). Files also
# contain 9999-12-30, and the last days of 2999 and 3999. Other dates that are as far ahead are real.
_PLACEHOLDER_YEARS = {2999, 3999}
_FIRST_PLACEHOLDER_YEAR = 9999
# Some systems write an earlier date for "none": 1858-11-17 is day 0 of the modified Julian date.
FIRST_REAL_DAY = dt.date(1900, 1, 1)


def is_placeholder(date: dt.date) -> bool:
    """Return True for a date that stands for "no date"."""
    if date < FIRST_REAL_DAY or date.year >= _FIRST_PLACEHOLDER_YEAR:
        return True
    return date.year in _PLACEHOLDER_YEARS and (date.month, date.day) == (12, 31)


def get_end(value: dt.date | None) -> dt.date | None:
    """Return the day of a date, or of a time in UTC, that ends something; None for none and a placeholder."""
    day = value.date() if isinstance(value, dt.datetime) else value
    return None if day is None or is_placeholder(day) else day


def get_beginning(moment: dt.datetime | None) -> dt.date | None:
    """Return the day on which something begins; None for none and a placeholder of the past.

    A day in the far future means that it has not begun.
    """
    return None if moment is None or moment.date() < FIRST_REAL_DAY else moment.date()


@dataclasses.dataclass(frozen=True)
class Maturity:
    """The maturity of debt.

    `days` are counted from the day of the question and negative afterwards; None without a real date.
    `perpetual` is None if the published values leave it open or contradict each other; `reason`
    explains the value.
    """

    date: dt.date | None
    days: int | None
    perpetual: bool | None
    reason: str


@dataclasses.dataclass(frozen=True)
class Expiry:
    """The expiry of a derivative. `days` as in Maturity; `is_open_ended` if the date is a far placeholder."""

    date: dt.date
    days: int | None
    is_open_ended: bool


@dataclasses.dataclass(frozen=True)
class Strike:
    """A strike price. `kind` is amount, percentage, yield, basis points, pending, or none.

    The last two have no value. `sign` is the published `Sgn` of an amount, plus or minus; it is not
    applied to the value, because files have it on amounts of both signs.
    """

    kind: str
    value: Decimal | None
    currency: str | None
    sign: str | None = None


def get_maturity(record: ListingRecord, day: dt.date) -> Maturity | None:
    """Return the maturity, counted from a day; None if the record has no fields of debt."""
    date = record.maturity_date
    if date is None and not _is_debt(record):
        return None
    days = _count_days(date, day)
    perpetual, reason = _get_perpetual(date, has_real_date=days is not None, record=record)
    return Maturity(date, days, perpetual, reason)


def _get_perpetual(
    date: dt.date | None, *, has_real_date: bool, record: ListingRecord
) -> tuple[bool | None, str]:
    """Return whether debt is perpetual, and the reason."""
    redemption = _get_redemption(record)
    is_perpetual_by_cfi = redemption.startswith("Perpetual")
    if has_real_date and is_perpetual_by_cfi:
        return None, f"A maturity date is published, but the CFI code means {redemption}."
    if has_real_date:
        return False, "A maturity date is published."
    if is_perpetual_by_cfi:
        return True, f"The CFI code means {redemption}."
    if date is not None:
        return None, f"{date} is a placeholder, and the CFI code does not decide it."
    if redemption:
        return None, f"No maturity date is published, and the CFI code means {redemption}."
    return (
        True,
        "No maturity date is published. RTS 23 requires one for debt with a defined maturity.",
    )


def _get_redemption(record: ListingRecord) -> str:
    """Return the redemption of debt by its CFI code; "" if the code leaves it open."""
    if not (record.cfi_code or "").startswith("D"):
        return ""
    attributes = cfi.decode(record.cfi_code or "").attributes
    redemptions = (
        attribute.meaning
        for attribute in attributes
        if attribute.name.startswith("Redemption") and attribute.letter != cfi.UNDEFINED
    )
    return next((cfi.short(meaning) for meaning in redemptions if meaning), "")


def _is_debt(record: ListingRecord) -> bool:
    """Return True if a record has a value in a field of debt."""
    columns = ("total_issued_nominal", "nominal_value_per_unit", "fixed_rate", "seniority")
    has_value = any(getattr(record, name) is not None for name in columns)
    return has_value or get_benchmark(record, "floating_rate") is not None


def get_expiry(record: ListingRecord, day: dt.date) -> Expiry | None:
    """Return the expiry, counted from a day; None if no expiry date is published."""
    date = record.expiry_date
    if date is None:
        return None
    return Expiry(
        date,
        _count_days(date, day),
        is_open_ended=is_placeholder(date) and date >= FIRST_REAL_DAY,
    )


def _count_days(date: dt.date | None, day: dt.date) -> int | None:
    """Return the days from a day to a date; None without a real date."""
    return None if date is None or is_placeholder(date) else (date - day).days


def get_strike(record: ListingRecord) -> Strike | None:
    """Return the strike price as published; None if there is none."""
    if record.strike_pending is not None:
        kind = {"PNDG": "pending", "NOAP": "none"}.get(record.strike_pending, record.strike_pending)
        return Strike(kind, None, record.strike_pending_currency)
    if record.strike_amount is not None:
        sign = None if record.strike_sign is None else "plus" if record.strike_sign else "minus"
        return Strike("amount", record.strike_amount, record.strike_currency, sign)
    for kind in ("percentage", "yield", "basis points"):
        value = getattr(record, f"strike_{kind.replace(' ', '_')}")
        if value is not None:
            return Strike(kind, value, None)
    return None


@dataclasses.dataclass(frozen=True)
class ForeignExchange:
    """`pair` is the notional currency and the other one, as `EUR/USD`; None if one is not published."""

    pair: str | None
    type: str | None
    other_currency: str | None


def get_foreign_exchange(record: ListingRecord) -> ForeignExchange | None:
    """Return the currencies of a foreign-exchange derivative; None if none of its own fields is published."""
    kind, first, other = record.fx_type, record.notional_currency, record.fx_other_currency
    if kind is None and other is None:
        return None
    return ForeignExchange(f"{first}/{other}" if first and other else None, kind, other)


@dataclasses.dataclass(frozen=True)
class Terms:
    """The terms of a record; days are counted from `as_of`."""

    record: ListingRecord
    category: str
    as_of: dt.date

    @property
    def maturity(self) -> Maturity | None:
        return get_maturity(self.record, self.as_of)

    @property
    def expiry(self) -> Expiry | None:
        return get_expiry(self.record, self.as_of)

    @property
    def coupon(self) -> Coupon | None:
        return get_coupon(self.record)

    @property
    def strike(self) -> Strike | None:
        return get_strike(self.record)

    @property
    def reference_rate(self) -> Benchmark | None:
        return get_benchmark(self.record, "interest_rate")

    @property
    def first_leg(self) -> Leg | None:
        return get_first_leg(self.record)

    @property
    def other_leg(self) -> Leg | None:
        return get_other_leg(self.record)

    @property
    def foreign_exchange(self) -> ForeignExchange | None:
        return get_foreign_exchange(self.record)
