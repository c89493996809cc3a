"""Replace the older revisions of a republished file, as if these had never been loaded.

ESMA may publish a file again under the same name, with other bytes and a later CreDt. The newest revision
counts, in whatever order they are loaded: `newer_revision` finds the one that makes a file obsolete, and
`prepare` compares the newest one with what the older ones left in the tables. Its merge replaces that
(withdrawal.py).

Tables keep a record with the file that published it first, and do not note which later files repeat it. So
of the records that an older revision published first

* those that the new revision repeats are confirmed: they are attributed to it;
* the others are withdrawn. A later file may have repeated such a record, so the stored later files are
  read again for these ISINs, and what they hold is merged with the new revision, each record with its own
  file. Files that are not stored any more are marked to be loaded again.

Withdrawn records are kept apart, for questions about what was known before (`WithdrawnRecord`).
"""

import contextlib
import dataclasses
import datetime as dt
import itertools
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from pyroaring import BitMap64

from esma_files.kinds import Content
from esma_files.models import EsmaFile, Run
from esma_files.parsing.reader import Batch
from instruments.layouts import stage_again
from instruments.listings import publications
from instruments.listings.fields import BY_COLUMN
from instruments.listings.load import scope
from instruments.listings.load.context import REREAD_FROM, LoadedMeanwhile, Replacement
from instruments.listings.load.selection import ListingSelection
from instruments.models import (
    FullFile,
    Listing,
    ListingRecord,
    ListingVersion,
    Register,
    Scope,
    Status,
    WithdrawnRecord,
)
from instruments.staging.staging import Staged
from marketdata.common.batches import in_batches
from marketdata.common.errors import MarketDataError

_PAGE_SIZE = 500
# Columns that the staging file of a republished file has for the source of each record.
_SOURCE_COLUMNS = (
    "source_file_id INTEGER",
    "source_sequence INTEGER",
    "source_position INTEGER",
    "source_is_list INTEGER",
    "known_from TEXT",
)
_COLUMNS = ("isin", "mic", "status", "valid_from", "fingerprint", "known_from")
# `published` has the records that older revisions published first: `origin` is listing or version, `row_id`
# the key there. The merge reads what follows from it: the records that the new revision repeats, with their
# position in it, and the others.
_PUBLISHED = """
    CREATE TABLE published (origin TEXT, row_id INTEGER, isin TEXT, mic TEXT, status TEXT,
        valid_from TEXT, fingerprint INTEGER, PRIMARY KEY (origin, row_id)) WITHOUT ROWID;
    CREATE TABLE confirmed (origin TEXT, row_id INTEGER, position INTEGER, technical_record_id TEXT);
    CREATE TABLE withdrawn (origin TEXT, row_id INTEGER, isin TEXT, mic TEXT);
"""
_COMPARE = """
    INSERT INTO confirmed
        SELECT p.origin, p.row_id, k.position, NULL FROM known k CROSS JOIN published p
        ON p.origin = 'listing' AND p.row_id = k.listing_id;
    INSERT INTO confirmed
        SELECT p.origin, p.row_id, min(s.position), s.technical_record_id
        FROM published p CROSS JOIN record s ON s.isin = p.isin AND s.mic = p.mic
            AND s.status = p.status AND s.valid_from = p.valid_from AND s.fingerprint = p.fingerprint
        WHERE (p.origin, p.row_id) NOT IN (SELECT origin, row_id FROM confirmed)
        GROUP BY p.origin, p.row_id;
    INSERT INTO withdrawn
        SELECT origin, row_id, isin, mic FROM published
        WHERE (origin, row_id) NOT IN (SELECT origin, row_id FROM confirmed);
    CREATE INDEX withdrawn_key ON withdrawn (isin, mic);
"""


class _IsinSelection(ListingSelection):
    """The records of some ISINs in a scope."""

    def __init__(
        self, isins: Iterable[str], *, scope: Scope, register: Register, file: EsmaFile
    ) -> None:
        super().__init__(scope=scope, register=register, file=file)
        self._isins = pa.array(sorted(isins), pa.string())

    def in_scope(self, batch: Batch) -> tuple[Batch, pa.RecordBatch | None]:
        has_isin = pc.is_in(batch.rows.column(BY_COLUMN["isin"].path), self._isins)
        return super().in_scope(scope.filtered(batch, has_isin.to_numpy(zero_copy_only=False)))


def newer_revision(file: EsmaFile) -> EsmaFile | None:
    """Return a loaded revision of the name of `file` that replaces it, or None."""
    loaded = EsmaFile.objects.other_revisions(file).exclude(loaded_at=None)
    return next((other for other in loaded if other.is_newer_than(file)), None)


def check_revisions(file: EsmaFile, *, since: dt.datetime) -> None:
    """Raise LoadedMeanwhile if another revision of a file was loaded since a time, or is being merged."""
    revisions = EsmaFile.objects.other_revisions(file)
    changed = revisions.filter(Q(loaded_at__gt=since) | Q(is_partly_merged=True)).first()
    if changed is not None:
        raise LoadedMeanwhile(f"{file.name}: another revision of it was loaded meanwhile")


