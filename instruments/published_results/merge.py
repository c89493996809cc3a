"""Merge a staging file of published results into the tables, as sets of rows.

Each distinct record is stored once, with the file that published it first. Of the versions of one result
(its owner, an ISIN or an asset class, and `result_key`), those in the newest publication of the result are
current, the others superseded (publications.py). So the tables are a function of the *set* of files loaded,
as those of the listings are. The caller holds the transaction.

The temporary tables are written and read in this module only:

- `result_outcome`: a row for each staged record, with its owner and, where it is known, its row (`row_id`).
  `outcome` is new, changed, late, unchanged, earlier (known from a file published later), or restored (it
  had been withdrawn).
- `contested_result`: owner and key of the results in the file that have more than one version.
- `changed_version`, `moved_result`: see publications.py.
"""

import dataclasses
import datetime as dt
import itertools
from array import array
from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper
from pyroaring import BitMap64

from esma_files.models import EsmaFile
from esma_files.names import REVISIONS
from instruments.listings.load.known_days import get_days, get_known_from
from instruments.listings.load.merge import Counts
from instruments.listings.models.count import TableCount
from instruments.published_results import publications
from instruments.published_results.models import PublishedResult
from instruments.published_results.publications import ReplacedRevisions

FILE = EsmaFile._meta.db_table
_PROVENANCE = ("register", "source_file_id", "source_position", "superseded", "known_from")
_TEMPORARY = ("result_outcome", "contested_result", "changed_version", "moved_result")
_OUTCOME = """
    CREATE TEMP TABLE result_outcome (
        position INTEGER, owner TEXT, result_key INTEGER, fingerprint INTEGER, row_id INTEGER,
        outcome TEXT)
"""


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """A table of results, and where its columns come from in the staging file.

    `owner` is the column that says whose result it is: isin or asset_class. It and the columns in
    `identified_by` come from the staging table `result`, which has both owners whatever the file, those in
    `derived` and the fields of the file from `record`. Where a record has parts by venue, `venue_table` takes
    them, with `venue_columns` of the staging table `venue`.
    """

    model: type[PublishedResult]
    owner: str
    fields: frozenset[str]  # columns of the fields of the file that may go into the table
    identified_by: tuple[str, ...] = ("fingerprint", "result_key")
    derived: tuple[str, ...] = ()
    venue_table: str = ""
    venue_columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Statements:
    """The SQL statements that merge one file into one table."""

    target: ResultTable
    file_id: int
    place: int  # in publication order, whatever the revision
    file_name: str
    register: str
    fields: tuple[str, ...]  # columns that have a value in any staged record
    known_from: str  # in SQL: the day on which a republished file was created, or NULL

    @classmethod
    def of(
        cls,
        target: ResultTable,
        file: EsmaFile,
        register: str,
        columns: frozenset[str],
        *,
        known_from: dt.date | None,
    ) -> "_Statements":
        return cls(
            target,
            file.pk,
            file.sequence // REVISIONS,
            file.name,
            register,
            tuple(sorted((target.fields & columns) - {target.owner})),
            f"'{known_from}'" if known_from else "NULL",
        )

    @property
    def table(self) -> str:
        return self.target.model._meta.db_table

    @property
    def owner(self) -> str:
        return self.target.owner

    @property
    def outcome(self) -> str:
        """Tell records that are new from those that are known, and from a file published later."""
        return f"""
            INSERT INTO temp.result_outcome
            SELECT position, owner, result_key, fingerprint, row_id, CASE
                WHEN repeat > 1 THEN 'unchanged'
                WHEN row_id IS NULL THEN 'new'
                WHEN withdrawn_on IS NOT NULL THEN 'restored'
                WHEN place > {self.place} OR (place = {self.place}
                    AND name > '{self.file_name}') THEN 'earlier'
                ELSE 'unchanged' END
            FROM (
                SELECT s.position, s.{self.owner} AS owner, s.result_key, s.fingerprint,
                    r.id AS row_id, r.withdrawn_on, f.sequence / {REVISIONS} AS place,
                    f.name, row_number() OVER (
                        PARTITION BY s.{self.owner}, s.result_key, s.fingerprint
                        ORDER BY s.position) AS repeat
                FROM stage.result s
                LEFT JOIN {self.table} r ON r.{self.owner} = s.{self.owner}
                    AND r.result_key = s.result_key AND r.fingerprint = s.fingerprint
                    AND r.register = '{self.register}'
                LEFT JOIN {FILE} f ON f.id = r.source_file_id
                WHERE s.{self.owner} IS NOT NULL
            ) AS looked_up
        """

    @property
    def insert(self) -> str:
        """Insert the new records."""
        identified_by, derived = (self.owner, *self.target.identified_by), self.target.derived
        columns = (*_PROVENANCE, *identified_by, *derived, *self.fields)
        from_result = [f"s.{column}" for column in identified_by]
        from_record = [f"r.{column}" for column in (*derived, *self.fields)]
        return f"""
            INSERT OR FAIL INTO {self.table} ({", ".join(columns)})
            SELECT '{self.register}', {self.file_id}, o.position, 0, {self.known_from},
                {", ".join((*from_result, *from_record))}
            FROM temp.result_outcome o CROSS JOIN stage.result s ON s.position = o.position
            CROSS JOIN stage.record r ON r.position = o.position
            WHERE o.outcome = 'new' ORDER BY o.owner, o.result_key, o.fingerprint
        """

    @property
    def insert_venues(self) -> str:
        """Insert parts by venue sorted, so that the order in which files are loaded makes no difference."""
        columns = ", ".join(f"v.{column}" for column in self.target.venue_columns)
        return f"""
            INSERT INTO {self.target.venue_table} (volume_cap_id, {", ".join(self.target.venue_columns)})
            SELECT r.id, {columns}
            FROM temp.result_outcome o CROSS JOIN {self.table} r ON r.{self.owner} = o.owner
                AND r.result_key = o.result_key AND r.fingerprint = o.fingerprint
                AND r.register = '{self.register}'
            CROSS JOIN stage.venue v ON v.position = o.position
            WHERE o.outcome = 'new' ORDER BY r.id, {columns}
        """

    @property
    def published_earlier(self) -> str:
        """Point known records to this file where it published them first.

        One that had been withdrawn is current again; `settle` decides where it has other versions.
        """
        return f"""
            UPDATE {self.table} SET source_file_id = {self.file_id}, source_position = o.position,
                known_from = {self.known_from}, withdrawn_on = NULL,
                superseded = CASE o.outcome WHEN 'restored' THEN 0 ELSE {self.table}.superseded END
            FROM temp.result_outcome o
            WHERE o.outcome IN ('earlier', 'restored') AND o.row_id = {self.table}.id
        """

    @property
    def contested(self) -> str:
        """Note the results of the file that have more than one record."""
        return f"""
            CREATE TEMP TABLE contested_result AS
            SELECT DISTINCT o.owner, o.result_key FROM temp.result_outcome o
            WHERE (SELECT count(*) FROM {self.table} r WHERE r.{self.owner} = o.owner
                AND r.result_key = o.result_key AND r.register = '{self.register}') > 1
        """

    @property
    def settle(self) -> str:
        """Tell new records of known results apart: changed, or late where a newer one is known."""
        return f"""
            UPDATE temp.result_outcome SET outcome = CASE WHEN r.superseded = 1 THEN 'late' ELSE 'changed' END
            FROM temp.contested_result k CROSS JOIN {self.table} r ON r.{self.owner} = k.owner
                AND r.result_key = k.result_key AND r.register = '{self.register}'
            WHERE temp.result_outcome.outcome = 'new' AND temp.result_outcome.owner = k.owner
                AND temp.result_outcome.result_key = k.result_key
                AND temp.result_outcome.fingerprint = r.fingerprint
                AND EXISTS (SELECT 1 FROM {self.table} x WHERE x.{self.owner} = k.owner
                    AND x.result_key = k.result_key AND x.superseded = 1
                    AND x.withdrawn_on IS NULL)
        """

    restored = """
        UPDATE temp.result_outcome SET outcome = 'changed' WHERE outcome = 'unchanged'
            AND row_id IN (SELECT row_id FROM temp.changed_version WHERE superseded = 0)
    """


