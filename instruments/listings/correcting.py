"""Apply corrections outside of a load: after an approval, a withdrawal, or by the calendar."""

import datetime as dt
from collections.abc import Collection

from django.db import connection, transaction

from instruments import corrected_records
from instruments.correctable import CorrectionSubject
from instruments.data_versions import DataSubject
from instruments.entities.load_entities import reindexing
from instruments.listings.load.instruments import rederiving
from instruments.models import ChangeSet, Correction, DataVersion, Instrument, Listing
from instruments.staging.dialect import translating_cursor

_ROWS = 500  # instruments at a time


def reapply(subject: str, codes: Collection[str]) -> None:
    """Apply the corrections of instruments, entities or venues that are in force now."""
    if subject == CorrectionSubject.INSTRUMENT:
        _rederive(codes)
        return
    ordered = sorted(codes)
    for first in range(0, len(ordered), _ROWS):
        page = ordered[first : first + _ROWS]
        with transaction.atomic(), connection.cursor() as cursor:
            if subject == CorrectionSubject.ENTITY:
                with reindexing(cursor, page):
                    corrected_records.apply(CorrectionSubject.ENTITY, page)
                DataVersion.objects.renew(DataSubject.ENTITIES)
            else:
                corrected_records.apply(CorrectionSubject.VENUE, page)
                DataVersion.objects.renew(DataSubject.VENUES)


def _rederive(isins: Collection[str]) -> None:
    """Derive these instruments again with the corrections that are in force now, and report them as changed.

    Each of at most 500 instruments in a transaction of its own, or all in that of the caller.
    """
    ordered = sorted(isins)
    for first in range(0, len(ordered), _ROWS):
        page = list(
            Instrument.objects.filter(pk__in=ordered[first : first + _ROWS]).values_list(
                "pk", flat=True
            )
        )
        with transaction.atomic(), connection.cursor() as cursor:
            number = ChangeSet.objects.begin()
            with rederiving(translating_cursor(cursor), page):
                pass  # nothing is deleted
            Listing.objects.filter(isin__in=page).update(change=number)
            ChangeSet.objects.finish(number, is_correction=True)
            DataVersion.objects.renew(DataSubject.LISTINGS)


def reapply_due(day: dt.date) -> int:
    """Apply the corrections that begin or end by this day; return the number of ISINs, LEIs and MICs."""
    codes: dict[str, set[str]] = {}
    for correction in Correction.objects.due(day):
        codes.setdefault(correction.subject, set()).add(correction.code)
    for subject, of_subject in codes.items():
        reapply(subject, of_subject)
    return sum(map(len, codes.values()))
