"""Merge a staged file of level 1 records into the tables, as sets of rows; the caller holds the transaction.

The newest record of an LEI counts: the one with the later last update, and of two with the same, that of the
file published later, by its name. So the order in which files are loaded makes no difference, and a full
copy, a delta and an answer of the API are merged in the same way: GLEIF removes no LEI. An entity that
changes is rewritten with its parts.

The temporary table `entity_outcome` has a row for each staged record. Its `outcome` is new, changed,
unchanged or late (the tables, or the file, have a newer one); `fingerprint` is that of the record with its
parts, and `former_id` the key of the row that is replaced.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from esma_files.models import EsmaFile
from instruments import corrected_records
from instruments.correctable import CorrectionSubject
from instruments.entities import search
from instruments.entities.fields import ENTITY_FIELDS, PARTS
from instruments.entities.models import (
    EntityAddress,
    EntityAuthority,
    EntityEvent,
    EntityName,
    EntitySuccessor,
    LegalEntity,
)
from instruments.entities.sources import Origin, source_name
from instruments.listings.load.merge import Counts
from instruments.models import Correction
from instruments.staging import fingerprint

ENTITY = LegalEntity._meta.db_table
FILE = EsmaFile._meta.db_table
NAME = EntityName._meta.db_table
# The tables that the staged parts of records go into.
PART_MODELS: dict[str, type[Model]] = {
    "entity_name": EntityName,
    "entity_address": EntityAddress,
    "entity_event": EntityEvent,
    "entity_authority": EntityAuthority,
    "entity_successor": EntitySuccessor,
}
_OUTCOME = """
    CREATE TEMP TABLE entity_outcome (
        position INTEGER PRIMARY KEY, lei VARCHAR(20), fingerprint INTEGER, former_id INTEGER,
        outcome VARCHAR(10))
"""
_CHANGED = "SELECT lei FROM temp.entity_outcome WHERE outcome = 'changed'"


def _compare(origin: Origin) -> str:
    """Give each staged record its outcome, and those that change an entity the key of its row."""
    is_newer = f"""(s.last_updated_at > e.last_updated_at OR (s.last_updated_at = e.last_updated_at
        AND {source_name("e", "f")} <= '{origin.name}'))"""
    return f"""
        INSERT INTO temp.entity_outcome (position, lei, fingerprint, former_id, outcome)
        SELECT s.position, s.lei, s.fingerprint, e.id, CASE
            WHEN s.is_newest = 0 THEN 'late'
            WHEN e.id IS NULL THEN 'new'
            WHEN s.fingerprint = e.fingerprint THEN 'unchanged'
            WHEN {is_newer} THEN 'changed'
            ELSE 'late' END
        FROM (
            SELECT r.position, r.lei, r.last_updated_at,
                (r.fingerprint + coalesce(p.total, 0)) & {fingerprint.MASK} AS fingerprint,
                CASE WHEN EXISTS (SELECT 1 FROM stage.record n WHERE n.lei = r.lei
                    AND (n.last_updated_at > r.last_updated_at
                        OR (n.last_updated_at = r.last_updated_at AND n.position > r.position)))
                THEN 0 ELSE 1 END AS is_newest
            FROM stage.record r LEFT JOIN stage.part_total p ON p.position = r.position
        ) AS s
        LEFT JOIN {ENTITY} e ON e.lei = s.lei
        LEFT JOIN {FILE} f ON f.id = e.source_file_id
    """


def _insert_entities(origin: Origin, columns: frozenset[str]) -> str:
    fields = [field.column for field in ENTITY_FIELDS if field.column in columns]
    return f"""
        INSERT OR FAIL INTO {ENTITY}
            (source_file_id, source_answer, source_position, fingerprint, {", ".join(fields)})
        SELECT {origin.values}, o.position, o.fingerprint, {", ".join(f"r.{field}" for field in fields)}
        FROM temp.entity_outcome o CROSS JOIN stage.record r ON r.position = o.position
        WHERE o.outcome IN ('new', 'changed')
    """


def _insert_parts(table: str, columns: tuple[str, ...]) -> str:
    return f"""
        INSERT OR FAIL INTO {PART_MODELS[table]._meta.db_table} (lei, {", ".join(columns)})
        SELECT o.lei, {", ".join(f"s.{column}" for column in columns)}
        FROM stage.{table} s CROSS JOIN temp.entity_outcome o ON o.position = s.position
        WHERE o.outcome IN ('new', 'changed')
    """


_DELETE_WORDS = f"""
    INSERT INTO {search.INDEX} ({search.INDEX}, rowid, document)
    SELECT 'delete', e.id, {search.document("e", NAME)}
    FROM temp.entity_outcome o CROSS JOIN {ENTITY} e ON e.id = o.former_id
    WHERE o.outcome = 'changed'
