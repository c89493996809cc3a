"""Merge a staged file of relationships or reporting exceptions; the caller holds the transaction.

The newest record of a key counts. Relationships have a last update; of reporting exceptions that of the file
published later counts, which its name tells. Unlike LEIs, relationships and exceptions disappear: what the
newest golden copy that is loaded lacks is deleted, and records of an older file that it lacks are not
inserted (late). So the order in which files are loaded makes no difference.

The temporary table `level_2_outcome` has a row for each staged record; `former_id` is the key of the row with
the same key in the tables.
"""

import dataclasses
from collections.abc import Sequence

from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from esma_files.kinds import KINDS
from esma_files.models import EsmaFile
from instruments.entities.level_2_fields import EXCEPTION_FIELDS, LISTS, RELATIONSHIP_FIELDS
from instruments.entities.models import EntityRelationship, ReportingException
from instruments.entities.sources import Origin, source_name
from instruments.fields import Field
from instruments.listings.load.merge import Counts

FILE = EsmaFile._meta.db_table
_OUTCOME = """
    CREATE TEMP TABLE level_2_outcome (
        position INTEGER PRIMARY KEY, former_id INTEGER, outcome VARCHAR(10))
"""


@dataclasses.dataclass(frozen=True)
class _Target:
    """A table of level 2 records: the columns of its key, and that of the last update, if there is one."""

    model: type[Model]
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    derived: tuple[str, ...] = ()
    version: str = ""

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def leis(self) -> tuple[str, ...]:
        """The columns of the key that hold LEIs."""
        return tuple(column for column in self.key if column.endswith("lei"))

    def has_key_of(self, other: str, row: str = "t") -> str:
        """Return the SQL condition that two rows have the same key."""
        return " AND ".join(f"{row}.{column} = {other}.{column}" for column in self.key)


_RELATIONSHIPS = _Target(
    EntityRelationship,
    ("start_lei", "type", "end_lei"),
    RELATIONSHIP_FIELDS,
    (*LISTS, "started_at", "ended_at"),
    version="last_updated_at",
)
_EXCEPTIONS = _Target(ReportingException, ("lei", "category"), EXCEPTION_FIELDS)
_TARGETS = {"RR": _RELATIONSHIPS, "REPEX": _EXCEPTIONS}


def merge_relationships(cursor: CursorWrapper, file: EsmaFile, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`, which holds relationships of `file`."""
    return merge_from(cursor, Origin.of_file(file), "RR", columns)


def merge_exceptions(cursor: CursorWrapper, file: EsmaFile, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`, which holds reporting exceptions of `file`."""
    return merge_from(cursor, Origin.of_file(file), "REPEX", columns)


def merge_from(cursor: CursorWrapper, origin: Origin, kind: str, columns: frozenset[str]) -> Counts:
    """Merge the staging file attached as `stage`: relationships (RR) or reporting exceptions (REPEX)."""
    target = _TARGETS[kind]
    newest_full = find_newest_full(origin.dataset)
    cursor.execute("DROP TABLE IF EXISTS temp.level_2_outcome")
    cursor.execute(_OUTCOME)
    cursor.execute(_compare(origin, target, newest_full))
    cursor.execute(
        f"DELETE FROM {target.table} WHERE id IN"
        " (SELECT former_id FROM temp.level_2_outcome WHERE outcome = 'changed')"
    )
    cursor.execute(_insert(origin, target, columns))
    ended = 0
    if origin.is_whole and origin.name >= newest_full:
        cursor.execute(_delete_missing(origin, target))
        ended = cursor.rowcount
    cursor.execute("SELECT outcome, count(*) FROM temp.level_2_outcome GROUP BY outcome")
    counts = dict(cursor.fetchall())
    cursor.execute("DROP TABLE IF EXISTS temp.level_2_outcome")
    return Counts(**counts, ended=ended)


def delete_not_answered(
    cursor: CursorWrapper, origin: Origin, kind: str, leis: Sequence[str]
) -> int:
    """Delete what an earlier answer of the API had about these LEIs, and the staged answer lacks.

    Records of files stay: the API has no relationships that have ended. Returns the number of rows.
    """
    target = _TARGETS[kind]
    places = ", ".join(["%s"] * len(leis))
    about = " OR ".join(f"{column} IN ({places})" for column in target.leis)
    cursor.execute(
        f"DELETE FROM {target.table} WHERE source_answer <> '' AND source_answer <= '{origin.name}'"
        f" AND ({about}) AND NOT EXISTS"
        f" (SELECT 1 FROM stage.record s WHERE {target.has_key_of(target.table, 's')})",
        [*leis] * len(target.leis),
    )
    return int(cursor.rowcount)


def find_newest_full(dataset: str) -> str:
    """Return the name of the newest whole golden copy of the dataset that is loaded; "" if none is."""
    full_kinds = [kind.code for kind in KINDS.values() if kind.is_full]
    loaded = EsmaFile.objects.filter(dataset=dataset, kind__in=full_kinds, is_excerpt=False)
    newest = loaded.exclude(loaded_at=None).order_by("-name").first()
    return newest.name if newest else ""


def _compare(origin: Origin, target: _Target, newest_full: str) -> str:
    """Give each staged record its outcome, and the key of the row that it replaces."""
    is_later = f"{source_name('t', 'f')} <= '{origin.name}'"
    if target.version:
        version = target.version
        is_later = f"""(s.{version} > t.{version} OR (s.{version} = t.{version} AND {is_later}))"""
    order = f"s.{target.version} DESC, s.position DESC" if target.version else "s.position DESC"
    if_unknown = "late" if origin.name < newest_full else "new"
    key = ", ".join(f"s.{column}" for column in target.key)
    return f"""
        INSERT INTO temp.level_2_outcome (position, former_id, outcome)
        SELECT s.position, t.id, CASE
            WHEN s.place > 1 THEN 'late'
            WHEN t.id IS NULL THEN '{if_unknown}'
            WHEN s.fingerprint = t.fingerprint THEN 'unchanged'
            WHEN {is_later} THEN 'changed'
            ELSE 'late' END
        FROM (
            SELECT s.position, {key}, s.fingerprint{f", s.{target.version}" if target.version else ""},
                row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place
            FROM stage.record s
        ) AS s
        LEFT JOIN {target.table} t ON {target.has_key_of("s")}
        LEFT JOIN {FILE} f ON f.id = t.source_file_id
    """


def _insert(origin: Origin, target: _Target, columns: frozenset[str]) -> str:
    columns |= frozenset(target.key)  # an answer may have no record at all
    fields = [field.column for field in target.fields if field.column in columns]
    fields += target.derived
    return f"""
        INSERT OR FAIL INTO {target.table}
            (source_file_id, source_answer, source_position, fingerprint, {", ".join(fields)})
        SELECT {origin.values}, o.position, r.fingerprint, {", ".join(f"r.{name}" for name in fields)}
        FROM temp.level_2_outcome o CROSS JOIN stage.record r ON r.position = o.position
        WHERE o.outcome IN ('new', 'changed')
    """


def _delete_missing(origin: Origin, target: _Target) -> str:
    """Delete the rows of files and answers published earlier that the golden copy lacks."""
    of_table = target.has_key_of(target.table, "s")
    return f"""
        DELETE FROM {target.table} WHERE (source_file_id IN (
            SELECT f.id FROM {FILE} f WHERE f.dataset = '{origin.dataset}' AND f.name < '{origin.name}')
            OR (source_answer <> '' AND source_answer < '{origin.name}'))
        AND NOT EXISTS (SELECT 1 FROM stage.record s WHERE {of_table})
    """
