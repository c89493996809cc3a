"""Geometry of charts over time, which templates draw as SVG.

Positions are percentages of the width or height of a chart and not units of a view box: so bars stretch with
the page, while text keeps its size.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

MOST_ROWS = 40
ROW_HEIGHT = 36  # pixels
_AXIS_HEIGHT = 24
# Months between two marks of an axis: the first that gives no more than _MOST_TICKS marks is used.
_STEPS = (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000, 24000)
_MOST_TICKS = 6
# Marks further right have no room for their label.
_LAST_LABEL = 90.0


@dataclasses.dataclass(frozen=True)
class Tick:
    """A mark of an axis, at `x` percent of its width."""

    x: float
    label: str


@dataclasses.dataclass(frozen=True)
class Bar:
    """A period in a chart: from `x`, `width` wide, both in percent."""

    x: float
    width: float
    style: str
    title: str


@dataclasses.dataclass(frozen=True)
class TimeAxis:
    """The days from `first` to `last`, both included, from left to right."""

    first: dt.date
    last: dt.date

    def place(self, day: dt.date) -> float:
        """Return the place of the beginning of a day, in percent; the nearest end for days outside."""
        return self._place(day.toordinal())

    def make_bar(self, first: dt.date, last: dt.date, *, style: str, title: str) -> Bar:
        """Return the bar of a period, both days included; a visible line if it is short or outside."""
        begin = min(self.place(first), 99.5)
        end = self._place(last.toordinal() + 1)
        return Bar(begin, round(max(end - begin, 0.5), 2), style, title)

    def get_ticks(self) -> list[Tick]:
        """Return marks at the beginnings of months or years; of a short time, only its first day."""
        for step in _STEPS:
            days = [day for day in self._iterate_months(step) if self.place(day) <= _LAST_LABEL]
            if len(days) <= _MOST_TICKS:
                break
        if not days:
            return [Tick(0.0, self.first.isoformat())]
        length = 4 if step % 12 == 0 else 7  # 2025, or 2025-08
        return [Tick(self.place(day), day.isoformat()[:length]) for day in days]

    def _place(self, number: int) -> float:
        """Return the place of a day by its ordinal: the one after 9999-12-31 has no date."""
        begin = self.first.toordinal()
        width = max(self.last.toordinal() + 1 - begin, 1)
        return round(100 * min(max(number - begin, 0), width) / width, 2)

    def _iterate_months(self, step: int) -> Iterator[dt.date]:
        """Yield the first days of every `step`-th month, counted from the year 0."""
        month = self.first.year * 12 + self.first.month - 1 + (self.first.day > 1)
        month += -month % step
        end = self.last.year * 12 + self.last.month
        for number in range(month, end, step):
            yield dt.date(number // 12, number % 12 + 1, 1)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a timeline, `top` pixels below its upper edge."""

    top: int
    name: str
    label: str
    bars: list[Bar]

    @property
    def text_y(self) -> int:
        return self.top + 14

    @property
    def bar_y(self) -> int:
        return self.top + 20


@dataclasses.dataclass(frozen=True)
class Timeline:
    """A chart with rows of periods. `left_out` rows beyond MOST_ROWS are not drawn."""

    rows: list[Row]
    ticks: list[Tick]
    left_out: int

    @property
    def axis_y(self) -> int:
        return len(self.rows) * ROW_HEIGHT + 4

    @property
    def height(self) -> int:
        return self.axis_y + _AXIS_HEIGHT


def draw_timeline(axis: TimeAxis, rows: Sequence[tuple[str, str, list[Bar]]]) -> Timeline:
    """Return the timeline of rows with a name, a label and bars."""
    drawn = [
        Row(number * ROW_HEIGHT, name, label, bars)
        for number, (name, label, bars) in enumerate(rows[:MOST_ROWS])
    ]
    return Timeline(drawn, axis.get_ticks(), len(rows) - len(drawn))


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure over a period: a rectangle, all sizes in percent."""

    x: float
    width: float
    y: float
    height: float
    style: str
    title: str


@dataclasses.dataclass(frozen=True)
class ColumnChart:
    """Figures over time, from zero to `largest` at the upper edge."""

    columns: list[Column]
    ticks: list[Tick]
    largest: Decimal


def draw_columns(
    axis: TimeAxis, figures: Sequence[tuple[dt.date, dt.date, Decimal, str, str]]
) -> ColumnChart:
    """Return the chart of figures, each with its first and last day, style and title."""
    largest = max((figure[2] for figure in figures), default=Decimal(0))
    columns = []
    for first, last, value, style, title in figures:
        bar = axis.make_bar(first, last, style=style, title=title)
        height = round(float(100 * value / largest), 2) if largest else 0.0
        columns.append(Column(bar.x, bar.width, round(100 - height, 2), height, style, title))
    return ColumnChart(columns, axis.get_ticks(), largest)
