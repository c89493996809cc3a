"""Rates, fixed and floating: as published, and in one phrase."""

import dataclasses
from decimal import Decimal

from instruments.listings import codes
from instruments.models import ListingRecord

# ESMA asks for this name where a coupon follows from several indices (Q&A on MiFIR data reporting, 13.1).
_FORMULA = "FORMULA"


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


def plain(number: Decimal) -> str:
    """A decimal as people write it: `1.50` -> `1.5`, `100` -> `100`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def coupon(record: ListingRecord) -> Coupon | None:
    """None where no rate of debt is published."""
    rate, fixed = benchmark(record, "floating_rate"), record.fixed_rate
    return None if rate is None and fixed is None else Coupon(fixed, rate)


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
