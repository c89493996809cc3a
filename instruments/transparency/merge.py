"""A staging file of results into the tables: sets of rows, never one; the caller holds the transaction.

Each distinct record is stored once, with the file that was published first with it in it. Of the
records of one result (ISIN or class, and `result_key`), those first published by the newest
publication are current, and the others superseded. So the tables are a function of the *set* of files
loaded, as those of FIRDS are (`merge.py`).
"""

import dataclasses

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from esma_files.names import Kind
from instruments.layouts import layout_of
from instruments.listings.load.merge import Counts
from instruments.models import (
    PublishedResult,
    SubclassTransparency,
    TransparencyResult,
    VolumeCap,
    VolumeCapVenue,
)
from instruments.transparency.fields import CRITERIA, SUB_CLASS
from instruments.volume_cap.fields import VENUE_FIELDS

FILE = EsmaFile._meta.db_table
_OWN = ("register", "source_file_id", "source_position", "superseded")
_OUTCOME = """
    CREATE TEMP TABLE outcome (
        position INTEGER, owner TEXT, result_key INTEGER, fingerprint INTEGER, row_id INTEGER,
        outcome TEXT)
"""


@dataclasses.dataclass(frozen=True)
class _Target:
    """A table of results, and what they are of (`owner`): columns beside the fields of the file, from
    `said` and from `record`; and the table and columns of `venue`, where the parts of records go.
    """

    model: type[PublishedResult]
    owner: str
    looked_up: tuple[str, ...]
    derived: tuple[str, ...] = ()
    venues: str = ""
    of_venue: tuple[str, ...] = ()


_LOOKED_UP = ("fingerprint", "result_key")
_OF_FITRS = ((*_LOOKED_UP, SUB_CLASS, CRITERIA), ("record_kind", "subject"))
_TRANSPARENCY = (
    _Target(TransparencyResult, "isin", *_OF_FITRS),
    _Target(SubclassTransparency, "asset_class", *_OF_FITRS),
)
_VOLUME_CAP = (
    _Target(
        VolumeCap,
        "isin",
        _LOOKED_UP,
        venues=VolumeCapVenue._meta.db_table,
        of_venue=tuple(field.column for field in VENUE_FIELDS),
    ),
)


def _publication(sequence: str) -> str:
    """Of a file's place in publication order, what its parts and letters have in common: the day, full
    or delta, and the revision.
    """
    return f"({sequence} / 100000 * 100 + {sequence} % 100)"


