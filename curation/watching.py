"""Watch lists: what has changed in the instruments of a list since its owner last looked, or was mailed."""

import dataclasses
import logging
import re
import smtplib
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.http import QueryDict
from django.utils import timezone

from curation.models import WatchList
from instruments.listings import changes
from instruments.listings.corrections import read_in_use
from instruments.listings.fields import FIELDS
from instruments.listings.filters import InstrumentFilterSet
from instruments.listings.lookup import resolve_list
from instruments.models import (
    ChangeSet,
    Correction,
    Instrument,
    Listing,
    ListingVersion,
    WithdrawnListing,
)
from marketdata.common.errors import InvalidQuery, NotInDatabase, WrongState
from marketdata.common.filters import get_messages
from marketdata.common.plain import to_plain
from marketdata.common.suggestions import describe_unknown, list_known

logger = logging.getLogger(__name__)

MAX_LISTS = 50  # of a user
MAX_CHANGES = 200  # that are shown at a time
_LOOKED_AT = 20_000  # changed listings that are compared with a filter at a time
_PAGE = 500
_LAST = 2**63 - 1  # a place after every listing of a change set
_TECHNICAL = {"technical_record_id", "last_updated_at", "submitted_at", "isin", "mic"}
_COMPARED = [field.column for field in FIELDS if field.column not in _TECHNICAL]


@dataclasses.dataclass(frozen=True)
class Changes:
    """Changed listings as plain values, the place up to which they were read, and if there may be more."""

    listings: list[dict[str, Any]]
    until: str
    has_more: bool


def get_list(number: int, owner: str) -> WatchList:
    """Return a watch list of a user. Raises NotInDatabase, also for one of another user."""
    watch_list = WatchList.objects.filter(pk=number, owner=owner).first()
    if watch_list is None:
        raise NotInDatabase(f"You have no watch list {number}.")
    return watch_list


def check_filter(text: str) -> str:
    """Return the query string of a filter of instruments. Raises InvalidQuery."""
    text = text.strip().lstrip("?")
    try:
        values = QueryDict(text, encoding="utf-8")
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidQuery("filter", f"{text!r} is not a query string.") from error
    known = InstrumentFilterSet.base_filters
    unknown = [name for name in values if name not in known]
    if unknown:
        raise InvalidQuery("filter", describe_unknown(unknown[0], known, "filter"))
    if not any(str(value).strip() for value in values.values()):
        message = f"{text!r} has no filter with a value. {list_known(known, 'filter')}"
        raise InvalidQuery("filter", message)
    if problems := get_messages(InstrumentFilterSet(values, Instrument.objects.all())):
        name, texts = next(iter(problems.items()))
        raise InvalidQuery("filter", f"{name}: {' '.join(map(str, texts))}")
    return text


def check_isins(isins: Iterable[str]) -> list[str]:
    """Return the ISINs that ISINs, FIGIs and tickers mean, each once, in order.

    Raises InvalidQuery.
    """
    unique = sorted(set(resolve_list((isin for isin in isins if isin.strip()), "isins")))
    if len(unique) > WatchList.MAX_ISINS:
        raise InvalidQuery(
            "isins", f"At most {WatchList.MAX_ISINS:,} ISINs; these are {len(unique):,}."
        )
    return unique


def check(watch_list: WatchList) -> None:
    """Check a watch list, and normalize its values. Raises InvalidQuery."""
    watch_list.name = _write_in_a_line(watch_list.name)
    if not watch_list.name:
        raise InvalidQuery("name", "Give the list a name.")
    if not watch_list.name.isprintable():
        raise InvalidQuery("name", "The name has characters that cannot be seen.")
    watch_list.isins = check_isins(watch_list.isins)
    if watch_list.filter:
        watch_list.filter = check_filter(watch_list.filter)
    if bool(watch_list.isins) == bool(watch_list.filter):
        raise InvalidQuery("isins", "Give either ISINs or a filter, and leave the other one empty.")


def _write_in_a_line(name: str) -> str:
    """Return a name as one line: in the subject of a mail, another one would be a header of its own."""
    return " ".join(name.split())


def save(watch_list: WatchList) -> None:
    """Check and save a watch list; a new one begins with the changes from now on.

    Raises InvalidQuery, WrongState.
    """
    check(watch_list)
    if watch_list._state.adding:
        if WatchList.objects.filter(owner=watch_list.owner).count() >= MAX_LISTS:
            raise WrongState(f"You have {MAX_LISTS} watch lists: delete one first.")
        watch_list.seen = watch_list.mailed = _get_last_place()
    try:
        with transaction.atomic():
            watch_list.save()
    except IntegrityError as error:
        raise WrongState(f"You have a watch list {watch_list.name!r} already.") from error


