"""Take the older revisions of a republished file out of the tables, while the newest is merged.

An interrupted merge is taken out in the same way (instruments/interrupted.py).

See republished.py, which finds what they have left there.
"""

import contextlib
import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db.models import F
from pyroaring import BitMap64

from esma_files.models import EsmaFile
from instruments.listings.load import full_sets, instruments, scope, temporary_tables
from instruments.listings.load.context import (
    LISTING,
    VERSION,
    LoadedMeanwhile,
    MergeContext,
    Replacement,
)
from instruments.models import (
    ListedVenue,
    Listing,
    ListingRecord,
    WithdrawnListing,
    WithdrawnRecord,
)
from marketdata.common.batches import in_batches

WITHDRAWN = WithdrawnRecord._meta.db_table
# Columns that a withdrawn listing has as the listing had them.
_KEPT = ("isin", "mic", "register", "status", "valid_from", "source_position", "cfi_code")


@contextlib.contextmanager
def replacing(merge: MergeContext, replacement: Replacement) -> Iterator[None]:
    """Take the older revisions out of the tables, and derive what depends on it after the block.

    The block merges the new revision. Raises LoadedMeanwhile.
    """
    _check_nothing_was_loaded(merge, replacement)
    _note_records(merge)
    reopened = full_sets.withdraw_files(merge, replacement.older)
    with instruments.rederiving_merge(merge, _affected_isins(merge, reopened)):
        if replacement.known_from is not None:
            _keep_withdrawn(merge, replacement.known_from)
        merge.execute(_mark_listings(merge))
        _attribute_confirmed(merge)
        _withdraw_unpublished_listings(merge)
        yield
    temporary_tables.drop(
        merge.cursor, temporary_tables.WITHDRAWN_RECORD, temporary_tables.CONFIRMED_RECORD
    )
    EsmaFile.objects.filter(pk__in=replacement.unread).update(scope_number=None)


def _check_nothing_was_loaded(merge: MergeContext, replacement: Replacement) -> None:
    files = EsmaFile.objects.filter(
        dataset=merge.file.dataset,
        kind__in=scope.INSTRUMENT_FILES,
        loaded_at__gt=replacement.prepared_at,
    )
    if (other := files.exclude(pk=merge.file.pk).first()) is not None:
        raise LoadedMeanwhile(
            f"{merge.file.name}: {other.name} was loaded while the file was prepared to replace its "
            "older revision"
        )


def _note_records(merge: MergeContext) -> None:
    temporary_tables.create(
        merge.cursor, temporary_tables.WITHDRAWN_RECORD, temporary_tables.CONFIRMED_RECORD
    )
    merge.execute(
        """INSERT INTO temp.withdrawn_record (origin, row_id, isin, mic)
            SELECT origin, row_id, isin, mic FROM stage.withdrawn""",
        """INSERT INTO temp.confirmed_record (origin, row_id, position, technical_record_id)
            SELECT origin, row_id, position, technical_record_id FROM stage.confirmed""",
    )


def _affected_isins(merge: MergeContext, reopened: BitMap64) -> list[str]:
    """Return the ISINs of withdrawn records, reopened listings, and staged records that are not known."""
    merge.cursor.execute(f"""
        SELECT isin FROM temp.withdrawn_record
        UNION
        SELECT s.isin FROM stage.record s WHERE NOT EXISTS (
            SELECT 1 FROM {LISTING} l WHERE l.isin = s.isin AND l.mic = s.mic
            AND l.register = '{merge.register}' AND l.status = s.status
            AND l.valid_from = s.valid_from AND l.fingerprint = s.fingerprint)
    """)
    isins = {str(isin) for (isin,) in merge.cursor.fetchall()}
    for batch in in_batches(list(reopened)):
        rows = Listing.objects.filter(pk__in=batch).order_by()
        isins.update(rows.values_list("isin", flat=True))
    return sorted(isins)


def _keep_withdrawn(merge: MergeContext, day: dt.date) -> None:
    columns = [str(field.column) for field in ListingRecord._meta.fields]
    for origin, table in (("listing", LISTING), ("version", VERSION)):
        values = ", ".join(
            "CASE r.status WHEN 'dropped' THEN 'active' ELSE r.status END"
            if column == "status"
            else f"r.{column}"
            for column in columns
        )
        merge.execute(f"""
            INSERT INTO {WITHDRAWN} ({", ".join(columns)}, withdrawn_on)
            SELECT {values}, '{day}' FROM temp.withdrawn_record w
            CROSS JOIN {table} r ON r.id = w.row_id WHERE w.origin = '{origin}'
        """)


def _mark_listings(merge: MergeContext) -> str:
    """SQL: a listing counts as changed when versions of it are withdrawn, or attributed to another file."""
    return f"""
        UPDATE {LISTING} SET change_id = {merge.change} WHERE id IN (
            SELECT l.id FROM (
                SELECT isin, mic FROM temp.withdrawn_record WHERE origin = 'version'
                UNION
                SELECT v.isin, v.mic FROM temp.confirmed_record c CROSS JOIN {VERSION} v ON v.id = c.row_id
                WHERE c.origin = 'version'
            ) AS k CROSS JOIN {LISTING} l
                ON l.isin = k.isin AND l.mic = k.mic AND l.register = '{merge.register}')
    """


def _attribute_confirmed(merge: MergeContext) -> None:
    for origin, table in (("listing", LISTING), ("version", VERSION)):
        change = f", change_id = {merge.change}" if origin == "listing" else ""
        merge.execute(f"""
            UPDATE {table} SET source_file_id = {merge.file.pk}, source_position = c.position,
                technical_record_id = coalesce(c.technical_record_id, {table}.technical_record_id)
                {change}
            FROM temp.confirmed_record c WHERE c.origin = '{origin}' AND c.row_id = {table}.id
        """)


def _withdraw_unpublished_listings(merge: MergeContext) -> None:
    """Delete the listings of which nothing is left: no other version, and no record in the staging file.

    The changes feed tells of them.

    Before anything is inserted: the triggers of the search index take the tables for what is indexed.
    """
    merge.cursor.execute(f"""
        SELECT w.row_id, w.mic FROM temp.withdrawn_record w WHERE w.origin = 'listing'
        AND NOT EXISTS (SELECT 1 FROM stage.record s WHERE s.isin = w.isin AND s.mic = w.mic)
        AND NOT EXISTS (
            SELECT 1 FROM {VERSION} v WHERE v.isin = w.isin AND v.mic = w.mic
            AND v.register = '{merge.register}' AND v.id NOT IN (
                SELECT row_id FROM temp.withdrawn_record WHERE origin = 'version'))
    """)
    by_mic: dict[str, list[Any]] = defaultdict(list)
    for listing, mic in merge.cursor.fetchall():
        by_mic[mic].append(listing)
    own = merge.register.counted_in
    for mic, listings in by_mic.items():
        for batch in in_batches(listings):
            rows = Listing.objects.filter(pk__in=batch)
            WithdrawnListing.objects.bulk_create(
                WithdrawnListing(
                    listing_id=pk, source_file=merge.file, change_id=merge.change, **values
                )
                for pk, *columns in rows.order_by("pk").values_list("pk", *_KEPT)
                for values in [dict(zip(_KEPT, columns, strict=True))]
            )
            rows.delete()
        ListedVenue.objects.filter(pk=mic).update(
            **{"listings": F("listings") - len(listings), own: F(own) - len(listings)}
        )
    if by_mic:
        ListedVenue.objects.filter(listings=0).delete()