def last_withdrawn() -> tuple[int, int]:
    """Return the keys of the last withdrawn record and of the last run that undid a load; 0 for none."""
    undone = Run.objects.filter(kind=Run.Kind.UNDO).order_by()
    last_record = WithdrawnRecord.objects.aggregate(last=Max("pk"))["last"]
    last_run = undone.aggregate(last=Max("pk"))["last"]
    return int(last_record or 0), int(last_run or 0)


def prepare(file: EsmaFile, staged: Staged) -> tuple[Staged, Replacement | None]:
    """Find what the older revisions of a staged file leave to be replaced; None where nothing.

    Called before the staging file is attached: records of later files are added to it.
    """
    older = list(EsmaFile.objects.other_revisions(file))
    if not older or staged.created_at is None:
        return staged, None
    is_any_loaded = any(other.loaded_at is not None for other in older)
    prepared_at, known_from = timezone.now(), staged.created_at.date()
    # A loaded revision counts for its days also where it published no record first, or has none at all.
    has_published = _note_published(staged.path, first_published_by(older))
    if not has_published and not is_any_loaded and not _is_full_file_of(older):
        return staged, None
    return _prepare(file, staged, older=older, known_from=known_from, prepared_at=prepared_at)


def prepare_undo(
    file: EsmaFile, staged: Staged, isins: Collection[str] | None
) -> tuple[Staged, Replacement]:
    """Find what an interrupted merge of a file has left in the tables, to be taken out of them.

    `staged` is an empty staging file. `isins` are those of the records in the file. None if it cannot be
    read: then the tables are read whole.
    """
    prepared_at = timezone.now()
    rows = (
        first_published_by([file])
        if isins is None
        else itertools.chain.from_iterable(_rows_of_isins(isins, file))
    )
    _note_published(staged.path, rows)
    return _prepare(file, staged, older=[file], known_from=None, prepared_at=prepared_at)


def _rows_of_isins(isins: Collection[str], file: EsmaFile) -> Iterator[QuerySet[Any]]:
    """Yield the listings and versions of some ISINs that a file published first, page by page."""
    for page in in_batches(sorted(isins), _PAGE_SIZE):
        for model in (Listing, ListingVersion):
            rows = model.objects.filter(isin__in=page, source_file=file).order_by("pk")
            yield rows.only(*_COLUMNS)


def _prepare(
    file: EsmaFile,
    staged: Staged,
    *,
    older: list[EsmaFile],
    known_from: dt.date | None,
    prepared_at: dt.datetime,
) -> tuple[Staged, Replacement]:
    """Compare the staging file with the table `published` in it, and add the records of later files."""
    confirmed, withdrawn = _compare(staged.path)
    _add_source_columns(file, staged.path, known_from)
    columns, unread = staged.columns, []
    for number, later in enumerate(_later_files(file, older, staged.path), start=1):
        try:
            columns |= _add_records(staged.path, later, number)
        except MarketDataError:
            unread.append(later.pk)
    replacement = Replacement(
        older=[other.pk for other in older],
        known_from=known_from,
        confirmed=confirmed,
        withdrawn=withdrawn,
        unread=unread,
        prepared_at=prepared_at,
    )
    return dataclasses.replace(staged, columns=columns), replacement


def _is_full_file_of(older: list[EsmaFile]) -> bool:
    return FullFile.objects.filter(file__in=older).exists()


def _note_published(path: Path, rows: Iterable[Listing | ListingVersion]) -> bool:
    """Fill the staging table `published`; return whether there is any such record."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(_PUBLISHED)
        inserted = connection.executemany(
            "INSERT OR IGNORE INTO published VALUES (?, ?, ?, ?, ?, ?, ?)",
            map(_describe_published, rows),
        )
        connection.commit()
        return inserted.rowcount > 0


def _describe_published(row: Listing | ListingVersion) -> tuple[Any, ...]:
    """Return the columns of the staging table `published`."""
    origin = "listing" if isinstance(row, Listing) else "version"
    content = (published_status(row), row.valid_from.isoformat(), row.fingerprint)
    return origin, row.pk, row.isin, row.mic, *content


def published_status(record: ListingRecord) -> str:
    """Return the status that the register published; "dropped" is a conclusion of this project."""
    return Status.ACTIVE.value if record.status == Status.DROPPED else str(record.status)


def first_published_by(files: list[EsmaFile]) -> Iterator[Listing | ListingVersion]:
    """Yield the records that these files published first, with the columns that identify them only.

    Those of a full file are found by the keys of its listings. There is no index by file: for a delta both
    tables are read whole, once.
    """
    for queryset in (
        _rows_of_full_files(files) if any(file.file_kind.is_full for file in files) else _all_rows()
    ):
        rows = queryset.filter(source_file__in=files).order_by("pk")
        yield from rows.only(*_COLUMNS).iterator()


def _all_rows() -> Iterator[QuerySet[Any]]:
    yield Listing.objects.all()
    yield ListingVersion.objects.all()


def _rows_of_full_files(files: list[EsmaFile]) -> Iterator[QuerySet[Any]]:
    """Yield the listings of full files page by page, and the versions of their ISINs; some rows twice."""
    full_files = FullFile.objects.filter(file__in=files)
    keys = iter(BitMap64.union(BitMap64(), *map(publications.listings_of, full_files)))
    while page := list(itertools.islice(keys, _PAGE_SIZE)):
        listings = Listing.objects.filter(pk__in=page)
        yield listings
        isins = set(listings.order_by().values_list("isin", flat=True))
        yield ListingVersion.objects.filter(isin__in=isins)


def _compare(path: Path) -> tuple[int, int]:
    """Fill `confirmed` and `withdrawn`; return the number of rows in each."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(_COMPARE)
        connection.commit()
        counts = "SELECT (SELECT count(*) FROM confirmed), (SELECT count(*) FROM withdrawn)"
        confirmed, withdrawn = connection.execute(counts).fetchone()
        return confirmed, withdrawn


