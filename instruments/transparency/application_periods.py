"""The days on which a transparency result applies, by ESMA's rules.

Source: ESMA65-8-5240 version 1.8, paragraphs 28 to 39. The application period follows from the kind of result
and its reporting period, not from the day on which the reporting period ended:

- Any result with a published application period (`ApplPrd`): as published.
- Equity ESTM (estimate): from the first day of trading, for six calendar weeks.
- Equity FFWK (first four weeks): from six weeks after the first trade until the next yearly result applies,
  the Sunday before a first Monday of April (`_four_weeks` says of which year).
- Equity YEAR of year Y: from the first Monday of April Y+1 to the Sunday before that of Y+2.
- Non-equity of a year Y, bonds included: from the first Monday of June Y+1 to the
  Sunday before that of Y+2.
- Bonds, quarters 1 to 4 of Y: from the third Monday of May Y, August Y, November Y and February Y+1 to the
  Sunday before the next of these Mondays.
- Bonds without a reporting period (new bonds): from the first day of trading to the Sunday before one of
  these Mondays (`_new_bond` says which).
- Half-years (SINT, SISC, bonds): never. They are totals for the systematic-internaliser test.
"""

import dataclasses
import datetime as dt
import enum

MONDAY = 0
SIX_WEEKS = dt.timedelta(weeks=6)
ONE_DAY = dt.timedelta(days=1)


class Rule(enum.Enum):
    """The rule that an application period follows from: its code and its text."""

    PUBLISHED = "published", "The application period published with the result (ApplPrd)."
    ESTIMATE = (
        "equity_estimate",
        "An estimate for new equity: six calendar weeks from the first day of trading.",
    )
    FOUR_WEEKS = (
        "equity_first_four_weeks",
        "The first four weeks of trading: from six weeks after the first trade to the next yearly result.",
    )
    EQUITY_YEAR = (
        "equity_year",
        "A yearly equity result: from the first Monday of April of the next year, for a year.",
    )
    NON_EQUITY_YEAR = (
        "non_equity_year",
        "A yearly non-equity result: from the first Monday of June of the next year, for a year.",
    )
    BOND_QUARTER = (
        "bond_quarter",
        "Quarterly bond liquidity: from the third Monday of May, August, November or February to the next.",
    )
    NEW_BOND = (
        "bond_new",
        "A new bond: from the first day of trading until the first quarterly result applies.",
    )

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.text = text


@dataclasses.dataclass(frozen=True)
class ApplicationPeriod:
    """First and last day on which a result applies, both included; None where ApplPrd leaves it open."""

    first: dt.date | None
    last: dt.date | None
    rule: Rule

    def __contains__(self, day: dt.date) -> bool:
        return (self.first or dt.date.min) <= day <= (self.last or dt.date.max)


def equity_period(
    methodology: str | None,
    reported_from: dt.date | None,
    reported_to: dt.date | None,
    *,
    first_trade: dt.date | None,
) -> ApplicationPeriod | None:
    """Return the application period of an equity result; None where it has none.

    `first_trade` is the first day of trading according to the reference data, if known; a result of the
    first four weeks says it itself, by its reporting period.
    """
    match methodology:
        case "YEAR" if reported_to:
            return _year(reported_to.year, month=4, rule=Rule.EQUITY_YEAR)
        case "FFWK" if day := reported_from or first_trade:
            return _four_weeks(day)
        case "ESTM" if first_trade:
            return ApplicationPeriod(
                first_trade, _plus(first_trade, SIX_WEEKS - ONE_DAY), Rule.ESTIMATE
            )
    return None


def non_equity_period(
    reported_from: dt.date | None,
    reported_to: dt.date | None,
    *,
    is_bond: bool,
    first_trade: dt.date | None,
) -> ApplicationPeriod | None:
    """Return the application period of a non-equity result; None where it has none."""
    if reported_to is None:
        return _new_bond(first_trade) if is_bond and first_trade and not reported_from else None
    match months_reported(reported_from, reported_to):
        case 12:
            return _year(reported_to.year, month=6, rule=Rule.NON_EQUITY_YEAR)
        case 3 if is_bond:
            return _bond_quarter(reported_to)
    return None


