"""Listings that are out of scope, deleted with their versions: only where somebody asks for it.

A listing is in scope where any of its records says so. Looked through and deleted a page at a time, each
page in a transaction of its own: it may be stopped at any moment, and goes on when it is begun again.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import F

from instruments.listings.load import changes, instruments
from instruments.models import (
    CfiCode,
    Instrument,
    ListedVenue,
    Listing,
    ListingVersion,
    Register,
    Scope,
)
from instruments.staging.dialect import understood

# Listings looked at together: their keys and ISINs are parameters of a statement, and so is the scope;
# SQL Server takes 2,100 in all.
PAGE = 500


@dataclasses.dataclass(frozen=True)
class Page:
    """What of a page is out of scope."""

    looked_at: int
    listings: int
    versions: int


def pages(scope: Scope, *, delete: bool) -> Iterator[Page]:
    """Go through the listings of the scope's register; with `delete`, delete what is out of scope."""
    register = Register(scope.register)
    after = 0
    of_register = Listing.objects.filter(register=register)
    while page := list(
        of_register.filter(pk__gt=after).order_by("pk").values_list("pk", "isin", "mic")[:PAGE]
    ):
        after = page[-1][0]
        with transaction.atomic():
            outside = _outside(scope, page)
            keys = {(isin, mic) for _, isin, mic in outside}
            versions = [pk for pk, *key in _versions(register, keys) if tuple(key) in keys]
            if delete and outside:
                _delete(register, outside, versions)
        yield Page(len(page), len(outside), len(versions))


Rows = list[tuple[int, str, str]]


def _outside(scope: Scope, page: Rows) -> Rows:
    """The listings of a page of which no record says that it is in scope."""
    found = Listing.objects.filter(pk__in=[pk for pk, _, _ in page]).order_by()
    isins = {isin for _, isin, _ in page}
    inside = set(found.filter(scope.condition(isins)).values_list("pk", flat=True))
    left = [row for row in page if row[0] not in inside]
    said_before = {
        (isin, mic)
        for _, isin, mic in _versions(Register(scope.register), {row[1:] for row in left}, scope)
    }
    return [row for row in left if row[1:] not in said_before]


def _versions(
    register: Register, keys: set[tuple[str, str]], scope: Scope | None = None
) -> Iterator[tuple[int, str, str]]:
    """The versions of these ISINs, on these venues and on others; those in `scope` if it is given."""
    isins = {isin for isin, _ in keys}
    found = ListingVersion.objects.filter(register=register, isin__in=isins)
    if scope is not None:
        found = found.filter(scope.condition(isins))
    return found.order_by().values_list("pk", "isin", "mic").iterator(PAGE)


def _delete(register: Register, outside: Rows, versions: list[int]) -> None:
    isins = sorted({isin for _, isin, _ in outside})
    with connection.cursor() as cursor, instruments.deriving_anew(understood(cursor), isins):
        for begin in range(0, len(versions), PAGE):
            ListingVersion.objects.filter(pk__in=versions[begin : begin + PAGE]).delete()
        Listing.objects.filter(pk__in=[pk for pk, _, _ in outside]).delete()
        column = register.counted_in
        for mic, count in Counter(mic for _, _, mic in outside).items():
            ListedVenue.objects.filter(pk=mic).update(
                **{"listings": F("listings") - count, column: F(column) - count}
            )
        ListedVenue.objects.filter(listings=0).delete()
    changes.begin_anew()


def forget_codes() -> None:
    """Take away the CFI codes that no instrument has any more."""
    CfiCode.objects.exclude(pk__in=Instrument.objects.order_by().values("cfi_code")).delete()
