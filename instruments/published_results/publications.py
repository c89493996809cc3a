"""The publications that hold each result, and what follows from them: order, corrections, withdrawal.

`ResultFile` keeps the results of each loaded file as a bitmap of their keys. So for the versions of a result
(its owner and key) all publications are known in which they appear. A publication with other versions of a
result than the one before brings all of its versions into force: for the first time, or again
(`published_again`) where a correction is taken back, or a contradiction begins or ends. The versions of the
last publication are current.

When a file is republished, its older revisions are forgotten, and results that no other file holds are
withdrawn: they stay for questions about what was known before (`withdrawn_on`) and count for nothing else.
All of this is a function of the files loaded, in any order. The caller holds the transaction.
"""

import dataclasses
import datetime as dt
import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from pyroaring import BitMap64

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from esma_files.names import PARTS, REVISIONS
from instruments.listings.load.known_days import (
    BEGINNING,
    OPEN,
    Days,
    change_days,
    get_known_from,
)
from instruments.published_results.models import PublishedResult, ResultFile
from marketdata.common.batches import in_batches

_CHUNK = 50_000  # versions whose publications are collected at a time

Model = type[PublishedResult]


@dataclasses.dataclass(frozen=True)
class ReplacedRevisions:
    """The older revisions that a republished file replaces, and the day on which it was created."""

    older: list[EsmaFile]
    known_from: dt.date

    @property
    def remarks(self) -> list[str]:
        """For the report of the run."""
        return ["It replaces an older revision of the same name."]