def merge(
    cursor: CursorWrapper,
    file: EsmaFile,
    tables: Iterable[ResultTable],
    *,
    register: str,
    columns: frozenset[str],
    replacement: ReplacedRevisions | None = None,
) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of `file`, into `tables`.

    `columns` are the staged columns that have a value in any record; `replacement` is for a republished
    file. Returns the number of records by outcome.
    """
    counts: dict[str, int] = {}
    for table in tables:
        cursor.execute(f"SELECT 1 FROM stage.result WHERE {table.owner} IS NOT NULL LIMIT 1")
        if cursor.fetchone() or replacement:
            for outcome, count in _merge_into(cursor, file, table, register, columns, replacement):
                counts[outcome] = counts.get(outcome, 0) + count
    new = counts.get("new", 0) + counts.get("restored", 0)
    unchanged = counts.get("unchanged", 0) + counts.get("earlier", 0)
    changed, late = (counts.get(name, 0) for name in ("changed", "late"))
    return Counts(new=new, changed=changed, ended=0, dropped=0, late=late, unchanged=unchanged)


def keep_replaced(
    cursor: CursorWrapper,
    file: EsmaFile,
    tables: Iterable[ResultTable],
    *,
    register: str,
    columns: frozenset[str],
) -> int:
    """Keep the results of an older revision that is loaded after a newer one; return how many were changed.

    They count for questions about what was known before the newer one was created, and for nothing else.
    """
    return sum(
        _keep_replaced_in(cursor, file, table, register=register, columns=columns)
        for table in tables
    )


def _keep_replaced_in(
    cursor: CursorWrapper,
    file: EsmaFile,
    target: ResultTable,
    *,
    register: str,
    columns: frozenset[str],
) -> int:
    days = get_days(file, publications.read_other_revisions(file))
    known_from = get_known_from(days[0])
    statements = _Statements.of(target, file, register, columns, known_from=known_from)
    last_id = _highest_id(cursor, statements.table)
    _drop_temporary(cursor)
    cursor.execute(_OUTCOME)
    cursor.execute(statements.outcome)
    cursor.execute(statements.insert)
    if target.venue_table:
        cursor.execute(statements.insert_venues)
    rows = target.model._default_manager
    new = int(rows.filter(pk__gt=last_id).update(withdrawn_on=days[1], superseded=True))
    TableCount.objects.add(target.model, new)
    held = _held(cursor, statements.table, last_id)
    publications.note_file(file, target.model, held, is_replaced=True)
    _drop_temporary(cursor)
    return new + publications.note_revision(file, target.model, held, days=days)


def _merge_into(
    cursor: CursorWrapper,
    file: EsmaFile,
    table: ResultTable,
    register: str,
    columns: frozenset[str],
    replacement: ReplacedRevisions | None,
) -> list[tuple[str, int]]:
    known_from = replacement.known_from if replacement else None
    statements = _Statements.of(table, file, register, columns, known_from=known_from)
    last_id = _highest_id(cursor, statements.table)
    _drop_temporary(cursor)
    for statement in (
        _OUTCOME,
        statements.outcome,
        statements.insert,
        *([statements.insert_venues] if table.venue_table else []),
        statements.published_earlier,
        statements.contested,
    ):
        cursor.execute(statement)
    cursor.execute("SELECT count(*) FROM temp.result_outcome WHERE outcome = 'new'")
    TableCount.objects.add(table.model, int(cursor.fetchone()[0]))
    publications.note_file(file, table.model, _held(cursor, statements.table, last_id))
    if replacement:
        publications.replace_revisions(
            cursor,
            file,
            table.model,
            table.owner,
            replacement=replacement,
            register=register,
        )
    publications.settle(cursor, table.model, table.owner, register=register)
    cursor.execute(statements.settle)
    cursor.execute(statements.restored)
    cursor.execute("SELECT outcome, count(*) FROM temp.result_outcome GROUP BY outcome")
    counts = list(cursor.fetchall())
    _drop_temporary(cursor)
    return counts


def _highest_id(cursor: CursorWrapper, table: str) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
    return int(cursor.fetchone()[0])


def _held(cursor: CursorWrapper, table: str, last_id: int) -> BitMap64:
    """Return the keys of the results that the file holds: known ones, and those just inserted."""
    held = BitMap64()
    for query in (
        "SELECT row_id FROM temp.result_outcome WHERE row_id IS NOT NULL",
        f"SELECT id FROM {table} WHERE id > {last_id}",
    ):
        cursor.execute(query)
        held |= BitMap64(array("Q", itertools.chain.from_iterable(cursor.fetchall())))
    return held


def _drop_temporary(cursor: CursorWrapper) -> None:
    for table in _TEMPORARY:
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
