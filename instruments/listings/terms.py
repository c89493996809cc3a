"""What the terms of a record come to: facts that follow from what is published, and nothing guessed.

Calls and puts are what `OptnTp` says and not the CFI code, a commodity derivative is what the flag says
and not a name. Where what is published says two things, the fact is None, and `why` says so.
"""

import dataclasses
import datetime as dt
from decimal import Decimal

from instruments.classification import cfi
from instruments.listings.rates import (
    Benchmark,
    Coupon,
    Leg,
    benchmark,
    coupon,
    first_leg,
    other_leg,
)
from instruments.models import ListingRecord

# ESMA asks for 9999-12-31 where there is no defined expiry date (Q&A on MiFIR data reporting, 5.5); the
# files have 9999-12-30, and the ends of 2999 and 3999, in the same place. Others so far ahead are meant.
_NO_DATE_YEARS = {2999, 3999}
_NO_DATE_FROM_YEAR = 9999
# Days before it are what some systems write for none (1858-11-17 is day 0 of the modified Julian date).
_FIRST_DAY = dt.date(1900, 1, 1)


@dataclasses.dataclass(frozen=True)
class Maturity:
    """When debt ends. `days` are counted from the day asked about, and negative afterwards; None where
    `date` is absent or says no day. `perpetual` is None where the data does not say; `why` says why.
    """

    date: dt.date | None
    days: int | None
    perpetual: bool | None
    why: str


@dataclasses.dataclass(frozen=True)
class Expiry:
    """When a derivative ends; `days` as in Maturity. `open_ended` where the date says that there is none."""

    date: dt.date
    days: int | None
    open_ended: bool


@dataclasses.dataclass(frozen=True)
class Strike:
    """`kind` is amount, percentage, yield, basis points, pending, or none; the last two have no value."""

    kind: str
    value: Decimal | None
    currency: str | None


def maturity(record: ListingRecord, today: dt.date) -> Maturity | None:
    """None where the record says nothing of debt."""
    date, redemption = record.maturity_date, _redemption(record)
    if date is None and not _is_debt(record):
        return None
    days = _days(date, today)
    perpetual, why = _perpetual(date if days is not None else None, date, redemption)
    return Maturity(date, days, perpetual, why)


def _perpetual(
    day: dt.date | None, published: dt.date | None, redemption: str
) -> tuple[bool | None, str]:
    said = redemption.startswith("Perpetual")
    if day is not None:
        if said:
            return None, f"the CFI code says {redemption}, and a maturity date is published"
        return False, "a maturity date is published"
    if said:
        return True, f"the CFI code says {redemption}"
    if published is not None:
        return None, f"{published} is no day that debt matures on, and the CFI code says no more"
    if redemption:
        return None, f"no maturity date is published, and the CFI code says {redemption}"
    return (
        True,
        "no maturity date is published: RTS 23 asks for it where debt has a defined maturity",
    )


def _redemption(record: ListingRecord) -> str:
    """What the CFI code of debt says of its redemption; "" where it does not."""
    if not (record.cfi_code or "").startswith("D"):
        return ""
    said = cfi.decode(record.cfi_code or "").attributes
    found = (a for a in said if a.name.startswith("Redemption") and a.letter != cfi.UNDEFINED)
    return next((cfi.short(a.meaning) for a in found if a.meaning), "")


def _is_debt(record: ListingRecord) -> bool:
    columns = ("total_issued_nominal", "nominal_value_per_unit", "fixed_rate", "seniority")
    said = any(getattr(record, name) is not None for name in columns)
    return said or benchmark(record, "floating_rate") is not None


def expiry(record: ListingRecord, today: dt.date) -> Expiry | None:
    """None where no expiry date is published."""
    date = record.expiry_date
    if date is None:
        return None
    days = _days(date, today)
    return Expiry(date, days, open_ended=days is None and date >= _FIRST_DAY)


def _days(date: dt.date | None, today: dt.date) -> int | None:
    if date is None or date < _FIRST_DAY or date.year >= _NO_DATE_FROM_YEAR:
        return None
    if date.year in _NO_DATE_YEARS and (date.month, date.day) == (12, 31):
        return None
    return (date - today).days


def strike(record: ListingRecord) -> Strike | None:
    """None where nothing is published of a strike. An amount is as published: its sign is not applied."""
    if record.strike_pending is not None:
        kind = {"PNDG": "pending", "NOAP": "none"}.get(record.strike_pending, record.strike_pending)
        return Strike(kind, None, record.strike_pending_currency)
    if record.strike_amount is not None:
        return Strike("amount", record.strike_amount, record.strike_currency)
    for kind in ("percentage", "yield", "basis points"):
        value = getattr(record, f"strike_{kind.replace(' ', '_')}")
        if value is not None:
            return Strike(kind, value, None)
    return None


@dataclasses.dataclass(frozen=True)
class ForeignExchange:
    """`pair` as `EUR/USD`: the notional currency and the other one; None where one is not published."""

    pair: str | None
    type: str | None
    other_currency: str | None


def foreign_exchange(record: ListingRecord) -> ForeignExchange | None:
    """None where nothing of it is published: any instrument has a notional currency."""
    kind, first, other = record.fx_type, record.notional_currency, record.fx_other_currency
    if kind is None and other is None:
        return None
    return ForeignExchange(f"{first}/{other}" if first and other else None, kind, other)


@dataclasses.dataclass(frozen=True)
class Terms:
    """A record asked for its terms; days are counted from `as_of`."""

    record: ListingRecord
    category: str
    as_of: dt.date

    @property
    def maturity(self) -> Maturity | None:
        return maturity(self.record, self.as_of)

    @property
    def expiry(self) -> Expiry | None:
        return expiry(self.record, self.as_of)

    @property
    def coupon(self) -> Coupon | None:
        return coupon(self.record)

    @property
    def strike(self) -> Strike | None:
        return strike(self.record)

    @property
    def reference_rate(self) -> Benchmark | None:
        return benchmark(self.record, "interest_rate")

    @property
    def first_leg(self) -> Leg | None:
        return first_leg(self.record)

    @property
    def other_leg(self) -> Leg | None:
        return other_leg(self.record)

    @property
    def foreign_exchange(self) -> ForeignExchange | None:
        return foreign_exchange(self.record)
