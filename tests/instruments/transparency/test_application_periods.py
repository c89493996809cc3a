"""Application periods: a table of dates checked by hand against a calendar, and their properties."""

import datetime as dt
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.transparency.applicable import join_periods
from instruments.transparency.application_periods import (
    ApplicationPeriod,
    Rule,
    equity_period,
    months_reported,
    non_equity_period,
    year_applying,
)

ONE_DAY = dt.timedelta(days=1)
years = st.integers(2018, 2035)
days = st.dates(dt.date(2018, 1, 1), dt.date(2035, 12, 31))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def quarter(year: int, number: int) -> tuple[dt.date, dt.date]:
    first = dt.date(year, 3 * number - 2, 1)
    following = dt.date(year + number // 4, 3 * number % 12 + 1, 1)
    return first, following - ONE_DAY


def bond(first: dt.date | None, last: dt.date | None, **more: dt.date) -> ApplicationPeriod | None:
    return non_equity_period(first, last, is_bond=True, first_trade=more.get("first_trade"))


def assert_seamless(periods: Iterable[ApplicationPeriod | None]) -> None:
    """Each period begins on the day after the one before it."""
    for earlier, later in pairwise(periods):
        assert earlier is not None
        assert later is not None
        assert earlier.last is not None
        assert later.first == earlier.last + ONE_DAY


@pytest.mark.parametrize(
    ("year", "first", "last"),
    [
        (2017, "2018-04-02", "2019-03-31"),
        (2022, "2023-04-03", "2024-03-31"),
        (2023, "2024-04-01", "2025-04-06"),
        (2024, "2025-04-07", "2026-04-05"),
        (2025, "2026-04-06", "2027-04-04"),
    ],
)
def test_yearly_equity_results_apply_from_april_to_april(year: int, first: str, last: str) -> None:
    period = equity_period("YEAR", dt.date(year, 1, 1), dt.date(year, 12, 31), first_trade=None)

    assert period == ApplicationPeriod(day(first), day(last), Rule.EQUITY_YEAR)


@pytest.mark.parametrize(
    ("year", "first", "last"),
    [
        (2017, "2018-06-04", "2019-06-02"),
        (2023, "2024-06-03", "2025-06-01"),
        (2024, "2025-06-02", "2026-05-31"),
    ],
)
@pytest.mark.parametrize("is_bond", [True, False])
def test_yearly_non_equity_results_apply_from_june_to_june(
    year: int, first: str, last: str, is_bond: bool
) -> None:
    period = non_equity_period(
        dt.date(year, 1, 1), dt.date(year, 12, 31), is_bond=is_bond, first_trade=None
    )

    assert period == ApplicationPeriod(day(first), day(last), Rule.NON_EQUITY_YEAR)


@pytest.mark.parametrize(
    ("number", "first", "last"),
    [
        (1, "2025-05-19", "2025-08-17"),
        (2, "2025-08-18", "2025-11-16"),
        (3, "2025-11-17", "2026-02-15"),
        (4, "2026-02-16", "2026-05-17"),
    ],
)
def test_quarterly_bond_liquidity_applies_between_third_mondays(
    number: int, first: str, last: str
) -> None:
    assert bond(*quarter(2025, number)) == ApplicationPeriod(
        day(first), day(last), Rule.BOND_QUARTER
    )


@pytest.mark.parametrize(
    ("first_trade", "last"),
    [
        ("2025-03-01", "2025-08-17"),
        ("2025-05-31", "2025-08-17"),
        ("2025-06-01", "2025-11-16"),
        ("2025-08-31", "2025-11-16"),
        ("2025-09-01", "2026-02-15"),
        ("2025-11-30", "2026-02-15"),
        ("2025-12-01", "2026-05-17"),
        ("2026-02-28", "2026-05-17"),
    ],
)
def test_new_bonds_apply_from_the_first_trade(first_trade: str, last: str) -> None:
    period = bond(None, None, first_trade=day(first_trade))

    assert period == ApplicationPeriod(day(first_trade), day(last), Rule.NEW_BOND)


@pytest.mark.parametrize(
    ("first_trade", "first", "last"),
    [
        ("2023-12-02", "2024-01-13", "2024-03-31"),
        ("2023-12-03", "2024-01-14", "2025-04-06"),
        ("2024-06-03", "2024-07-15", "2025-04-06"),
        ("2024-12-02", "2025-01-13", "2025-04-06"),
        ("2024-12-03", "2025-01-14", "2026-04-05"),
    ],
)
def test_the_first_four_weeks_apply_until_the_next_yearly_result(
    first_trade: str, first: str, last: str
) -> None:
    begin = day(first_trade)
    reported = (begin, begin + dt.timedelta(days=27))

    period = equity_period("FFWK", *reported, first_trade=None)

    assert period == ApplicationPeriod(day(first), day(last), Rule.FOUR_WEEKS)
    assert equity_period("FFWK", None, None, first_trade=begin) == period


def test_an_estimate_applies_for_six_weeks_from_the_first_trade() -> None:
    period = equity_period("ESTM", None, None, first_trade=day("2025-01-15"))

    assert period == ApplicationPeriod(day("2025-01-15"), day("2025-02-25"), Rule.ESTIMATE)
    assert equity_period("ESTM", None, None, first_trade=None) is None


def test_totals_of_half_a_year_never_apply() -> None:
    half = dt.date(2024, 1, 1), dt.date(2024, 6, 30)

    assert equity_period("SINT", *half, first_trade=day("2020-01-01")) is None
    assert bond(*half) is None
    assert non_equity_period(*half, is_bond=False, first_trade=None) is None


def test_a_quarter_is_none_for_derivatives() -> None:
    assert non_equity_period(*quarter(2024, 1), is_bond=False, first_trade=None) is None


@given(years)
def test_yearly_periods_neither_overlap_nor_leave_gaps(year: int) -> None:
    following = [(dt.date(y, 1, 1), dt.date(y, 12, 31)) for y in (year, year + 1)]

    assert_seamless(equity_period("YEAR", *y, first_trade=None) for y in following)
    assert_seamless(bond(*y) for y in following)


@given(years)
def test_quarterly_periods_neither_overlap_nor_leave_gaps(year: int) -> None:
    assert_seamless(bond(*quarter(y, number)) for y in (year, year + 1) for number in (1, 2, 3, 4))


@given(days)
def test_after_an_estimate_the_first_four_weeks_apply_and_then_a_year(first_trade: dt.date) -> None:
    estimate = equity_period("ESTM", None, None, first_trade=first_trade)
    four_weeks = equity_period("FFWK", None, None, first_trade=first_trade)
    assert four_weeks is not None
    assert four_weeks.last is not None
    year = four_weeks.last.year - 1
    yearly = equity_period("YEAR", dt.date(year, 1, 1), dt.date(year, 12, 31), first_trade=None)

    assert_seamless([estimate, four_weeks, yearly])


@given(days)
def test_a_new_bond_applies_until_a_quarterly_result_does(first_trade: dt.date) -> None:
    period = bond(None, None, first_trade=first_trade)

    assert period is not None
    assert period.last is not None
    mondays = {
        applies.first
        for year in range(first_trade.year - 1, first_trade.year + 2)
        for number in (1, 2, 3, 4)
        if (applies := bond(*quarter(year, number)))
    }
    assert period.last + ONE_DAY in mondays
    assert dt.timedelta(days=60) < period.last - first_trade < dt.timedelta(days=175)


@given(days, st.sampled_from([4, 6]))
def test_the_year_that_applies_on_a_day_is_the_one_whose_period_contains_it(
    on: dt.date, month: int
) -> None:
    year = year_applying(on, month=month)
    assert year is not None
    reported = dt.date(year, 1, 1), dt.date(year, 12, 31)

    period = equity_period("YEAR", *reported, first_trade=None) if month == 4 else bond(*reported)

    assert period is not None
    assert on in period


@given(st.dates(), st.dates(), st.sampled_from(["YEAR", "FFWK", "ESTM", "SINT", None]))
def test_any_dates_have_an_answer(first: dt.date, last: dt.date, methodology: str | None) -> None:
    for from_, to in ((first, last), (None, last), (first, None), (None, None)):
        for period in (
            equity_period(methodology, from_, to, first_trade=first),
            non_equity_period(from_, to, is_bond=True, first_trade=last),
        ):
            assert period is None or (period.first or dt.date.min) <= (period.last or dt.date.max)


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2024-01-01", "2024-12-31", 12),
        ("2024-06-15", "2024-12-31", 12),
        ("2023-10-01", "2024-03-31", 6),
        ("2024-07-01", "2024-12-31", 6),
        ("2024-10-01", "2024-12-31", 3),
        ("2024-11-20", "2024-12-31", 3),
    ],
)
def test_the_length_of_a_reporting_period_is_recognised(first: str, last: str, months: int) -> None:
    assert months_reported(day(first), day(last)) == months