def months_reported(first: dt.date | None, last: dt.date) -> int:
    """Return the length of a reporting period, rounded up to 3, 6 or 12 months.

    An instrument first traded within a period may be reported for the rest of it, so a period that lies
    within one calendar quarter is a quarter.
    """
    if first is None:
        return 12
    if first.year == last.year and (first.month - 1) // 3 == (last.month - 1) // 3:
        return 3
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return 6 if months <= 6 else 12


def first_monday(year: int, month: int) -> dt.date:
    """Return the first Monday of a month."""
    return _nth_monday(year, month, 1)


def third_monday(year: int, month: int) -> dt.date:
    """Return the third Monday of a month."""
    return _nth_monday(year, month, 3)


def year_applying(day: dt.date, *, month: int) -> int | None:
    """Return the reporting year whose results apply on `day`: April (4) for equity, June (6) for others.

    None for days at the end of the calendar, where no year can be computed.
    """
    if not dt.date.min.year + 2 <= day.year < dt.date.max.year:
        return None
    return day.year - 1 if day >= first_monday(day.year, month) else day.year - 2


def _nth_monday(year: int, month: int, number: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(MONDAY - first.weekday()) % 7 + 7 * (number - 1))


def _year(year: int, *, month: int, rule: Rule) -> ApplicationPeriod | None:
    if year + 2 > dt.date.max.year:
        return None
    return ApplicationPeriod(
        first_monday(year + 1, month), first_monday(year + 2, month) - ONE_DAY, rule
    )


def _four_weeks(first_trade: dt.date) -> ApplicationPeriod | None:
    """For a first trade from 3 December Y to 2 December Y+1: until the Sunday before the first Monday of
    April Y+2, when the first yearly result that has four weeks of data applies.
    """
    year = (
        first_trade.year
        if (first_trade.month, first_trade.day) >= (12, 3)
        else first_trade.year - 1
    )
    first = _plus(first_trade, SIX_WEEKS)
    if year + 2 > dt.date.max.year or first is None:
        return None
    return ApplicationPeriod(first, first_monday(year + 2, 4) - ONE_DAY, Rule.FOUR_WEEKS)


def _bond_quarter(reported_to: dt.date) -> ApplicationPeriod | None:
    """Quarter 1 applies from the third Monday of May, the others three, six and nine months later."""
    if reported_to.year + 1 > dt.date.max.year:
        return None
    quarter = (reported_to.month - 1) // 3
    mondays = [third_monday(reported_to.year, month) for month in (5, 8, 11)]
    mondays += [third_monday(reported_to.year + 1, month) for month in (2, 5)]
    return ApplicationPeriod(mondays[quarter], mondays[quarter + 1] - ONE_DAY, Rule.BOND_QUARTER)


def _new_bond(first_trade: dt.date) -> ApplicationPeriod | None:
    """First traded from March to May: until the Sunday before the third Monday of August; June to August:
    of November; September to November: of February; December to February: of May.
    """
    season = first_trade.month // 3 % 4  # 0: December to February, 1: March to May, ...
    year = first_trade.year
    if season == 0:
        year, month = (year + 1, 5) if first_trade.month == 12 else (year, 5)
    elif season == 3:
        year, month = year + 1, 2
    else:
        month = {1: 8, 2: 11}[season]
    if year > dt.date.max.year:
        return None
    return ApplicationPeriod(first_trade, third_monday(year, month) - ONE_DAY, Rule.NEW_BOND)


def _plus(day: dt.date, days: dt.timedelta) -> dt.date | None:
    return day + days if dt.date.max - day >= days else None
