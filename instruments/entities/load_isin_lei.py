"""Merge a staged ISIN-LEI file into the tables, as sets of rows; the caller holds the transaction.

Each file has all ISINs, so the newest that is loaded counts, by its name: what it lacks is deleted, and a
file published before it changes nothing. An ISIN has one LEI; should a file have two, the later line counts.
An excerpt deletes nothing.

The temporary table `isin_lei_outcome` has a row for each staged record that is new, changed or late; the
others are unchanged. `mapped_lei_id` is the key of the record's LEI.
"""

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.entities.load_level_2 import find_newest_full
from instruments.entities.models import MappedIssuer, MappedLei
from instruments.listings.load.merge import Counts

_TABLE, _LEIS = MappedIssuer._meta.db_table, MappedLei._meta.db_table
_OUTCOME = """
    CREATE TEMP TABLE isin_lei_outcome (
        position INTEGER PRIMARY KEY, isin VARCHAR(12), mapped_lei_id INTEGER, outcome VARCHAR(10))
"""
_ADD_LEIS = f"""
    INSERT INTO {_LEIS} (lei)
    SELECT DISTINCT r.lei FROM stage.record r
    WHERE NOT EXISTS (SELECT 1 FROM {_LEIS} l WHERE l.lei = r.lei)
"""
_COMPARE = f"""
    INSERT INTO temp.isin_lei_outcome (position, isin, mapped_lei_id, outcome)
    SELECT s.position, s.isin, l.id, CASE
        WHEN s.place > 1 THEN 'late'
        WHEN t.isin IS NULL THEN 'new'
        ELSE 'changed' END
    FROM (
        SELECT r.position, r.isin, r.lei,
            row_number() OVER (PARTITION BY r.isin ORDER BY r.position DESC) AS place
        FROM stage.record r
    ) AS s
    CROSS JOIN {_LEIS} l ON l.lei = s.lei
    LEFT JOIN {_TABLE} t ON t.isin = s.isin
    WHERE s.place > 1 OR t.isin IS NULL OR t.mapped_lei_id <> l.id
"""
_DELETE_CHANGED = f"""
    DELETE FROM {_TABLE} WHERE isin IN
        (SELECT o.isin FROM temp.isin_lei_outcome o WHERE o.outcome = 'changed')
"""
_DELETE_MISSING = f"""
    DELETE FROM {_TABLE} WHERE NOT EXISTS
        (SELECT 1 FROM stage.record s WHERE s.isin = {_TABLE}.isin)
"""
_DELETE_UNUSED_LEIS = f"""
    DELETE FROM {_LEIS} WHERE id NOT IN (SELECT t.mapped_lei_id FROM {_TABLE} t)
"""


def merge(cursor: CursorWrapper, file: EsmaFile, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of `file`."""
    cursor.execute("SELECT count(*) FROM stage.record")
    [total] = cursor.fetchone()
    newest = find_newest_full(file.dataset)
    if file.name < newest:
        return Counts(late=total)
    cursor.execute("DROP TABLE IF EXISTS temp.isin_lei_outcome")
    cursor.execute(_OUTCOME)
    cursor.execute(_ADD_LEIS)
    cursor.execute(_COMPARE)
    cursor.execute(_DELETE_CHANGED)
    cursor.execute(
        f"""
        INSERT OR FAIL INTO {_TABLE} (isin, mapped_lei_id, source_file_id)
        SELECT o.isin, o.mapped_lei_id, {file.pk} FROM temp.isin_lei_outcome o
        WHERE o.outcome IN ('new', 'changed') ORDER BY o.isin
        """
    )
    ended = 0
    if not file.is_excerpt:
        cursor.execute(_DELETE_MISSING)
        ended = cursor.rowcount
        cursor.execute(_DELETE_UNUSED_LEIS)
    cursor.execute("SELECT outcome, count(*) FROM temp.isin_lei_outcome GROUP BY outcome")
    counts = dict(cursor.fetchall())
    cursor.execute("DROP TABLE IF EXISTS temp.isin_lei_outcome")
    return Counts(**counts, ended=ended, unchanged=total - sum(counts.values()))
