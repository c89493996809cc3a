"""Listings that the rejected records of a full file may be of.

A rejected record is in its file all the same, so its listing must not be dropped. Where the ISIN or MIC
itself is malformed, the listings count that the rest of the record points to: rather one too many is kept
than one dropped without being looked at.
"""

import re
from typing import Any

from django.db.models import Q
from pyroaring import BitMap64

from instruments.listings.fields import BY_COLUMN
from instruments.listings.load.context import LISTING, MergeContext
from instruments.models import ListedVenue, Listing
from marketdata.common.batches import in_batches

_KEY_PATHS = ", ".join(f"'{BY_COLUMN[column].path}'" for column in ("isin", "mic"))
_BATCH_SIZE = 100  # records
_MOST = 1_000  # malformed records that are looked at
_ISIN_LENGTH = 12
_CHECKED_LENGTH = 11  # characters of an ISIN before its check digit
_LEAST_LENGTH = 6  # characters that point to few instruments


def find_listings(merge: MergeContext) -> BitMap64:
    """Return the keys of the listings of rejected records."""
    merge.cursor.execute(f"""
        SELECT DISTINCT l.id FROM stage.rejected r CROSS JOIN {LISTING} l
        ON l.isin = r.isin AND l.mic = r.mic AND l.register = '{merge.register}'
    """)
    listings = BitMap64(key for (key,) in merge.cursor.fetchall())
    merge.cursor.execute(
        f"SELECT DISTINCT isin, mic FROM stage.rejected WHERE field IN ({_KEY_PATHS})"
    )
    malformed = sorted((isin or "", mic or "") for isin, mic in merge.cursor.fetchall())[:_MOST]
    of_register = Listing.objects.filter(register=merge.register).order_by()
    for batch in in_batches(malformed, _BATCH_SIZE):
        condition = Q(pk__in=[])
        for isin, mic in batch:
            condition |= _may_be(isin, mic)
        listings |= BitMap64(of_register.filter(condition).values_list("pk", flat=True))
    return listings


def _may_be(isin: str, mic: str) -> Q:
    """Match the listings that a record with these values may be of; none without any clue."""
    isin, mic = (re.sub(r"[^A-Z0-9]", "", text.upper()) for text in (isin, mic))
    conditions: dict[str, Any] = {}
    if len(isin) >= _LEAST_LENGTH:
        first = isin[:_CHECKED_LENGTH]
        conditions = {"isin__gte": first, "isin__lte": first.ljust(_ISIN_LENGTH, "Z")}
    if ListedVenue.objects.filter(pk=mic).exists():
        conditions["mic"] = mic
    return Q(**conditions) if conditions else Q(pk__in=[])