@pytest.mark.parametrize(
    ("bounds", "joined"),
    [
        ([], []),
        (["2024-01-01 2024-03-31", "2024-04-01 2024-06-30"], ["2024-01-01 to 2024-06-30"]),
        (["2024-04-01 2024-06-30", "2024-01-01 2024-04-10"], ["2024-01-01 to 2024-06-30"]),
        (["2024-01-01 2024-12-31", "2024-02-01 2024-03-01"], ["2024-01-01 to 2024-12-31"]),
        (["2024-01-01 2024-03-31", "2024-03-31 2024-06-30"], ["2024-01-01 to 2024-06-30"]),
        (
            ["2024-01-01 2024-03-31", "2024-04-02 2024-06-30"],
            ["2024-01-01 to 2024-03-31", "2024-04-02 to 2024-06-30"],
        ),
        (["None 2024-03-31", "None 2024-02-01"], ["open to 2024-03-31"]),
        (["2024-01-01 None", "2024-04-01 2024-06-30"], ["2024-01-01 to open"]),
    ],
)
def test_periods_that_follow_each_other_are_joined(bounds: list[str], joined: list[str]) -> None:
    periods = []
    for text in bounds:
        first, last = (None if word == "None" else day(word) for word in text.split())
        periods.append(ApplicationPeriod(first, last, Rule.PUBLISHED))

    assert join_periods(periods) == joined
