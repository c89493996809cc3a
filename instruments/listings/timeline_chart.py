"""Timelines of listings as charts: periods of trading, and the validity of records."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence

from instruments.listings.history import Version, get_drop_day, get_first_day
from instruments.listings.status import get_effective_status
from instruments.listings.terms import FIRST_REAL_DAY, get_beginning, get_end
from instruments.models import ListingRecord, Status
from marketdata.common.numbers import format_count
from marketdata.web.charts import Bar, TimeAxis, Timeline, draw_timeline


@dataclasses.dataclass(frozen=True)
class TradingPeriod:
    """The first and the last day of trading on a venue, both included; `last` is None while it goes on."""

    first: dt.date
    last: dt.date | None

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.last else f"since {self.first}"


def get_trading_period(record: ListingRecord) -> TradingPeriod | None:
    """Return the period of trading by a record; None for a listing that was cancelled.

    It begins with the first trade, else with an approval or request for admission, else with the validity of
    the record. It ends with the first of termination, expiry, maturity, and a full set without the listing.
    """
    if record.status == Status.CANCELLED:
        return None
    first = get_beginning(record.first_trade_at) or get_first_day(record) or record.valid_from
    ends = [
        *map(get_end, (record.terminated_at, record.expiry_date, record.maturity_date)),
        get_drop_day(record),
    ]
    last = min((day for day in ends if day is not None), default=None)
    if last is None and record.status == Status.TERMINATED:
        last = get_end(record.published_period_to or record.published_to) or record.valid_from
    return TradingPeriod(max(first, FIRST_REAL_DAY), last)


def draw_listings(listings: Sequence[ListingRecord], day: dt.date) -> Timeline | None:
    """Return the trading periods of listings up to a day, earliest first; None if there are none to draw."""
    periods = [
        (record, period)
        for record in listings
        if (period := get_trading_period(record)) is not None
    ]
    if not periods:
        return None
    periods.sort(key=lambda item: (item[1].first, item[0].mic, item[0].register))
    axis = TimeAxis(min(periods[0][1].first, day), day)
    rows = []
    for record, period in periods:
        status = get_effective_status(record, day)
        title = f"{record.mic}, {record.register}: {period} ({status.label.lower()})"
        last = min(period.last or day, day)
        bar = axis.make_bar(period.first, last, style=str(status), title=title)
        rows.append((record.mic, _get_label(record, str(period)), [bar]))
    return draw_timeline(axis, rows)


def draw_versions(groups: Iterable[Sequence[Version]], day: dt.date) -> Timeline | None:
    """Return the validity of the records of each listing up to a day; None if there is none to draw.

    A record that was never valid is a line on the day of its publication.
    """
    listings = [versions for versions in groups if versions]
    if not listings:
        return None
    first = min(version.validity.valid_from for versions in listings for version in versions)
    axis = TimeAxis(min(first, day), day)
    rows = []
    for versions in listings:
        bars = [_make_version_bar(axis, version, day) for version in reversed(versions)]
        count = format_count(len(versions), "record")
        newest = versions[0].record
        rows.append((newest.mic, _get_label(newest, count), bars))
    return draw_timeline(axis, rows)


def _make_version_bar(axis: TimeAxis, version: Version, day: dt.date) -> Bar:
    record, validity = version.record, version.validity
    title = f"{record.source_file.name}, record {record.source_position}: {validity.rule}"
    if not validity.was_valid:
        return axis.make_bar(validity.valid_from, validity.valid_from, style="invalid", title=title)
    last = min(validity.valid_to or day, day)
    period = f"{validity.valid_from} to {validity.valid_to or 'open'}"
    style = "active" if validity.until is None else "terminated"
    return axis.make_bar(validity.valid_from, last, style=style, title=f"{period}. {title}")


def _get_label(record: ListingRecord, note: str) -> str:
    name = getattr(record, "venue_name", None) or ""
    return ", ".join(part for part in (name[:40], str(record.register), note) if part)
