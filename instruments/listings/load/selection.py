"""The records of a FIRDS file that are staged: those in scope, without those that the tables hold already.

Most records of a weekly full file are known. A record that is in the tables, from this file or from one that
was published before it, adds nothing to them (instruments/listings/load/merge.py). So it need not be staged,
and it makes no difference that other files are merged meanwhile.
"""

import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings

from esma_files.models import EsmaFile
from esma_files.parsing.reader import Batch
from instruments.listings.fields import RecordKind
from instruments.listings.load import scope as scopes
from instruments.models import Listing, Register, Scope
from instruments.staging.layout import Selection

# Where few records are known, looking each up costs more than it saves: then one batch in eight is looked up.
_WORTH_IT, _PAUSE = 0.5, 7
# A record as one text: ISIN and MIC have fixed widths, the rest is compared as a whole.
_KEY = ("isin", "mic", "status", "valid_from", "fingerprint")


class ListingSelection(Selection):
    """The records of one file in a scope; `database` is the SQLite database to look for known records in.

    Without a database no record is left out as known: the merge finds out by the same comparison.
    """

    def __init__(
        self, *, scope: Scope, register: Register, file: EsmaFile, database: str = ""
    ) -> None:
        self._scope, self._register, self._file = scope, register, file
        self._database = database
        self._tables: _Tables | None = None
        self._batches_to_skip = 0

    @property
    def omits_known(self) -> bool:
        return bool(self._database)

    def with_known(self) -> "ListingSelection":
        return ListingSelection(scope=self._scope, register=self._register, file=self._file)

    def __enter__(self) -> Self:
        if self._database:
            self._tables = _Tables(self._database, self._register, self._file)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tables is not None:
            self._tables.close()

    def in_scope(self, batch: Batch) -> tuple[Batch, pa.RecordBatch | None]:
        """Most records of a full file outside the scope are of listings that the tables lack: these go."""
        mask = scopes.is_in_scope(self._scope, batch)
        if mask.all():
            return batch, None
        outside = scopes.outside_rows(batch, ~mask)
        if batch.kind != RecordKind.FULL or self._tables is None:
            return batch, outside
        mask[~mask] = self._tables.have_listings(outside["isin"], outside["mic"])
        return scopes.filtered(batch, mask), outside

    def known(self, rows: pa.RecordBatch) -> np.ndarray | None:
        if self._tables is None:
            return None
        if self._batches_to_skip:
            self._batches_to_skip -= 1
            return None
        listings = self._tables.equal_listings(rows)
        if np.count_nonzero(listings) < _WORTH_IT * len(rows):
            self._batches_to_skip = _PAUSE
        return listings


class _Tables:
    """Looks up the listings of many records at a time.

    With Python's sqlite3 and not with ADBC, which brings a SQLite of its own: two of them in one process undo
    each other's locks on a file (sqlite.org/howtocorrupt.html, 2.2.1). One row goes in and one comes out, so
    that SQLite works on a whole batch without Python's lock.
    """

    def __init__(self, database: str, register: Register, of_file: EsmaFile) -> None:
        # After a killed process, the next one to read recovers the log, and the others wait for it.
        self._connection = sqlite3.connect(
            f"{Path(database).as_uri()}?mode=ro",
            timeout=settings.DATABASES["default"]["OPTIONS"]["timeout"],
            uri=True,
            isolation_level=None,
        )
        listing, file = Listing._meta.db_table, EsmaFile._meta.db_table
        self._equal_listings = f"""
            SELECT json_group_array(key.key), json_group_array(l.id)
            FROM json_each(?) key CROSS JOIN {listing} l
            JOIN {file} f ON f.id = l.source_file_id
            WHERE l.isin = substr(key.value, 1, 12) AND l.mic = substr(key.value, 13, 4)
            AND l.register = '{register}' AND f.sequence <= {of_file.sequence}
            AND (l.known_from IS NULL OR l.known_from <= '{of_file.published_on}')
            AND l.status || l.valid_from || l.fingerprint = substr(key.value, 17)
        """
        self._listed = f"""
            SELECT json_group_array(key.key) FROM json_each(?) key WHERE EXISTS (
                SELECT 1 FROM {listing} l WHERE l.isin = json_extract(key.value, '$[0]')
                AND l.mic = json_extract(key.value, '$[1]') AND l.register = '{register}')
        """

    def close(self) -> None:
        self._connection.close()

    def have_listings(self, isins: pa.Array, mics: pa.Array) -> np.ndarray:
        """Return for which pairs there is a listing, as a mask."""
        pairs = list(zip(isins.to_pylist(), mics.to_pylist(), strict=True))
        (indexes,) = self._connection.execute(self._listed, [json.dumps(pairs)]).fetchone()
        mask = np.zeros(len(isins), dtype=bool)
        mask[json.loads(indexes)] = True
        return mask

    def equal_listings(self, rows: pa.RecordBatch) -> np.ndarray:
        """Return for each record the key of the listing that equals it, 0 for none."""
        columns = (rows.column(name).cast(pa.string()) for name in _KEY)
        keys = pc.binary_join_element_wise(*columns, "").to_pylist()
        answer = self._connection.execute(self._equal_listings, [json.dumps(keys)]).fetchone()
        indexes, listings = map(json.loads, answer)
        known = np.zeros(len(rows), dtype=np.int64)
        known[indexes] = listings
        return known
