"""Merge a staged BIC-LEI file into the tables, as sets of rows; the caller holds the transaction.

Each file has all pairs of a BIC and an LEI, so the newest that is loaded counts, by its name: what it lacks
is deleted, and a file published before it changes nothing. An excerpt deletes nothing. An LEI may have
several BICs.
"""

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.entities.load_level_2 import find_newest_full
from instruments.entities.models import EntityBic
from instruments.listings.load.merge import Counts

_TABLE = EntityBic._meta.db_table
_IS_LOADED = f"SELECT 1 FROM {_TABLE} t WHERE t.bic = r.bic AND t.lei = r.lei"
_DELETE_MISSING = f"""
    DELETE FROM {_TABLE} WHERE NOT EXISTS
        (SELECT 1 FROM stage.record s WHERE s.bic = {_TABLE}.bic AND s.lei = {_TABLE}.lei)
"""


def merge(cursor: CursorWrapper, file: EsmaFile, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of `file`.

    A pair that the file repeats counts as unchanged.
    """
    cursor.execute("SELECT count(*) FROM stage.record")
    [total] = cursor.fetchone()
    if file.name < find_newest_full(file.dataset):
        return Counts(late=total)
    ended = 0
    if not file.is_excerpt:
        cursor.execute(_DELETE_MISSING)
        ended = cursor.rowcount
    cursor.execute(
        f"""
        INSERT OR FAIL INTO {_TABLE} (bic, lei, source_file_id)
        SELECT DISTINCT r.bic, r.lei, {file.pk} FROM stage.record r
        WHERE NOT EXISTS ({_IS_LOADED})
        """
    )
    new = cursor.rowcount
    return Counts(new=new, ended=ended, unchanged=total - new)
