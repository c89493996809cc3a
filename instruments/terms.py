"""What the terms of a record come to: facts that follow from what is published, and nothing guessed.

Calls and puts are what `OptnTp` says and not the CFI code, a commodity derivative is what the flag says
and not a name. Where what is published says two things, the fact is None, and `why` says so.
"""

import dataclasses
import datetime as dt
from decimal import Decimal

from instruments import cfi, codes
from instruments.models import ListingRecord

# ESMA asks for 9999-12-31 where there is no defined expiry date (Q&A on MiFIR data reporting, 5.5); the
# files have 9999-12-30, and the ends of 2999 and 3999, in the same place. Others so far ahead are meant.
_NO_DATE_YEARS = {2999, 3999}
_NO_DATE_FROM_YEAR = 9999
# Days before it are what some systems write for none (1858-11-17 is day 0 of the modified Julian date).
_FIRST_DAY = dt.date(1900, 1, 1)
# ESMA asks for this name where a coupon follows from several indices (Q&A, 13.1).
_FORMULA = "FORMULA"


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
    """When a derivative ends; `days` as in Maturity. `open_ended` where no day is defined."""

    date: dt.date
    days: int | None
    open_ended: bool


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A floating rate, as published, and in one phrase."""

    isin: str | None
    index: str | None
    name: str | None
    term_value: Decimal | None
    term_unit: str | None
    spread_basis_points: Decimal | None

    @property
    def said(self) -> str:
        """As `EURIBOR 3 months + 45 basis points`."""
        name = codes.INDEX.get(self.index or "", self.index) or self.name or self.isin
        if self.name == _FORMULA:
            name = "a formula over several indices"
        tenor = self._tenor if self.name != _FORMULA else ""
        return " ".join(part for part in (name, tenor, self._spread) if part)

    @property
    def _tenor(self) -> str:
        if not self.term_value or not self.term_unit:
            return ""
        unit = codes.TERM_UNIT.get(self.term_unit, self.term_unit)
        return f"{plain(self.term_value)} {unit}{'' if self.term_value == 1 else 's'}"

    @property
    def _spread(self) -> str:
        if self.spread_basis_points is None:
            return ""
        sign = "-" if self.spread_basis_points < 0 else "+"
        number = abs(self.spread_basis_points)
        return f"{sign} {plain(number)} basis point{'' if number == 1 else 's'}"


@dataclasses.dataclass(frozen=True)
class Leg:
    """What one side of a swap pays, in percent a year or by a benchmark, and in which currency."""

    currency: str | None
    fixed_rate: Decimal | None
    benchmark: Benchmark | None

    @property
    def said(self) -> str:
        rate = f"{plain(self.fixed_rate)} % fixed" if self.fixed_rate is not None else ""
        floating = self.benchmark.said if self.benchmark else ""
        currency = f"in {self.currency}" if self.currency else ""
        return ", ".join(part for part in (rate, floating, currency) if part)


@dataclasses.dataclass(frozen=True)
class Strike:
    """`kind` is amount, percentage, yield, basis points, pending, or none; the last two have no value."""

    kind: str
    value: Decimal | None
    currency: str | None


def plain(number: Decimal) -> str:
    """A decimal as people write it: `1.50` -> `1.5`, `100` -> `100`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


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
    if record.expiry_date is None:
        return None
    days = _days(record.expiry_date, today)
    return Expiry(record.expiry_date, days, open_ended=days is None)


def _days(date: dt.date | None, today: dt.date) -> int | None:
    if date is None or date < _FIRST_DAY or date.year >= _NO_DATE_FROM_YEAR:
        return None
    if date.year in _NO_DATE_YEARS and (date.month, date.day) == (12, 31):
        return None
    return (date - today).days


def benchmark(record: ListingRecord, column: str) -> Benchmark | None:
    """The floating rate in the columns that begin with `column`; None where there is none of them."""
    parts = ("isin", "index", "name", "term_value", "term_unit", "spread")
    values = [getattr(record, f"{column}_{part}", None) for part in parts]
    return Benchmark(*values) if any(value is not None for value in values) else None


def underlying_index(record: ListingRecord) -> Benchmark | None:
    """The index that is the underlying, with its ISIN or that of the rate; None where there is none."""
    values = (
        record.underlying_index_isin or record.underlying_index_rate_isin,
        record.underlying_index_code,
        record.underlying_index_name,
        record.underlying_index_term_value,
        record.underlying_index_term_unit,
    )
    return Benchmark(*values, None) if any(value is not None for value in values) else None


def first_leg(record: ListingRecord) -> Leg | None:
    """None where no rate of it is published: its currency is the notional one of any instrument."""
    rate = benchmark(record, "first_leg_rate")
    if rate is None and record.first_leg_fixed_rate is None:
        return None
    return Leg(record.notional_currency, record.first_leg_fixed_rate, rate)


def other_leg(record: ListingRecord) -> Leg | None:
    """None where nothing of it is published."""
    leg = Leg(
        record.other_leg_currency,
        record.other_leg_fixed_rate,
        benchmark(record, "other_leg_rate"),
    )
    return leg if any(value is not None for value in vars(leg).values()) else None


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
class Coupon:
    """What debt pays: percent a year, or by a benchmark."""

    fixed_rate: Decimal | None
    benchmark: Benchmark | None

    @property
    def floating(self) -> bool:
        """Whether a floating rate is published."""
        return self.benchmark is not None

    @property
    def said(self) -> str:
        fixed = f"{plain(self.fixed_rate)} %" if self.fixed_rate is not None else ""
        floating = self.benchmark.said if self.benchmark else ""
        return " and ".join(part for part in (fixed, floating) if part)


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
        """None where no rate is published."""
        rate = benchmark(self.record, "floating_rate")
        fixed = self.record.fixed_rate
        return None if rate is None and fixed is None else Coupon(fixed, rate)

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
