"""Transparency results of an instrument over time: the results in force, and turnover, as charts."""

import datetime as dt
import itertools
from collections import defaultdict
from decimal import Decimal

from instruments.transparency.applicable import (
    RESPECTS,
    Applicable,
    DatedResult,
    application_period_of,
    find_applicable,
    period_text,
)
from instruments.transparency.questions import InstrumentTransparency
from marketdata.web.charts import (
    Bar,
    ColumnChart,
    TimeAxis,
    Timeline,
    draw_columns,
    draw_timeline,
)

_DAY = dt.timedelta(days=1)


def draw_in_force(answer: InstrumentTransparency) -> Timeline | None:
    """Return the results in force over time in each respect; None if none ever applies.

    They are those of the newest version of each result. Periods that are open end with the chart.
    """
    begins, ends = _find_bounds(answer)
    if not begins | ends:
        return None
    last = max(ends | begins | {answer.on})
    axis = TimeAxis(min(begins | ends), last)
    days = sorted(begins | {day + _DAY for day in ends if day < last})
    bars: dict[str, list[Bar]] = defaultdict(list)
    for day, following in itertools.pairwise([*days, last + _DAY]):
        states = find_applicable(answer.results, day, first_trade=answer.first_trade)
        for respect, state in states.items():
            if state.in_force:
                bars[respect].append(_make_bar(axis, day, following - _DAY, state))
    rows = [
        (respect.replace("_", " ").capitalize(), "", bars[respect])
        for respect in RESPECTS
        if respect in bars
    ]
    return draw_timeline(axis, rows) if rows else None


def _find_bounds(answer: InstrumentTransparency) -> tuple[set[dt.date], set[dt.date]]:
    """Return the first days and the last days of the application periods."""
    periods = [
        period
        for result in answer.results
        if (period := application_period_of(result, answer.first_trade)) is not None
    ]
    begins = {period.first for period in periods if period.first}
    ends = {period.last for period in periods if period.last and period.last < dt.date.max}
    return begins, ends


def _make_bar(axis: TimeAxis, first: dt.date, last: dt.date, state: Applicable) -> Bar:
    if state.only is None:
        return axis.make_bar(first, last, style="invalid", title=state.why)
    is_illiquid = state.only.result.liquid is False
    title = f"{_describe_liquidity(state.only)}. {state.why}"
    return axis.make_bar(first, last, style="terminated" if is_illiquid else "active", title=title)


def _describe_liquidity(dated: DatedResult) -> str:
    if dated.result.liquid is None:
        return "Liquidity not published"
    return "Liquid" if dated.result.liquid else "Not liquid"


def draw_turnover(answer: InstrumentTransparency) -> ColumnChart | None:
    """Return the average daily volume of each reporting period; None if no volume is published.

    The published total is divided by the days of the period, so that long and short periods can be compared.
    """
    totals = [
        (row.first_day, row.last_day, row.volume, row)
        for row in answer.turnover
        if row.first_day and row.last_day and row.volume is not None
    ]
    if not totals:
        return None
    axis = TimeAxis(min(row[0] for row in totals), max(row[1] for row in totals))
    figures = []
    for first, last, volume, row in totals:
        daily = volume / Decimal((last - first).days + 1)
        title = f"{period_text(first, last)}: {volume.normalize():,f} in all, {daily:,.0f} a day"
        style = "overlapping" if row.overlaps else "active"
        figures.append((first, last, daily, style, title))
    return draw_columns(axis, figures)