def publication_of(file: EsmaFile) -> int:
    """Return the place of a file's publication: its day, and full or delta.

    All parts and categories of a publication have the same; see `EsmaFile.sequence`.
    """
    return int(file.sequence // PARTS)


def place_of(file: EsmaFile) -> tuple[int, str]:
    """Return the place of a file in publication order, whatever its revision."""
    return file.sequence // REVISIONS, file.name


def note_file(
    file: EsmaFile, model: Model, results: BitMap64, *, is_replaced: bool = False
) -> None:
    """Keep the keys of the results that a file holds."""
    ResultFile.objects.update_or_create(
        file=file,
        table=model._meta.db_table,
        defaults={"results": results.serialize(), "is_replaced": is_replaced},
    )


def result_files(model: Model, register: str) -> QuerySet[ResultFile]:
    """Return the results of the files of a register, those of all revisions."""
    datasets = [dataset for dataset in Dataset if dataset.authority == register]
    return ResultFile.objects.filter(table=model._meta.db_table, file__dataset__in=datasets)


def _files_with_results(model: Model, register: str) -> Iterator[tuple[EsmaFile, BitMap64]]:
    """Yield the files of a register with their results, in publication order."""
    rows = result_files(model, register).filter(is_replaced=False)
    files = EsmaFile.objects.in_bulk(rows.values_list("file", flat=True))
    for file in sorted(files.values(), key=place_of):
        yield file, BitMap64.deserialize(bytes(rows.get(file=file).results))


@dataclasses.dataclass
class _Version:
    """A row of a result, with the files that hold it, in publication order."""

    pk: int
    result: tuple[str, int]  # owner and key
    superseded: bool
    published_again: list[int]
    source_file: int
    files: list[EsmaFile] = dataclasses.field(default_factory=list)


def settle(cursor: CursorWrapper, model: Model, owner: str, *, register: str) -> None:
    """Mark which versions of the results in `contested_result` are current, and published again.

    Leaves those that have changed in `changed_version`.
    """
    table = model._meta.db_table
    cursor.execute(
        "CREATE TEMP TABLE changed_version"
        " (row_id INTEGER PRIMARY KEY, superseded INTEGER, published_again LONGTEXT)"
    )
    cursor.execute(f"""
        SELECT r.id, r.{owner}, r.result_key, r.superseded, r.published_again, r.source_file_id
        FROM temp.contested_result k CROSS JOIN {table} r ON r.{owner} = k.owner
            AND r.result_key = k.result_key AND r.register = '{register}'
        WHERE r.withdrawn_on IS NULL ORDER BY r.{owner}, r.result_key
    """)
    versions = [
        _Version(pk, (owner_, key), bool(superseded), _decoded(again), file)
        for pk, owner_, key, superseded, again, file in cursor.fetchall()
    ]
    for batch in in_batches(versions, _CHUNK):
        _collect_files(model, batch, register)
    changed: list[tuple[int, int, str | None]] = []
    for _, group in itertools.groupby(versions, key=lambda version: version.result):
        changed += _changes_of(list(group))
    cursor.executemany("INSERT INTO temp.changed_version VALUES (%s, %s, %s)", changed)
    cursor.execute(f"""
        UPDATE {table} SET superseded = c.superseded, published_again = c.published_again
        FROM temp.changed_version c WHERE c.row_id = {table}.id
        AND {table}.id IN (SELECT row_id FROM temp.changed_version)
    """)


def _decoded(published_again: str | list[int] | None) -> list[int]:
    """Return the keys in a column of JSON, which drivers return as text."""
    if isinstance(published_again, str):
        return [int(key) for key in json.loads(published_again)]
    return published_again or []


def _collect_files(model: Model, versions: Sequence[_Version], register: str) -> None:
    """Fill `files`. A version without a bitmap, loaded before there were any, has its first file."""
    by_key = {version.pk: version for version in versions}
    keys = BitMap64(by_key)
    for file, results in _files_with_results(model, register):
        for pk in results & keys:
            by_key[pk].files.append(file)
    without = [version for version in versions if not version.files]
    first_files = EsmaFile.objects.in_bulk({version.source_file for version in without})
    for version in without:
        version.files.append(first_files[version.source_file])


def _changes_of(versions: list[_Version]) -> Iterator[tuple[int, int, str | None]]:
    """Yield key, superseded and published_again of the versions of one result that have changed."""
    begins, current = find_begins({version.pk: version.files for version in versions})
    for version in versions:
        again = [int(file.pk) for file in begins[version.pk][1:]]
        superseded = version.pk not in current
        if (superseded, again) != (version.superseded, version.published_again):
            yield version.pk, int(superseded), json.dumps(again) if again else None


def find_begins(
    files: Mapping[int, Iterable[EsmaFile]],
) -> tuple[dict[int, list[EsmaFile]], Collection[int]]:
    """Return the files with which each version of a result came into force, and the current versions.

    `files` are those that hold each version, in publication order.
    """
    by_publication: dict[int, dict[int, EsmaFile]] = {}
    for pk, holders in files.items():
        for file in holders:
            by_publication.setdefault(publication_of(file), {}).setdefault(pk, file)
    begins: dict[int, list[EsmaFile]] = {pk: [] for pk in files}
    before: Collection[int] = set()
    for _, held in sorted(by_publication.items(), key=lambda item: item[0]):
        if held.keys() != before:
            for pk, file in held.items():
                begins[pk].append(file)
        before = held.keys()
    return begins, before


def replace_revisions(
    cursor: CursorWrapper,
    file: EsmaFile,
    model: Model,
    owner: str,
    *,
    replacement: ReplacedRevisions,
    register: str,
) -> None:
    """Forget the older revisions of a file, and withdraw the results that no other file holds.

    Called after `note_file` for the newest revision. Adds their results to `contested_result`, which
    `settle` brings in order.
    """
    affected = _forget_files(model, replacement.older)
    first_files = _first_files(model, affected, register)
    table = model._meta.db_table
    cursor.execute("CREATE TEMP TABLE moved_result (row_id INTEGER PRIMARY KEY, file_id INTEGER)")
    cursor.executemany(
        "INSERT INTO temp.moved_result VALUES (%s, %s)",
        [(pk, first_files.get(pk)) for pk in affected],
    )
    in_question = f"{table}.id IN (SELECT row_id FROM temp.moved_result)"
    older = ", ".join(str(other.pk) for other in replacement.older)
    for statement in (
        f"""UPDATE {table} SET withdrawn_on = '{replacement.known_from}', superseded = 1,
                published_again = NULL
            FROM temp.moved_result m WHERE m.row_id = {table}.id AND m.file_id IS NULL
            AND {in_question}""",
        f"""UPDATE {table} SET source_file_id = m.file_id, source_position = 0
            FROM temp.moved_result m WHERE m.row_id = {table}.id AND m.file_id IS NOT NULL
            AND {table}.source_file_id IN ({older}) AND {in_question}""",
        f"""UPDATE {table} SET source_position = o.position FROM (
                SELECT row_id, min(position) AS position FROM temp.result_outcome
                WHERE row_id IS NOT NULL GROUP BY row_id) AS o
            WHERE o.row_id = {table}.id AND {table}.source_file_id = {file.pk}
            AND {table}.source_position = 0 AND {in_question}""",
        f"""INSERT INTO temp.contested_result (owner, result_key)
            SELECT DISTINCT r.{owner}, r.result_key FROM temp.moved_result m
            CROSS JOIN {table} r ON r.id = m.row_id WHERE NOT EXISTS (
                SELECT 1 FROM temp.contested_result k
                WHERE k.owner = r.{owner} AND k.result_key = r.result_key)""",
    ):
        cursor.execute(statement)


def read_other_revisions(file: EsmaFile) -> list[EsmaFile]:
    """Return the other revisions of a file that are loaded."""
    return list(EsmaFile.objects.other_revisions(file).exclude(loaded_at=None))


def note_revision(file: EsmaFile, model: Model, held: BitMap64, *, days: Days) -> int:
    """Note when the results of the files of one name were known; return how many rows were changed.

    `held` are the results of an older revision that is loaded after a newer one, `days` those on which it
    was the newest. A row has one period: of several, the last one is kept (known.py reads the others).
    """
    changed = 0
    rows = model._default_manager.filter(source_file__in=read_other_revisions(file))
    for pk, known_from, withdrawn_on in list(rows.values_list("pk", "known_from", "withdrawn_on")):
        before = known_from or BEGINNING, withdrawn_on or OPEN
        after = change_days([before], days, is_known=pk in held)
        first, last = after[-1] if after else (before[1], before[1])
        if (first, last) != before:
            changed += model._default_manager.filter(pk=pk).update(
                known_from=get_known_from(first), withdrawn_on=None if last == OPEN else last
            )
    return changed


def _forget_files(model: Model, files: list[EsmaFile]) -> BitMap64:
    """Mark the bitmaps of files as replaced, and return the keys in those that were not yet."""
    table = model._meta.db_table
    rows = ResultFile.objects.filter(file__in=files, table=table, is_replaced=False)
    results = BitMap64.union(
        BitMap64(), *(BitMap64.deserialize(bytes(row.results)) for row in rows)
    )
    rows.update(is_replaced=True)
    return results


def _first_files(model: Model, results: BitMap64, register: str) -> dict[int, int]:
    """Return the key of the first file that holds each of some results; none for the others."""
    first_files: dict[int, int] = {}
    remaining = results.copy()
    for file, held in _files_with_results(model, register):
        first_files |= dict.fromkeys(remaining & held, int(file.pk))
        remaining -= held
    return first_files