def _add_source_columns(file: EsmaFile, path: Path, known_from: dt.date | None) -> None:
    is_list = file.file_kind.content is Content.CANCELLED
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for column in _SOURCE_COLUMNS:
            connection.execute(f"ALTER TABLE record ADD COLUMN {column}")
        connection.execute(
            f"""UPDATE record SET source_file_id = {file.pk}, source_sequence = {file.sequence},
                source_position = position, source_is_list = {int(is_list)}, known_from = ?""",
            [known_from.isoformat() if known_from else None],
        )
        connection.commit()


def _later_files(file: EsmaFile, older: list[EsmaFile], path: Path) -> Iterator[EsmaFile]:
    """Yield the loaded files that may have repeated a withdrawn record, in publication order."""
    listings = _withdrawn_listings(file, path)
    if listings is None:
        return
    first = min(other.sequence for other in (*older, file))
    loaded = EsmaFile.objects.filter(
        dataset=file.dataset,
        kind__in=scope.INSTRUMENT_FILES,
        sequence__gt=first,
        loaded_at__isnull=False,
    ).exclude(name=file.name)
    for later in loaded.in_publication_order():
        if newer_revision(later) is not None:
            continue
        if later.file_kind.is_full:
            full_file = FullFile.objects.filter(file=later).first()
            if full_file is None or not publications.listings_of(full_file) & listings:
                continue
        yield later


def _withdrawn_keys(path: Path) -> Iterator[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        yield from connection.execute("SELECT DISTINCT isin, mic FROM withdrawn ORDER BY isin, mic")


def _withdrawn_listings(file: EsmaFile, path: Path) -> BitMap64 | None:
    """Return the keys of the listings with withdrawn records; None without any such record."""
    register = Register.of_dataset(file.dataset)
    keys = _withdrawn_keys(path)
    listings: BitMap64 | None = None
    while page := set(itertools.islice(keys, _PAGE_SIZE)):
        isins = {isin for isin, _ in page}
        rows = Listing.objects.filter(isin__in=isins, register=register).order_by()
        listings = BitMap64() if listings is None else listings
        for pk, isin, mic in rows.values_list("pk", "isin", "mic"):
            if (isin, mic) in page:
                listings.add(pk)
    return listings


def _add_records(path: Path, later: EsmaFile, number: int) -> frozenset[str]:
    """Add the records that a later file has of the listings of withdrawn records to the staging file.

    Returns the columns that have a value in them. Raises the errors of reading and of the storage.
    """
    folder = path.parent / f"later-{later.pk}"
    folder.mkdir(exist_ok=True)
    try:
        staged = _stage_isins(folder, later, {isin for isin, _ in _withdrawn_keys(path)})
        is_list = later.file_kind.content is Content.CANCELLED
        with contextlib.closing(sqlite3.connect(path)) as connection:
            names = [row[1] for row in connection.execute("PRAGMA table_info(record)")]
            added = {column.split()[0] for column in _SOURCE_COLUMNS}
            copied = [name for name in names if name != "position" and name not in added]
            connection.execute("ATTACH DATABASE ? AS later", [str(staged.path)])
            connection.execute(
                f"""INSERT INTO record (position, {", ".join(copied)}, source_file_id,
                        source_sequence, source_position, source_is_list)
                    SELECT position + {number * REREAD_FROM}, {", ".join(copied)}, {later.pk},
                        {later.sequence}, position, {int(is_list)}
                    FROM later.record
                    WHERE (isin, mic) IN (SELECT isin, mic FROM withdrawn)
                    AND position NOT IN (SELECT position FROM later.outside)"""
            )
            connection.commit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return staged.columns


def _stage_isins(folder: Path, file: EsmaFile, isins: set[str]) -> Staged:
    """Stage the records of some ISINs of a stored file, in the scope that it was loaded with.

    One that waits for a backfill is read in the present scope, as by the backfill.
    """
    register, number = Register.of_dataset(file.dataset), file.scope_number
    scope = Scope.objects.current(register) if number is None else Scope.objects.numbered(number)
    selection = _IsinSelection(isins, scope=scope, register=register, file=file)
    return stage_again(file, folder, selection)
