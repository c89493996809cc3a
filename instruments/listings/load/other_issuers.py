"""Keep the issuers of records that are not those of their instruments: see `OtherIssuer`.

A record that is written has the issuer of its instrument, or is noted here. When the issuer of an instrument
changes, the one that it had is noted. So each issuer of each record is in one of the two tables.
"""

from django.db.backends.utils import CursorWrapper

from instruments.models import Instrument, OtherIssuer

INSTRUMENT = Instrument._meta.db_table
OTHER_ISSUER = OtherIssuer._meta.db_table

# CROSS JOIN makes SQLite go from the few instruments that are derived to their rows and records.
_REPLACED = f"""
    SELECT i.issuer_lei AS lei, i.isin FROM temp.derived_instrument b
    CROSS JOIN {INSTRUMENT} i ON i.isin = b.isin
    WHERE b.difference = 2 AND i.issuer_lei <> '' AND i.issuer_lei <> b.issuer_lei
"""
_STAGED = """
    SELECT s.issuer_lei AS lei, s.isin FROM temp.changed_instrument c
    CROSS JOIN temp.derived_instrument b ON b.isin_key = c.isin_key
    CROSS JOIN temp.record_outcome o ON o.isin = c.isin
    CROSS JOIN stage.record s ON s.position = o.position
    WHERE o.outcome <> 'unchanged' AND s.issuer_lei <> b.issuer_lei
"""
# A cancelled instrument keeps the terms of an earlier record, also where its only listing was just written.
_CANCELLED = """
    SELECT s.issuer_lei AS lei, s.isin FROM temp.derived_instrument b
    CROSS JOIN temp.record_outcome o ON o.isin = b.isin
    CROSS JOIN stage.record s ON s.position = o.position
    WHERE b.status = 'cancelled' AND o.outcome <> 'unchanged' AND s.issuer_lei <> b.issuer_lei
"""


def note_derived(cursor: CursorWrapper, *, is_merge: bool) -> None:
    """Note the issuers that derived instruments had, and in a merge those of the staged records.

    Called before `derived_instrument` is written. Instruments with a single listing are not in
    `changed_instrument`: only the issuer that they had can differ, unless they are cancelled.
    """
    staged = (_STAGED, _CANCELLED) if is_merge else ()
    _insert(cursor, " UNION ALL ".join((_REPLACED, *staged)))


def note_deleted(cursor: CursorWrapper, is_deleted: str) -> None:
    """Note the issuers of instruments `i` that are about to be deleted: all their records were withdrawn."""
    _insert(
        cursor,
        f"""SELECT i.issuer_lei AS lei, i.isin FROM {INSTRUMENT} i
            WHERE i.issuer_lei <> '' AND {is_deleted}""",
    )


def note_staged(cursor: CursorWrapper, positions: str) -> None:
    """Note the issuers of staged records that are kept beside the tables, as those of an older revision are.

    `positions` are theirs, separated by commas.
    """
    _insert(
        cursor,
        f"""SELECT s.issuer_lei AS lei, s.isin FROM stage.record s
            LEFT JOIN {INSTRUMENT} i ON i.isin = s.isin
            WHERE s.position IN ({positions}) AND s.issuer_lei <> coalesce(i.issuer_lei, '')""",
    )


def forget(cursor: CursorWrapper, is_deleted: str) -> None:
    """Delete the issuers of instruments that are deleted for good; `is_deleted` is the condition on them."""
    cursor.execute(f"DELETE FROM {OTHER_ISSUER} WHERE {is_deleted}")


def _insert(cursor: CursorWrapper, issuers: str) -> None:
    cursor.execute(f"""
        INSERT OR FAIL INTO {OTHER_ISSUER} (lei, isin)
        SELECT DISTINCT k.lei, k.isin FROM ({issuers}) AS k WHERE NOT EXISTS (
            SELECT 1 FROM {OTHER_ISSUER} o WHERE o.lei = k.lei AND o.isin = k.isin)
    """)
