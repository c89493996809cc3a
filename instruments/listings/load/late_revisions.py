"""Keep what an older revision of a file published, if it is loaded after a newer one.

The tables stay as they are: the newest revision counts. But a question about what was known on a day before
the newer revision was created is answered as it would have been then. So each record has the days on which
it was known *by files of this name*: from the day of the file, or of the revision that brought it
(`known_from`), until a revision without it was created (`WithdrawnRecord.withdrawn_on`).

An older revision decides about the days from its own creation until that of the next newer revision, and
from the beginning if it is the first one. On these days exactly its records were known.
"""

import dataclasses
import itertools

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.listings.load import full_sets, other_issuers, republished
from instruments.listings.load.context import FILE, LISTING, VERSION
from instruments.listings.load.known_days import (
    BEGINNING,
    OPEN,
    Days,
    change_days,
    get_days,
    get_known_from,
)
from instruments.listings.load.records import COMMON
from instruments.models import (
    ChangeSet,
    Listing,
    ListingRecord,
    ListingVersion,
    Register,
    WithdrawnRecord,
)

_PAGE_SIZE = 500
_COLUMNS = [field.attname for field in ListingRecord._meta.fields]
_PUBLISHED_STATUS = "CASE t.status WHEN 'dropped' THEN 'active' ELSE t.status END"

Key = tuple[str, str, str, str, int]  # ISIN, MIC, published status, valid from, fingerprint


@dataclasses.dataclass
class _Known:
    """The rows that tell when a record was known by files of one name."""

    current: Listing | ListingVersion | None = None
    withdrawn: list[WithdrawnRecord] = dataclasses.field(default_factory=list)

    @property
    def days(self) -> list[Days]:
        days = [(row.known_from or BEGINNING, row.withdrawn_on) for row in self.withdrawn]
        if self.current is not None:
            days.append((self.current.known_from or BEGINNING, OPEN))
        return sorted(days)


def keep(cursor: CursorWrapper, file: EsmaFile) -> int:
    """Note when the records of an older revision were known; return how many rows that changes.

    Its records are staged as `stage`. The caller holds the transaction.
    """
    others = list(EsmaFile.objects.other_revisions(file).exclude(loaded_at=None))
    days = get_days(file, others)
    if days[0] >= days[1]:
        return 0
    if file.file_kind.is_full:
        full_sets.keep_older_revision(cursor, file)
    staged = _read_staged(cursor)
    known = _read_known([file, *others])
    changed: dict[Key, list[Days]] = {}
    for key in staged.keys() | known.keys():
        before = known[key].days if key in known else []
        after = change_days(before, days, is_known=key in staged)
        if after != before:
            changed[key] = after
    for key in _published_before(cursor, file, [key for key in changed if key not in known]):
        del changed[key]
    change = ChangeSet.objects.begin()
    for key, after in changed.items():
        if key in known:
            _write_days(known[key], after, change=change)
    ChangeSet.objects.finish(change)
    positions = [staged[key] for key in changed if key not in known]
    _insert_staged(cursor, file, positions, days)
    return len(changed)


def describe(newer: EsmaFile, kept: int) -> str:
    """Return the remark for the report of the run; `kept` is the number of changed rows."""
    created = f"{newer.created_at:%Y-%m-%d %H:%M} UTC" if newer.created_at else "later"
    return (
        f"A newer revision of this file is loaded, which replaces it: it was created {created}. Records of"
        f" this one that differ ({kept:,}) only show in answers to what was known before."
    )


def _read_staged(cursor: CursorWrapper) -> dict[Key, int]:
    """Return the positions of the staged records."""
    cursor.execute(
        "SELECT isin, mic, status, valid_from, fingerprint, position FROM stage.record ORDER BY position DESC"
    )
    return {
        (isin, mic, status, str(valid_from)[:10], int(fingerprint)): int(position)
        for isin, mic, status, valid_from, fingerprint, position in cursor.fetchall()
    }


def _read_known(revisions: list[EsmaFile]) -> dict[Key, _Known]:
    known: dict[Key, _Known] = {}
    for row in republished.first_published_by(revisions):
        known[_key_of(row)] = _Known(current=row)
    for withdrawn in WithdrawnRecord.objects.filter(source_file__in=revisions).order_by("pk"):
        known.setdefault(_key_of(withdrawn), _Known()).withdrawn.append(withdrawn)
    return known


def _key_of(record: ListingRecord) -> Key:
    values = (record.isin, record.mic, republished.published_status(record))
    return (*values, record.valid_from.isoformat(), record.fingerprint)


def _published_before(cursor: CursorWrapper, file: EsmaFile, keys: list[Key]) -> set[Key]:
    """Return the records that an earlier file has published: they were known anyway."""
    register = Register.of_dataset(file.dataset)
    sought, earlier = set(keys), set()
    isins = iter(sorted({key[0] for key in keys}))
    while page := list(itertools.islice(isins, _PAGE_SIZE)):
        placeholders = ", ".join(["%s"] * len(page))
        for table in (LISTING, VERSION):
            cursor.execute(
                f"""SELECT t.isin, t.mic, {_PUBLISHED_STATUS}, t.valid_from, t.fingerprint
                    FROM {table} t JOIN {FILE} f ON f.id = t.source_file_id
                    WHERE t.register = '{register}' AND f.sequence < {file.sequence}
                    AND t.isin IN ({placeholders})""",
                page,
            )
            for isin, mic, status, valid_from, fingerprint in cursor.fetchall():
                earlier.add((isin, mic, status, str(valid_from)[:10], int(fingerprint)))
    return sought & earlier


def _write_days(known: _Known, days: list[Days], *, change: int) -> None:
    """Write the days on which a record was known, of which there is a row already.

    A listing counts as changed if the days of its record or of a version do.
    """
    record: ListingRecord = known.current or known.withdrawn[0]
    row = type(record)._default_manager.filter(pk=record.pk)
    if known.current is not None:
        known_from = get_known_from(days[-1][0])
        if known_from != record.known_from:
            row.update(known_from=known_from)
            own_listing = {"isin": record.isin, "mic": record.mic, "register": record.register}
            Listing.objects.filter(**own_listing).update(change=change)
        days = days[:-1]
    values = row.values(*_COLUMNS).get() | {"status": republished.published_status(record)}
    WithdrawnRecord.objects.filter(pk__in=[old.pk for old in known.withdrawn]).delete()
    for first, last in days:
        own = {"known_from": get_known_from(first), "withdrawn_on": last}
        WithdrawnRecord.objects.create(**{**values, **own})


def _insert_staged(cursor: CursorWrapper, file: EsmaFile, positions: list[int], days: Days) -> None:
    """Keep staged records that no row tells of yet."""
    first = get_known_from(days[0])
    columns = ("register", "source_file_id", "source_position", "known_from", "withdrawn_on")
    values = (
        f"'{Register.of_dataset(file.dataset)}'",
        str(file.pk),
        "s.position",
        f"'{first}'" if first else "NULL",
        f"'{days[1]}'",
    )
    selected = ", ".join((*values, *(f"s.{column}" for column in COMMON)))
    positions = sorted(positions)
    for begin in range(0, len(positions), _PAGE_SIZE):
        page = ", ".join(map(str, positions[begin : begin + _PAGE_SIZE]))
        cursor.execute(f"""
            INSERT INTO {WithdrawnRecord._meta.db_table} ({", ".join((*columns, *COMMON))})
            SELECT {selected} FROM stage.record s WHERE s.position IN ({page}) ORDER BY s.position
        """)
        other_issuers.note_staged(cursor, page)
