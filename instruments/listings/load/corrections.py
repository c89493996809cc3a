"""Keep corrections over what a merge derives, in its transaction.

After the rows of instruments are derived, and before they are written, the corrections of these instruments
are compared with their listings, which changes their states; those that apply replace values in the rows.
So the search index, the counts by category and the CFI codes in use have the corrected values.
"""

import datetime as dt
from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper

from instruments.correctable import IN_INSTRUMENT, CorrectionSubject, to_text
from instruments.listings.load import temporary_tables
from instruments.listings.models.correction import LIVE
from instruments.models import Correction, Listing, OtherIssuer

_ROWS = 500  # instruments at a time
_CORRECTED = f"""
    SELECT b.isin, b.isin_key, b.mic, b.register FROM temp.derived_instrument b
    WHERE EXISTS (SELECT 1 FROM {Correction._meta.db_table} k
        WHERE k.isin = b.isin AND k.state IN ({", ".join(f"'{state}'" for state in LIVE)}))
"""
_REPLACE = f"""
    UPDATE temp.derived_instrument SET
        {", ".join(f"{c} = coalesce(k.{c}, temp.derived_instrument.{c})" for c in IN_INSTRUMENT)},
        difference = CASE WHEN temp.derived_instrument.difference IS NULL THEN NULL ELSE 2 END
    FROM temp.corrected_instrument AS k WHERE k.isin_key = temp.derived_instrument.isin_key
"""
_INSERT = f"""
    INSERT INTO temp.corrected_instrument (isin_key, {", ".join(IN_INSTRUMENT)})
    VALUES (%s, {", ".join("%s" for _ in IN_INSTRUMENT)})
"""
_Values = dict[str, str]


def apply(cursor: CursorWrapper, *, change: int | None) -> None:
    """Compare the corrections of the instruments in `derived_instrument`, and replace values there.

    All listings of an instrument count as changed when the state of a correction does: in the change set
    `change`, or by the caller if it is None.
    """
    if not Correction.objects.live().about(CorrectionSubject.INSTRUMENT).exists():
        return
    cursor.execute(_CORRECTED)
    references = {isin: (key, mic, register) for isin, key, mic, register in cursor.fetchall()}
    if not references:
        return
    temporary_tables.create(cursor, temporary_tables.CORRECTED_INSTRUMENT)
    isins = sorted(references)
    for first in range(0, len(isins), _ROWS):
        page = isins[first : first + _ROWS]
        compared, advanced = _compare(page, references)
        rows = [
            (references[isin][0], *(values.get(column) for column in IN_INSTRUMENT))
            for isin, values in compared.items()
        ]
        if advanced and change is not None:
            Listing.objects.filter(isin__in=advanced).update(change=change)
        if rows:
            cursor.executemany(" ".join(_INSERT.split()), rows)
    cursor.execute(_REPLACE)
    temporary_tables.drop(cursor, temporary_tables.CORRECTED_INSTRUMENT)


def _compare(
    isins: list[str], references: dict[str, tuple[int, str, str]]
) -> tuple[dict[str, _Values], set[str]]:
    """Advance the corrections of instruments.

    Returns the corrected values of their rows, by ISIN, and the ISINs of the corrections whose state changes.
    """
    corrections = list(Correction.objects.live().of(isins).order_by("pk"))
    columns = {correction.field for correction in corrections}
    listings: dict[str, list[Listing]] = {}
    for listing in Listing.objects.filter(isin__in=isins).only(
        "isin", "mic", "register", "status", *columns
    ):
        listings.setdefault(listing.isin, []).append(listing)
    today = dt.datetime.now(dt.UTC).date()
    values: dict[str, _Values] = {}
    advanced: set[str] = set()
    # Of one venue first: it counts more than one of all venues.
    for correction in sorted(corrections, key=lambda row: (row.mic == "", row.pk)):
        concerned = list(filter(correction.concerns, listings.get(correction.isin, [])))
        if _advance(correction, concerned, today):
            advanced.add(correction.isin)
        _, mic, register = references[correction.isin]
        replaced = _get_replaced(correction, concerned, mic=mic, register=register)
        row = values.setdefault(correction.isin, {})
        if replaced is not None and correction.field in row:
            replaced = None
        if replaced is not None:
            row[correction.field] = correction.value
        if replaced != correction.replaced:
            if correction.field == "issuer_lei" and correction.replaced:
                # It was the issuer of the instrument, although the row had another one.
                OtherIssuer.objects.get_or_create(lei=correction.replaced, isin=correction.isin)
            Correction.objects.filter(pk=correction.pk).update(replaced=replaced)
    return {isin: row for isin, row in values.items() if row}, advanced


def _advance(correction: Correction, concerned: Iterable[Listing], today: dt.date) -> bool:
    """Give a correction the state that the published values lead to. Return whether it is another one."""
    published = [to_text(getattr(listing, correction.field)) for listing in concerned]
    following = correction.compare(published, today)
    if following is None:
        return False
    state, remark = following
    correction.advance(state, remark=remark, by="load")
    return True


def _get_replaced(
    correction: Correction, concerned: Iterable[Listing], *, mic: str, register: str
) -> str | None:
    """Return the published value that it replaces in the row of its instrument; None if it does not."""
    if correction.field not in IN_INSTRUMENT:
        return None
    for listing in concerned:
        if (listing.mic, listing.register) == (mic, register):
            published = to_text(getattr(listing, correction.field))
            return published if correction.applies_to(published) else None
    return None
