"""Delete listings that are out of scope, with their versions: only where somebody asks for it.

A listing is in scope if any of its records is. Listings are examined and deleted a page at a time, each
page in a transaction of its own: the work may be interrupted at any moment, and started again.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import F

from instruments.listings.load import instruments
from instruments.models import (
    CfiCode,
    ChangeSet,
    DataSubject,
    DataVersion,
    Instrument,
    ListedVenue,
    Listing,
    ListingVersion,
    Register,
    Scope,
    TableCount,
)
from instruments.staging.dialect import translating_cursor
from marketdata.common.batches import in_batches

# Listings in a page. Their keys and ISINs are parameters of a statement, beside those of the scope; SQL
# Server takes 2,100 in all.
PAGE_SIZE = 500

# Key, ISIN and MIC.
_Rows = list[tuple[int, str, str]]


@dataclasses.dataclass(frozen=True)
class Page:
    """The number of listings examined, and of listings and versions that are out of scope."""

    examined: int
    listings: int
    versions: int


def pages(scope: Scope, *, delete: bool) -> Iterator[Page]:
    """Go through the listings of the scope's register; with `delete`, delete those out of scope."""
    register = Register(scope.register)
    after = 0
    of_register = Listing.objects.filter(register=register)
    while rows := list(
        of_register.filter(pk__gt=after).order_by("pk").values_list("pk", "isin", "mic")[:PAGE_SIZE]
    ):
        after = rows[-1][0]
        with transaction.atomic():
            outside = _out_of_scope(scope, rows)
            keys = {(isin, mic) for _, isin, mic in outside}
            versions = [pk for pk, *key in _versions(register, keys) if tuple(key) in keys]
            if delete and outside:
                _delete(register, outside, versions)
        yield Page(len(rows), len(outside), len(versions))


def _out_of_scope(scope: Scope, rows: _Rows) -> _Rows:
    """Return the listings of a page of which no record is in scope."""
    listings = Listing.objects.filter(pk__in=[pk for pk, _, _ in rows]).order_by()
    isins = {isin for _, isin, _ in rows}
    inside = set(listings.filter(scope.condition(isins)).values_list("pk", flat=True))
    candidates = [row for row in rows if row[0] not in inside]
    keys_with_version_inside = {
        (isin, mic)
        for _, isin, mic in _versions(
            Register(scope.register), {row[1:] for row in candidates}, scope
        )
    }
    return [row for row in candidates if row[1:] not in keys_with_version_inside]


def _versions(
    register: Register, keys: set[tuple[str, str]], scope: Scope | None = None
) -> Iterator[tuple[int, str, str]]:
    """Yield the versions of the ISINs in `keys`, on all venues; with `scope`, those in it."""
    isins = {isin for isin, _ in keys}
    versions = ListingVersion.objects.filter(register=register, isin__in=isins)
    if scope is not None:
        versions = versions.filter(scope.condition(isins))
    return versions.order_by().values_list("pk", "isin", "mic").iterator(PAGE_SIZE)


def _delete(register: Register, listings: _Rows, versions: list[int]) -> None:
    isins = sorted({isin for _, isin, _ in listings})
    with connection.cursor() as cursor, instruments.rederiving(translating_cursor(cursor), isins):
        for batch in in_batches(versions, PAGE_SIZE):
            ListingVersion.objects.filter(pk__in=batch).delete()
        TableCount.objects.add(ListingVersion, -len(versions))
        Listing.objects.filter(pk__in=[pk for pk, _, _ in listings]).delete()
        column = register.counted_in
        for mic, count in Counter(mic for _, _, mic in listings).items():
            ListedVenue.objects.filter(pk=mic).update(
                **{"listings": F("listings") - count, column: F(column) - count}
            )
        ListedVenue.objects.filter(listings=0).delete()
    ChangeSet.objects.invalidate_cursors()
    DataVersion.objects.renew(DataSubject.LISTINGS)


def delete_unused_cfi_codes() -> None:
    CfiCode.objects.exclude(pk__in=Instrument.objects.order_by().values("cfi_code")).delete()
