"""The temporary tables of a merge of FIRDS records: their columns, who fills them and who reads them.

They live on the connection of the merge, as `temp.name`, for one slice of a file; the tables of the
staging file are `stage.name` (instruments/staging/layout.py) and have other names. A module that needs a
table creates it when it fills it, and `drop` removes what an earlier merge has left behind.

Types are SQLite's. On SQL Server a TEXT column is a short text that is compared letter by letter
(instruments/staging/dialect.py), which suits codes; longer texts are declared as VARCHAR(length).
"""

import dataclasses

from django.db.backends.utils import CursorWrapper

from instruments.listings.load.ends import END_COLUMNS
from instruments.listings.models.underlying import LINKS
from instruments.listings.search import NAMED
from instruments.models import Instrument, Register

# Columns of `Instrument` that come from the reference listing; NULL there is "" in `Instrument`.
REFERENCE_TEXTS = ("full_name", "short_name", "cfi_code", "notional_currency", "issuer_lei")
# The columns with the number of listings in each register.
LISTING_COUNTS = {register.counted_in: register.value for register in Register}
# The columns of `InstrumentCount` with numbers.
COUNTED = (
    "instruments",
    *(name for r in Register for name in (r.instruments_counted_in, r.counted_in)),
)

_LENGTHS = {field.column: field.max_length for field in Instrument._meta.fields}


@dataclasses.dataclass(frozen=True)
class TemporaryTable:
    """A table that lives on the connection of a merge."""

    name: str
    columns: str
    without_rowid: bool = False

    @property
    def creation(self) -> str:
        """The SQL statement that creates the table."""
        ending = " WITHOUT ROWID" if self.without_rowid else ""
        return f"CREATE TEMP TABLE {self.name} ({self.columns}){ending}"


def create(cursor: CursorWrapper, *tables: TemporaryTable) -> None:
    """Create tables; those that exist already are dropped first."""
    drop(cursor, *tables)
    for table in tables:
        cursor.execute(table.creation)


def drop(cursor: CursorWrapper, *tables: TemporaryTable) -> None:
    for table in tables:
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table.name}")


# One row for each staged record of the slice. `outcome` is new, changed, unchanged or late, and NULL while
# the record waits for the timeline of its listing. `is_end` is 1 where it terminates or cancels the listing.
# `listing_id` is the listing as it was before, or NULL; `isin_key` the ISIN as a number.
# Filled by records.py. Read by full_sets.py, reconciliation.py, instruments.py, underlyings.py.
RECORD_OUTCOME = TemporaryTable(
    "record_outcome",
    """position INTEGER NOT NULL, isin TEXT NOT NULL, mic TEXT NOT NULL, is_end INTEGER,
    listing_id INTEGER, outcome TEXT, isin_key INTEGER, valid_from TEXT,
    PRIMARY KEY (isin, mic, position)""",
    without_rowid=True,
)

# One row for each venue and outcome: the number of staged records.
# Filled by merge.py. Read by merge.py, reconciliation.py, instruments.py.
OUTCOME_COUNT = TemporaryTable(
    "outcome_count", "mic TEXT, outcome TEXT, is_end INTEGER, records INTEGER"
)

# One row for each listing whose record is not the newest any more. `position` is the staged record that
# takes its place, NULL where a version does. `valid_to` is the last day of the record that becomes a
# version, NULL where that record is not kept, because it is stored twice.
# Filled by records.py. Read by it and by reconciliation.py and instruments.py.
SUPERSEDED_LISTING = TemporaryTable(
    "superseded_listing", "listing_id INTEGER PRIMARY KEY, position INTEGER, valid_to DATE"
)

# One row for each record ever read of the listings that need their timeline rebuilt. `origin` is listing,
# version or staged, and `row_id` its key there, or its position. `is_kept` is 0 for a repeated record,
# `is_last` 1 for the newest one of its listing. `known_from` is the day on which a kept record became known,
# NULL for the day of its file. `same_as` is the first of the origins, in the order of the
# alphabet, that has the same record.
# Filled by records.py. Read by it and by full_sets.py and merge.py.
TIMELINE = TemporaryTable(
    "timeline",
    """isin TEXT, mic TEXT, origin TEXT, same_as TEXT, row_id INTEGER, is_kept INTEGER,
    is_last INTEGER, valid_to DATE, known_from DATE""",
)
TIMELINE_INDEXES = (
    "CREATE INDEX temp.timeline_row ON timeline (origin, row_id)",
    "CREATE INDEX temp.timeline_listing ON timeline (isin, mic)",
    # In a file that comes late, all records wait for their timeline.
    "CREATE INDEX temp.unresolved_outcome ON record_outcome (position) WHERE outcome IS NULL",
)

# Records of older revisions of a republished file that are not published any more: `origin` is listing or
# version, `row_id` the key there. Filled by withdrawal.py. Read by it and by records.py.
WITHDRAWN_RECORD = TemporaryTable(
    "withdrawn_record",
    "origin TEXT, row_id INTEGER, isin TEXT, mic TEXT, PRIMARY KEY (isin, mic, origin, row_id)",
    without_rowid=True,
)

