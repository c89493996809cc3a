"""Fixed and floating rates: the published values, and a description in one phrase."""

import dataclasses
from decimal import Decimal

from instruments.listings import codes
from instruments.models import ListingRecord

# ESMA prescribes this name for a coupon that depends on several indices (Q&A on MiFIR data reporting, 13.1).
_FORMULA = "FORMULA"


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A floating rate. It is identified by an ISIN, a four-letter index code, or a name."""

    isin: str | None
    index: str | None
    name: str | None
    term_value: Decimal | None
    term_unit: str | None
    spread_basis_points: Decimal | None

    @property
    def description(self) -> str:
        """The rate in one phrase, as `EURIBOR 3 months + 45 basis points`."""
        if self.name == _FORMULA:
            return " ".join(
                part for part in ("a formula over several indices", self._spread) if part
            )
        name = codes.INDEX.get(self.index or "", self.index) or self.name or self.isin
        return " ".join(part for part in (name, self._tenor, self._spread) if part)

    @property
    def _tenor(self) -> str:
        if not self.term_value or not self.term_unit:
            return ""
        unit = codes.TERM_UNIT.get(self.term_unit, self.term_unit)
        return f"{shorten(self.term_value)} {unit}{'' if self.term_value == 1 else 's'}"

    @property
    def _spread(self) -> str:
        if self.spread_basis_points is None:
            return ""
        sign = "-" if self.spread_basis_points < 0 else "+"
        number = abs(self.spread_basis_points)
        return f"{sign} {shorten(number)} basis point{'' if number == 1 else 's'}"


@dataclasses.dataclass(frozen=True)
class Coupon:
    """The interest that debt pays: a fixed rate in percent a year, a benchmark, or both."""

    fixed_rate: Decimal | None
    benchmark: Benchmark | None

    @property
    def is_floating(self) -> bool:
        """True if a floating rate is published."""
        return self.benchmark is not None

    @property
    def description(self) -> str:
        fixed = f"{shorten(self.fixed_rate)} %" if self.fixed_rate is not None else ""
        floating = self.benchmark.description if self.benchmark else ""
        return " and ".join(part for part in (fixed, floating) if part)


@dataclasses.dataclass(frozen=True)
class Leg:
    """One side of a swap: a fixed rate in percent a year or a benchmark, and the currency."""

    currency: str | None
    fixed_rate: Decimal | None
    benchmark: Benchmark | None

    @property
    def description(self) -> str:
        fixed = f"{shorten(self.fixed_rate)} % fixed" if self.fixed_rate is not None else ""
        floating = self.benchmark.description if self.benchmark else ""
        currency = f"in {self.currency}" if self.currency else ""
        return ", ".join(part for part in (fixed, floating, currency) if part)


def shorten(number: Decimal) -> str:
    """Return a decimal without trailing zeros: `1.50` -> `1.5`, `100` -> `100`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def get_coupon(record: ListingRecord) -> Coupon | None:
    """Return the coupon of debt; None if no rate is published."""
    benchmark, fixed = get_benchmark(record, "floating_rate"), record.fixed_rate
    return None if benchmark is None and fixed is None else Coupon(fixed, benchmark)


def get_benchmark(record: ListingRecord, prefix: str) -> Benchmark | None:
    """Return the floating rate in the columns with a prefix; None if all of them are empty."""
    suffixes = ("isin", "index", "name", "term_value", "term_unit", "spread")
    values = [getattr(record, f"{prefix}_{suffix}", None) for suffix in suffixes]
    return Benchmark(*values) if any(value is not None for value in values) else None


def get_underlying_index(record: ListingRecord) -> Benchmark | None:
    """Return the index that is the underlying; None if there is none.

    Its ISIN is that of the index, else that of the reference rate.
    """
    values = (
        record.underlying_index_isin or record.underlying_index_rate_isin,
        record.underlying_index_code,
        record.underlying_index_name,
        record.underlying_index_term_value,
        record.underlying_index_term_unit,
    )
    return Benchmark(*values, None) if any(value is not None for value in values) else None


def get_first_leg(record: ListingRecord) -> Leg | None:
    """Return the first leg; None if no rate of it is published.

    Its currency is the notional currency, which every instrument has: that alone makes no leg.
    """
    benchmark = get_benchmark(record, "first_leg_rate")
    if benchmark is None and record.first_leg_fixed_rate is None:
        return None
    return Leg(record.notional_currency, record.first_leg_fixed_rate, benchmark)


def get_other_leg(record: ListingRecord) -> Leg | None:
    """Return the second leg; None if nothing of it is published."""
    leg = Leg(
        record.other_leg_currency,
        record.other_leg_fixed_rate,
        get_benchmark(record, "other_leg_rate"),
    )
    return leg if any(value is not None for value in vars(leg).values()) else None
