"""Charts over time: places of days, marks of axes, and sizes of columns."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marketdata.web.charts import MOST_ROWS, TimeAxis, draw_columns, draw_timeline
from tests.properties import examples

DAYS = st.dates()


@pytest.mark.slow
@examples(50)
@example([dt.date.min, dt.date.max], [dt.date.max, dt.date.max])
@example([dt.date.max, dt.date.max], [dt.date.min, dt.date.max])
@given(st.tuples(DAYS, DAYS).map(sorted), st.tuples(DAYS, DAYS).map(sorted))
def test_bars_and_marks_lie_within_the_chart(ends: list[dt.date], period: list[dt.date]) -> None:
    axis = TimeAxis(*ends)

    bar = axis.make_bar(*period, style="active", title="")
    ticks = axis.get_ticks()

    assert 0 <= bar.x < bar.x + bar.width <= 100.01
    assert bar.width >= 0.5
    assert 1 <= len(ticks) <= 7
    assert all(0 <= tick.x <= 90 for tick in ticks)
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        ("2025-01-01", "2025-01-01", ["2025-01"]),
        ("2025-01-05", "2025-01-20", ["2025-01-05"]),
        ("2025-01-01", "2025-04-30", ["2025-01", "2025-02", "2025-03", "2025-04"]),
        ("2019-06-30", "2024-06-30", ["2020", "2021", "2022", "2023"]),
        ("1999-06-30", "2026-11-27", ["2000", "2005", "2010", "2015", "2020"]),
    ],
)
def test_marks_are_at_beginnings_of_months_or_years(
    first: str, last: str, labels: list[str]
) -> None:
    axis = TimeAxis(dt.date.fromisoformat(first), dt.date.fromisoformat(last))

    assert [tick.label for tick in axis.get_ticks()] == labels


def test_a_period_has_the_share_of_the_width_that_it_has_of_the_time() -> None:
    axis = TimeAxis(dt.date(2025, 1, 1), dt.date(2025, 1, 10))

    bar = axis.make_bar(dt.date(2025, 1, 3), dt.date(2025, 1, 4), style="active", title="")

    assert (bar.x, bar.width) == (20, 20)


def test_columns_are_as_high_as_their_share_of_the_largest_figure() -> None:
    first, last = dt.date(2025, 1, 1), dt.date(2025, 1, 10)
    figures = [(first, last, Decimal(value), "active", "") for value in (10, 40, 0)]

    chart = draw_columns(TimeAxis(first, last), figures)

    assert chart.largest == 40
    assert [(column.y, column.height) for column in chart.columns] == [(75, 25), (0, 100), (100, 0)]


def test_rows_beyond_the_limit_are_counted() -> None:
    axis = TimeAxis(dt.date(2025, 1, 1), dt.date(2025, 1, 10))

    timeline = draw_timeline(axis, [("XSTO", "", [])] * (MOST_ROWS + 3))

    assert (len(timeline.rows), timeline.left_out) == (MOST_ROWS, 3)