# Records of older revisions that the new one repeats, with their position in it.
# Filled and read by withdrawal.py.
CONFIRMED_RECORD = TemporaryTable(
    "confirmed_record",
    "origin TEXT, row_id INTEGER, position INTEGER, technical_record_id TEXT",
)

# Listings that an older revision of a republished full file had dropped. Filled and read by full_sets.py.
REOPENED_LISTING = TemporaryTable("reopened_listing", "listing_id INTEGER PRIMARY KEY")

# Listings that a republished full file holds. Filled by full_sets.py. Read by reconciliation.py.
HELD_LISTING = TemporaryTable("held_listing", "listing_id INTEGER PRIMARY KEY")

# Dropped listings that a full file holds again. Filled and read by full_sets.py.
RELISTED_LISTING = TemporaryTable("relisted_listing", "listing_id INTEGER PRIMARY KEY")

# Listings of which full_sets.py asks when their record was published. Filled and read by it.
ASKED_LISTING = TemporaryTable("asked_listing", "listing_id INTEGER PRIMARY KEY")

# For each listing that full_sets.py has looked at, the file that drops it, or NULL.
# Filled and read by full_sets.py.
DROP_MARK = TemporaryTable("drop_mark", "listing_id INTEGER PRIMARY KEY, file_id INTEGER")

# The rows of `drop_mark` that change the listing. Filled by full_sets.py. Read by it and by instruments.py.
CHANGED_DROP = TemporaryTable("changed_drop", "listing_id INTEGER PRIMARY KEY, file_id INTEGER")

# Instruments that are derived from all of their listings. Filled and read by instruments.py.
CHANGED_INSTRUMENT = TemporaryTable(
    "changed_instrument", "isin TEXT PRIMARY KEY, isin_key INTEGER", without_rowid=True
)

# The reference listing of each of them, and the number of listings. Filled and read by instruments.py.
REFERENCE_LISTING = TemporaryTable(
    "reference_listing",
    "isin TEXT, isin_key INTEGER, listing_count INTEGER, listing_id INTEGER, active_until TEXT, "
    + ", ".join(f"{column} INTEGER" for column in LISTING_COUNTS),
)

# The new row of each instrument, and the names that it had before (`full_name_before`, ...). `difference`
# is NULL for a new instrument, 2 where codes in the search index change, 1 where only names or the days of
# its end do, 0 where nothing changes. Filled by instruments.py. Read by it and by search_index.py.
DERIVED_INSTRUMENT = TemporaryTable(
    "derived_instrument",
    f"""isin_key INTEGER PRIMARY KEY, isin TEXT,
    {", ".join(f"{c} VARCHAR({_LENGTHS[c]})" for c in REFERENCE_TEXTS)},
    status TEXT, mic TEXT, register TEXT, listing_count INTEGER,
    {", ".join(f"{column} INTEGER" for column in LISTING_COUNTS)},
    {", ".join(f"{column} TEXT" for column in END_COLUMNS)},
    {", ".join(f"{c}_before VARCHAR({_LENGTHS[c]})" for c in NAMED)}, difference INTEGER""",
)

# The corrected values of derived instruments; NULL where the derived one stays.
# Filled and read by corrections.py.
CORRECTED_INSTRUMENT = TemporaryTable(
    "corrected_instrument",
    "isin_key INTEGER PRIMARY KEY, "
    + ", ".join(f"{c} VARCHAR({_LENGTHS[c]})" for c in REFERENCE_TEXTS),
)

# The differences that a merge makes to `InstrumentCount`, by category and status.
# Filled and read by counts.py.
COUNT_CHANGE = TemporaryTable(
    "count_change",
    "category TEXT, status TEXT, " + ", ".join(f"{column} INTEGER" for column in COUNTED),
)

# The codes of the changed instruments in the search index, before and after. Only on SQLite.
# Filled and read by search_index.py.
INDEXED_CODES = TemporaryTable(
    "indexed_codes", "isin_key INTEGER PRIMARY KEY, codes_before TEXT, codes TEXT"
)

# The columns of records that name underlyings, of records as they were (`is_current` 0) and as they are.
# Filled and read by underlyings.py.
NAMED_UNDERLYING = TemporaryTable(
    "named_underlying",
    "isin TEXT, is_current INTEGER, "
    + ", ".join(
        f"{column} {'LONGTEXT' if column == 'underlying_basket' else 'TEXT'}" for column in LINKS
    ),
)

# Underlyings whose link differs: `link` is the closest one now and `link_before` the closest one before,
# NULL for none. Filled and read by underlyings.py.
CHANGED_UNDERLYING = TemporaryTable(
    "changed_underlying", "code TEXT, isin TEXT, link INTEGER, link_before INTEGER"
)

# Instruments that may have lost an underlying. Filled and read by underlyings.py.
RELINKED_INSTRUMENT = TemporaryTable("relinked_instrument", "isin TEXT PRIMARY KEY")

# Staged records that are out of scope themselves, but belong to a listing that is followed.
# Filled and read by scope.py.
FOLLOWED_RECORD = TemporaryTable("followed_record", "position INTEGER PRIMARY KEY")
