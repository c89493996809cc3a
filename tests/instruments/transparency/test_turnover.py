"""Totals of transactions and volume: a series of periods, of which those that overlap are marked."""

import datetime as dt
from decimal import Decimal

import pytest

from instruments.models import TransparencyResult
from instruments.transparency.turnover import get_turnover


def total(first: str | None, last: str | None) -> TransparencyResult:
    days = (dt.date.fromisoformat(day) if day else None for day in (first, last))
    return TransparencyResult(
        **dict(zip(("reported_from", "reported_to"), days, strict=True)), total_volume=Decimal(1)
    )


@pytest.mark.parametrize(
    ("period", "other_period", "is_overlap"),
    [
        (("2024-01-01", "2024-06-30"), ("2024-07-01", "2024-12-31"), False),
        (("2024-01-01", "2024-06-30"), ("2024-06-30", "2024-12-31"), True),
        (("2024-01-01", "2024-12-31"), ("2024-04-01", "2024-06-30"), True),
        ((None, "2024-03-31"), ("2024-03-31", "2024-06-30"), True),
        ((None, "2024-03-31"), ("2024-04-01", "2024-06-30"), False),
        (("2024-01-01", "2024-03-31"), ("2024-04-01", None), False),
        (("2024-01-01", "2024-03-31"), ("2024-03-31", None), True),
        ((None, "2024-03-31"), ("2024-03-31", None), True),
        ((None, "2024-03-31"), ("2024-04-01", None), False),
        ((None, None), ("2024-01-01", "2024-03-31"), True),
        (("2024-01-01", None), ("2024-04-01", None), True),
        ((None, "2024-03-31"), (None, "2024-06-30"), True),
    ],
)
def test_periods_that_share_a_day_overlap(
    period: tuple[str | None, str | None],
    other_period: tuple[str | None, str | None],
    is_overlap: bool,
) -> None:
    for periods in ((period, other_period), (other_period, period)):
        rows = get_turnover([total(*days) for days in periods])
        assert [row.overlaps for row in rows] == [is_overlap, is_overlap]


def test_totals_are_sorted_by_their_periods_open_ones_outside() -> None:
    periods = [("2024-04-01", "2024-06-30"), (None, "2023-12-31"), ("2024-04-01", None)]
    rows = get_turnover([*(total(*period) for period in periods), TransparencyResult()])

    assert [(row.first_day, row.last_day) for row in rows] == [
        (None, dt.date(2023, 12, 31)),
        (dt.date(2024, 4, 1), dt.date(2024, 6, 30)),
        (dt.date(2024, 4, 1), None),
    ]
