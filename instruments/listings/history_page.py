"""Pages of the history of an instrument: all its records, and the differences between any two of them."""

import itertools
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.listings import descriptions, lookup
from instruments.listings.corrections import read_approved
from instruments.listings.history import Version, read_versions
from instruments.listings.status import today
from instruments.listings.timeline_chart import draw_versions
from instruments.listings.timelines import Timeline, read_timelines
from instruments.models import Correction, Instrument, ListingRecord
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.labels import label_field
from marketdata.web.access import GuardedView, reading
from marketdata.web.pages import check_page_number

LISTINGS_SHOWN = 20
# Records to choose from; of an instrument with more, only those of the two listings that are compared.
_MOST_CHOICES = 300
_NOT_COMPARED = {"isin"}


def get_key(record: ListingRecord) -> str:
    """Return the address of a record among those of its instrument: its file and its position there."""
    return f"{record.source_file_id}-{record.source_position}"


def _get_instrument(isin: str) -> Instrument:
    try:
        return lookup.get_instrument(isin)
    except (InvalidQuery, NotInDatabase) as error:
        raise Http404(str(error)) from error


class HistoryView(GuardedView):
    """Every record of an instrument, listing by listing, with its changes. Query parameter: `page`."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest, isin: str) -> HttpResponse:
        instrument = _get_instrument(isin)
        versions = read_versions(instrument.isin)
        listings = [
            list(group)
            for _, group in itertools.groupby(versions, key=lambda v: _get_place(v.record))
        ]
        approved = read_approved(instrument.isin)
        check_page_number(request.GET.get("page"))
        page = Paginator(listings, LISTINGS_SHOWN).get_page(request.GET.get("page"))
        context = {
            "instrument": instrument,
            "record_count": sum(map(len, listings)),
            "listing_count": len(listings),
            "page": page,
            "chart": draw_versions(page.object_list, today()),
            "listings": [_describe_versions(versions, approved) for versions in page.object_list],
        }
        return render(request, "instruments/history.html", context)


def _get_place(record: ListingRecord) -> tuple[str, str]:
    return record.mic, record.register


def _describe_versions(versions: list[Version], approved: list[Correction]) -> dict[str, Any]:
    """Return a listing with its records, newest first, each with its key and that of the one before."""
    keys = [get_key(version.record) for version in versions]
    newest = versions[0].record
    return {
        "mic": newest.mic,
        "venue_name": getattr(newest, "venue_name", None),
        "register": newest.get_register_display(),
        "versions": [
            {
                **descriptions.describe_version(version, approved),
                "file_pk": version.record.source_file_id,
                "key": key,
                "previous": previous,
                "changed": [
                    (label_field(name), old, new) for name, (old, new) in version.changes.items()
                ],
            }
            for version, key, previous in zip(versions, keys, [*keys[1:], ""], strict=True)
        ],
    }


class CompareView(GuardedView):
    """The differences between two records of an instrument, of one listing or of two.

    Query parameters are `first` and `second`, the keys of two records (by default the last two of the
    reference listing, or its only one and one of another listing), and `all` to show also the fields
    that are equal.
    """

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest, isin: str) -> HttpResponse:
        instrument = _get_instrument(isin)
        timelines = read_timelines(instrument.isin)
        records = {
            get_key(record): record for timeline in timelines for record in reversed(timeline)
        }
        pair = _choose_pair(instrument, timelines)
        first = _choose(records, request.GET.get("first", ""), pair[0])
        second = _choose(records, request.GET.get("second", ""), pair[-1])
        rows = _compare(first, second)
        is_complete = request.GET.get("all", "") == "on"
        places = {_get_place(first), _get_place(second)}
        choices = [
            (key, _describe_choice(record))
            for key, record in records.items()
            if len(records) <= _MOST_CHOICES or _get_place(record) in places
        ]
        context = {
            "instrument": instrument,
            "first": first,
            "second": second,
            "keys": (
                ("first", "Record", get_key(first)),
                ("second", "Other record", get_key(second)),
            ),
            "choices": choices,
            "is_complete": is_complete,
            "rows": [row for row in rows if is_complete or row["differs"]],
            "difference_count": sum(row["differs"] for row in rows),
        }
        return render(request, "instruments/compare.html", context)


def _choose_pair(instrument: Instrument, timelines: list[Timeline]) -> list[ListingRecord]:
    """Return the records that are compared if none are named; the only one of an instrument that has one."""
    reference = next(
        (t for t in timelines if _get_place(t[0]) == (instrument.mic, instrument.register)),
        timelines[0],
    )
    newest = reference[-2:]
    if len(newest) == 1:
        newest += [other[-1] for other in timelines if other is not reference][:1]
    return newest


def _choose(records: dict[str, ListingRecord], key: str, default: ListingRecord) -> ListingRecord:
    """Return the record with a key, by default the other one. Raises Http404 for an unknown key."""
    if key and key not in records:
        raise Http404(f"This instrument has no record {key[:40]!r}.")
    return records[key] if key else default


def _describe_choice(record: ListingRecord) -> str:
    return f"{record.mic}, {record.register}, from {record.valid_from} ({record.source_file.name})"


def _compare(first: ListingRecord, second: ListingRecord) -> list[dict[str, Any]]:
    """Return every published field of two records that either of them has, in the order of the record."""
    pair = descriptions.describe_record(first), descriptions.describe_record(second)
    return [
        {
            "label": label_field(name),
            "first": pair[0][name],
            "second": pair[1][name],
            "differs": pair[0][name] != pair[1][name],
        }
        for name in pair[0]
        if name not in _NOT_COMPARED and (pair[0][name], pair[1][name]) != (None, None)
    ]