@dataclasses.dataclass(frozen=True)
class _Merge:
    """The statements for one file and one table."""

    target: _Target
    file_id: int
    sequence: int
    file_name: str
    register: str
    fields: tuple[str, ...]  # columns that have a value in any staged record

    @property
    def table(self) -> str:
        return self.target.model._meta.db_table

    @property
    def owner(self) -> str:
        return self.target.owner

    @property
    def outcome(self) -> str:
        """Each staged record is `new`, `unchanged`, or known from a file published later (`earlier`)."""
        return f"""
            INSERT INTO temp.outcome
            SELECT position, owner, result_key, fingerprint, row_id, CASE
                WHEN repeat > 1 THEN 'unchanged'
                WHEN row_id IS NULL THEN 'new'
                WHEN sequence > {self.sequence} OR (sequence = {self.sequence}
                    AND name > '{self.file_name}') THEN 'earlier'
                ELSE 'unchanged' END
            FROM (
                SELECT s.position, s.{self.owner} AS owner, s.result_key, s.fingerprint,
                    r.id AS row_id, f.sequence, f.name, row_number() OVER (
                        PARTITION BY s.{self.owner}, s.result_key, s.fingerprint
                        ORDER BY s.position) AS repeat
                FROM stage.said s
                LEFT JOIN {self.table} r ON r.{self.owner} = s.{self.owner}
                    AND r.result_key = s.result_key AND r.fingerprint = s.fingerprint
                    AND r.register = '{self.register}'
                LEFT JOIN {FILE} f ON f.id = r.source_file_id
                WHERE s.{self.owner} IS NOT NULL
            ) AS looked_up
        """

    @property
    def insert(self) -> str:
        looked_up, derived = self.target.looked_up, self.target.derived
        columns = (*_OWN, *looked_up, *derived, *self.fields)
        said = [f"s.{column}" for column in looked_up]
        read = [f"r.{column}" for column in (*derived, *self.fields)]
        return f"""
            INSERT OR FAIL INTO {self.table} ({", ".join(columns)})
            SELECT '{self.register}', {self.file_id}, o.position, 0, {", ".join((*said, *read))}
            FROM temp.outcome o CROSS JOIN stage.said s ON s.position = o.position
            CROSS JOIN stage.record r ON r.position = o.position
            WHERE o.outcome = 'new' ORDER BY o.owner, o.result_key, o.fingerprint
        """

    @property
    def insert_venues(self) -> str:
        """In an order of their own, so that it does not matter which file was loaded first."""
        columns = ", ".join(f"v.{column}" for column in self.target.of_venue)
        return f"""
            INSERT INTO {self.target.venues} (volume_cap_id, {", ".join(self.target.of_venue)})
            SELECT r.id, {columns}
            FROM temp.outcome o CROSS JOIN {self.table} r ON r.{self.owner} = o.owner
                AND r.result_key = o.result_key AND r.fingerprint = o.fingerprint
                AND r.register = '{self.register}'
            CROSS JOIN stage.venue v ON v.position = o.position
            WHERE o.outcome = 'new' ORDER BY r.id, {columns}
        """

    @property
    def published_earlier(self) -> str:
        return f"""
            UPDATE {self.table} SET source_file_id = {self.file_id}, source_position = o.position
            FROM temp.outcome o WHERE o.outcome = 'earlier' AND o.row_id = {self.table}.id
        """

    @property
    def contested(self) -> str:
        """The results touched that have more than one record."""
        return f"""
            CREATE TEMP TABLE contested AS
            SELECT DISTINCT o.owner, o.result_key FROM temp.outcome o
            WHERE o.outcome <> 'unchanged' AND (
                SELECT count(*) FROM {self.table} r WHERE r.{self.owner} = o.owner
                AND r.result_key = o.result_key AND r.register = '{self.register}') > 1
        """

    @property
    def supersede(self) -> str:
        return f"""
            UPDATE {self.table} SET superseded = x.superseded FROM (
                SELECT r.id, CASE WHEN {_publication("f.sequence")} < max(
                    {_publication("f.sequence")}) OVER (PARTITION BY r.{self.owner}, r.result_key)
                    THEN 1 ELSE 0 END AS superseded
                FROM temp.contested k CROSS JOIN {self.table} r ON r.{self.owner} = k.owner
                    AND r.result_key = k.result_key AND r.register = '{self.register}'
                JOIN {FILE} f ON f.id = r.source_file_id
            ) AS x WHERE x.id = {self.table}.id AND x.superseded <> {self.table}.superseded
        """

    @property
    def settle(self) -> str:
        """A record that is new, of a result that is not, has changed it or has come late."""
        return f"""
            UPDATE temp.outcome SET outcome = CASE WHEN r.superseded = 1 THEN 'late' ELSE 'changed' END
            FROM temp.contested k CROSS JOIN {self.table} r ON r.{self.owner} = k.owner
                AND r.result_key = k.result_key AND r.register = '{self.register}'
            WHERE temp.outcome.outcome = 'new' AND temp.outcome.owner = k.owner
                AND temp.outcome.result_key = k.result_key
                AND temp.outcome.fingerprint = r.fingerprint
                AND EXISTS (SELECT 1 FROM {self.table} x WHERE x.{self.owner} = k.owner
                    AND x.result_key = k.result_key AND x.superseded = 1)
        """


def merge(
    cursor: CursorWrapper, file: EsmaFile, *, register: str, columns: frozenset[str]
) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of `file`.

    `columns` are those of its fields that have a value in any record.
    """
    found: dict[str, int] = {}
    for target in _VOLUME_CAP if Kind(file.kind) is Kind.DVCRES else _TRANSPARENCY:
        cursor.execute(f"SELECT 1 FROM stage.said WHERE {target.owner} IS NOT NULL LIMIT 1")
        if cursor.fetchone():
            for outcome, count in _merge(cursor, file, target, register, columns):
                found[outcome] = found.get(outcome, 0) + count
    unchanged = found.get("unchanged", 0) + found.get("earlier", 0)
    new, changed, late = (found.get(name, 0) for name in ("new", "changed", "late"))
    return Counts(new=new, changed=changed, ended=0, dropped=0, late=late, unchanged=unchanged)


def _merge(
    cursor: CursorWrapper,
    file: EsmaFile,
    target: _Target,
    register: str,
    columns: frozenset[str],
) -> list[tuple[str, int]]:
    in_table = {field.attname for field in target.model._meta.fields}
    fields = {field.column for field in layout_of(file.name).fields} & columns & in_table
    statements = _Merge(
        target,
        file.pk,
        file.sequence,
        file.name,
        register,
        tuple(sorted(fields | {target.owner})),
    )
    _drop_temporary(cursor)
    for statement in (
        _OUTCOME,
        statements.outcome,
        statements.insert,
        *([statements.insert_venues] if target.venues else []),
        statements.published_earlier,
        statements.contested,
        statements.supersede,
        statements.settle,
    ):
        cursor.execute(statement)
    cursor.execute("SELECT outcome, count(*) FROM temp.outcome GROUP BY outcome")
    counted = list(cursor.fetchall())
    _drop_temporary(cursor)
    return counted


def _drop_temporary(cursor: CursorWrapper) -> None:
    for table in ("outcome", "contested"):
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