def _get_last_place() -> str:
    """Return the place after all changes."""
    last = ChangeSet.objects.order_by("-number").values_list("number", flat=True).first()
    return f"{last or 0}.{_LAST}"


def _parse_place(text: str) -> tuple[int, int]:
    """Return change set and key of a listing. Raises InvalidQuery."""
    match = re.fullmatch("([0-9]{1,18})[.]([0-9]{1,19})", text)
    if match is None or int(match[2]) > _LAST:
        raise InvalidQuery(
            "until", f"{text!r} is not a place in the changes: pass `until` of the changes."
        )
    return int(match[1]), int(match[2])


def read_changes(watch_list: WatchList, *, since: str | None = None) -> Changes:
    """Return the listings of a watch list that were written after a place, the oldest change first.

    `since` is what the owner has seen, by default.
    """
    after = _parse_place(watch_list.seen if since is None else since)
    last = _parse_place(_get_last_place())
    if watch_list.isins:
        places = changes.read_places(after, MAX_CHANGES + 1, isins=watch_list.isins)
        has_more = len(places) > MAX_CHANGES
        del places[MAX_CHANGES:]
        until = _get_end(places) if has_more else max(last, _get_end(places))
    else:
        places, until, has_more = _filter_changes(after, watch_list.filter, last)
    return Changes(_describe(places), f"{until[0]}.{until[1]}", has_more)


def _get_end(places: list[changes.Place]) -> tuple[int, int]:
    """Return the last one of some places; the beginning if there are none."""
    return (places[-1].change, places[-1].key) if places else (0, 0)


def read_members(watch_list: WatchList) -> dict[str, str | None]:
    """Return the ISINs of a watch list, each with its name; None for one that is not loaded."""
    loaded = Instrument.objects.filter(pk__in=watch_list.isins)
    names = dict(loaded.order_by().values_list("isin", "full_name"))
    return {isin: names.get(isin) for isin in watch_list.isins}


def _filter_changes(
    after: tuple[int, int], text: str, last: tuple[int, int]
) -> tuple[list[changes.Place], tuple[int, int], bool]:
    """Return the places of the changed listings whose instrument matches a filter.

    With them the place that was reached, and whether there may be more behind it. The filter cannot be asked
    of an instrument that is no longer loaded: its withdrawn listings do not match.
    """
    matching: list[changes.Place] = []
    for _ in range(0, _LOOKED_AT, _PAGE):
        page = changes.read_places(after, _PAGE)
        isins = _read_isins(page)
        instruments = Instrument.objects.filter(pk__in=set(isins.values()))
        filtered: Any = InstrumentFilterSet(QueryDict(text), instruments).qs
        selected = set(filtered.order_by().values_list("pk", flat=True))
        for place in page:
            if isins.get(place) in selected:
                matching.append(place)
            if len(matching) == MAX_CHANGES:
                return matching, _get_end(matching), True
        after = max(after, _get_end(page))
        if len(page) < _PAGE:
            return matching, max(last, after), False
    return matching, after, True


def _read_isins(places: list[changes.Place]) -> dict[changes.Place, str]:
    """Return the ISINs of listings and withdrawn listings."""
    isins: dict[changes.Place, str] = {}
    for model, is_withdrawn in ((Listing, False), (WithdrawnListing, True)):
        keys = {place.key: place for place in places if place.is_withdrawn == is_withdrawn}
        if keys:
            rows: Any = model._default_manager.filter(pk__in=keys).order_by()
            isins |= {keys[pk]: isin for pk, isin in rows.values_list("pk", "isin")}
    return isins


def _describe(places: list[changes.Place]) -> list[dict[str, Any]]:
    """Return the changes at some places as plain values, in their order."""
    described = _describe_listings([place.key for place in places if not place.is_withdrawn])
    described |= _describe_withdrawn([place.key for place in places if place.is_withdrawn])
    return [described[place.key] for place in places if place.key in described]


def _describe_listings(keys: list[int]) -> dict[int, dict[str, Any]]:
    of_listing = ListingVersion.objects.filter(
        isin=OuterRef("isin"), mic=OuterRef("mic"), register=OuterRef("register")
    )
    newest = of_listing.order_by("-valid_from", "-pk").values("pk")[:1]
    listings: list[Any] = list(
        Listing.objects.filter(pk__in=keys)
        .select_related("change")
        .annotate(version_before=Subquery(newest))
        .order_by()
    )
    versions = ListingVersion.objects.in_bulk(
        [listing.version_before for listing in listings if listing.version_before]
    )
    corrections = read_in_use({row.isin for row in listings if row.change.is_correction})
    described = {}
    for listing in listings:
        version_before = versions.get(listing.version_before)
        if listing.change.is_correction:
            differences = _describe_corrections(listing, corrections.get(listing.isin, ()))
        else:
            differences = _compare(version_before, listing)
        kind = changes.get_kind(
            listing.status,
            has_versions=version_before is not None,
            is_correction=listing.change.is_correction,
        )
        described[listing.pk] = _describe_one(listing, listing.full_name, kind, differences)
    return described