"""
# The rows that a merge inserts have the greatest keys: so they are read in one go, and not looked up by LEI.
_LAST_KEY = f"SELECT coalesce(max(id), 0) FROM {ENTITY}"


def _insert_words(*, has_corrections: bool) -> str:
    document = search.document("e", NAME, has_corrections=has_corrections)
    return f"""
        INSERT INTO {search.INDEX} (rowid, document)
        SELECT e.id, {document} FROM {ENTITY} e WHERE e.id > %s
    """


_CORRECTED = f"""
    SELECT o.lei FROM temp.entity_outcome o WHERE o.outcome IN ('new', 'changed') AND EXISTS (
        SELECT 1 FROM {Correction._meta.db_table} k WHERE k.lei = o.lei AND {corrected_records.IS_LIVE})
"""


def _apply_corrections(cursor: CursorWrapper) -> bool:
    """Compare the corrections of the entities that are new or have changed with their new records.

    Returns whether there are any corrections of entities.
    """
    has_corrections = Correction.objects.about(CorrectionSubject.ENTITY).exists()
    if has_corrections:
        cursor.execute(_CORRECTED)
        leis = [lei for (lei,) in cursor.fetchall()]
        corrected_records.apply(CorrectionSubject.ENTITY, leis)
    return has_corrections


@contextmanager
def reindexing(cursor: CursorWrapper, leis: Sequence[str]) -> Iterator[None]:
    """Index the names of at most 500 entities again, whose corrections change in between."""
    if cursor.db.vendor != "sqlite" or not leis:
        yield
        return
    document = search.document("e", NAME)
    rows = f"FROM {ENTITY} e WHERE e.lei IN ({', '.join('%s' for _ in leis)})"
    index = search.INDEX
    cursor.execute(
        f"INSERT INTO {index} ({index}, rowid, document) SELECT 'delete', e.id, {document} {rows}",
        leis,
    )
    yield
    cursor.execute(f"INSERT INTO {index} (rowid, document) SELECT e.id, {document} {rows}", leis)


def merge(cursor: CursorWrapper, file: EsmaFile, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of `file`.

    `columns` are the staged columns that have a value in any record. Returns the number of records by
    outcome.
    """
    return merge_from(cursor, Origin.of_file(file), columns)


def merge_from(cursor: CursorWrapper, origin: Origin, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of a file or of an answer."""
    cursor.execute("DROP TABLE IF EXISTS temp.entity_outcome")
    cursor.execute(_OUTCOME)
    cursor.execute(_compare(origin))
    cursor.execute("SELECT outcome, count(*) FROM temp.entity_outcome GROUP BY outcome")
    counts = Counts(**dict(cursor.fetchall()))
    if counts.changed:
        _delete_changed(cursor)
    if counts.new or counts.changed:
        _insert(cursor, origin, columns)
    cursor.execute("DROP TABLE IF EXISTS temp.entity_outcome")
    return counts


def _delete_changed(cursor: CursorWrapper) -> None:
    if cursor.db.vendor == "sqlite":
        cursor.execute(_DELETE_WORDS)
    for model in PART_MODELS.values():
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE lei IN ({_CHANGED})")
    cursor.execute(f"DELETE FROM {ENTITY} WHERE lei IN ({_CHANGED})")


def _insert(cursor: CursorWrapper, origin: Origin, columns: frozenset[str]) -> None:
    """Insert the entities that are new or have changed, with their parts and the words of their names."""
    cursor.execute(_LAST_KEY)
    [(last_key,)] = cursor.fetchall()
    cursor.execute(_insert_entities(origin, columns))
    for part in PARTS:
        cursor.execute(_insert_parts(part.table, part.columns))
    has_corrections = _apply_corrections(cursor)
    if cursor.db.vendor == "sqlite":
        cursor.execute(_insert_words(has_corrections=has_corrections), [last_key])