def _describe_withdrawn(keys: list[int]) -> dict[int, dict[str, Any]]:
    listings = list(WithdrawnListing.objects.filter(pk__in=keys).select_related("change"))
    loaded = Instrument.objects.filter(pk__in={listing.isin for listing in listings})
    names = dict(loaded.order_by().values_list("isin", "full_name"))
    return {
        listing.pk: _describe_one(listing, names.get(listing.isin), changes.WITHDRAWN, [])
        for listing in listings
    }


def _describe_one(
    listing: Listing | WithdrawnListing,
    full_name: str | None,
    kind: str,
    differences: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "isin": listing.isin,
        "mic": listing.mic,
        "register": listing.register,
        "full_name": full_name,
        "kind": kind,
        "learned_at": to_plain(listing.change.made_at),
        "differences": differences,
    }


def _compare(before: ListingVersion | None, listing: Listing) -> list[dict[str, Any]]:
    """Return the columns in which a listing differs from its record before."""
    if before is None:
        return []
    return [
        {
            "field": column,
            "old": to_plain(getattr(before, column)),
            "new": to_plain(getattr(listing, column)),
        }
        for column in _COMPARED
        if getattr(before, column) != getattr(listing, column)
    ]


def _describe_corrections(
    listing: Listing, corrections: Iterable[Correction]
) -> list[dict[str, Any]]:
    """Return the published and the right values of a listing; none where a correction has been lifted."""
    return [
        {
            "field": correction.field,
            "old": to_plain(correction.expected_value),
            "new": to_plain(correction.right_value),
        }
        for correction in corrections
        if correction.concerns(listing)
    ]


def mark_as_seen(watch_list: WatchList, until: str = "") -> None:
    """Note that the owner has seen the changes up to a place, by default all. Raises InvalidQuery."""
    last = _get_last_place()
    place = min(_parse_place(until or last), _parse_place(last))
    seen = max(place, _parse_place(watch_list.seen))
    watch_list.seen = f"{seen[0]}.{seen[1]}"
    watch_list.seen_at = timezone.now()
    watch_list.save(update_fields=["seen", "seen_at"])


def describe_list(watch_list: WatchList) -> dict[str, Any]:
    return {
        "number": watch_list.pk,
        "name": watch_list.name,
        "isins": watch_list.isins,
        "filter": watch_list.filter,
        "by_mail": watch_list.by_mail,
        "seen_at": to_plain(watch_list.seen_at),
    }


def send_mails() -> int:
    """Mail the changes of the lists that ask for it to their owners; return the number of mails.

    A list whose mail cannot be sent is tried again the next time.
    """
    sent = 0
    users = get_user_model()._default_manager.filter(is_active=True).exclude(email="")
    for watch_list in WatchList.objects.filter(by_mail=True).order_by("pk"):
        owner = users.filter(username=watch_list.owner).first()
        if owner is None or not owner.has_perm("curation.keep_watchlist"):
            continue
        changes_read = read_changes(watch_list, since=watch_list.mailed)
        if changes_read.listings:
            try:
                send_mail(
                    f"MarketData: changes of {_write_in_a_line(watch_list.name)}",
                    format_mail(watch_list, changes_read),
                    None,
                    [owner.email],
                )
            # ValueError: the address, which a tenant of Entra ID may have given, is none.
            except (OSError, ValueError, smtplib.SMTPException) as error:
                logger.error("The mail of watch list %s was not sent: %s", watch_list.pk, error)
                continue
            sent += 1
        WatchList.objects.filter(pk=watch_list.pk).update(mailed=changes_read.until)
    return sent


def format_mail(watch_list: WatchList, read: Changes) -> str:
    """Return the text of a mail."""
    lines = [f"Changes of the watch list {watch_list.name}:", ""]
    for row in read.listings:
        lines.append(
            f"{row['isin']} {row['mic']} ({row['register']}): {row['kind']}, {row['full_name'] or ''}"
        )
        lines += [
            f"    {difference['field']}: {difference['old']} -> {difference['new']}"
            for difference in row["differences"]
        ]
    if read.has_more:
        lines += ["", "There are more changes: they follow with the next mail."]
    return "\n".join(lines) + "\n"
