"""Records that the tables hold already, found before anything is written: most of a weekly full file.

A record that is in the tables, from this file or from one published before it, adds nothing to them
(instruments/listings/load/merge.py), and never will: no load deletes what has been said. So it need not
be staged, and it does not matter that other files are merged meanwhile.
"""

import dataclasses
import json
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.models import EsmaFile
from instruments.models import Listing, Register, Scope

# Where few records are known, looking each up costs more than it saves: look at one batch in eight.
_WORTH_IT, _PAUSE = 0.5, 7
# A record as one text: ISIN and MIC have fixed widths, the rest is compared as a whole.
_KEY = ("isin", "mic", "status", "valid_from", "fingerprint")


@dataclasses.dataclass(frozen=True)
class Tables:
    """The SQLite database that a file is to be merged into ("": one of another kind, which is not asked),
    and the file's place in it.
    """

    database: str
    dataset: str
    sequence: int
    scope: Scope  # what of the file they are to hold

    @property
    def register(self) -> Register:
        return Register.of_dataset(self.dataset)


class Known:
    """Asks, batch by batch, which records the tables hold.

    With Python's sqlite3 and not by ADBC, which brings a SQLite of its own: two of them in one
    process undo each other's locks on a file (sqlite.org/howtocorrupt.html, 2.2.1).
    """

    def __init__(self, tables: Tables) -> None:
        self._skip = 0
        self._connection = sqlite3.connect(
            f"{Path(tables.database).as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        listing, file = Listing._meta.db_table, EsmaFile._meta.db_table
        # One row in and one row out: SQLite works on the whole batch without Python's lock.
        self._question = f"""
            SELECT json_group_array(key.key), json_group_array(l.id)
            FROM json_each(?) key CROSS JOIN {listing} l
            JOIN {file} f ON f.id = l.source_file_id
            WHERE l.isin = substr(key.value, 1, 12) AND l.mic = substr(key.value, 13, 4)
            AND l.register = '{tables.register}' AND f.sequence <= {tables.sequence}
            AND l.status || l.valid_from || l.fingerprint = substr(key.value, 17)
        """

        self._is_listed = f"""
            SELECT json_group_array(key.key) FROM json_each(?) key WHERE EXISTS (
                SELECT 1 FROM {listing} l WHERE l.isin = json_extract(key.value, '$[0]')
                AND l.mic = json_extract(key.value, '$[1]') AND l.register = '{tables.register}')
        """

    def listed(self, isins: pa.Array, mics: pa.Array) -> np.ndarray:
        """For each pair whether there is a listing, as a mask."""
        pairs = list(zip(isins.to_pylist(), mics.to_pylist(), strict=True))
        (answer,) = self._connection.execute(self._is_listed, [json.dumps(pairs)]).fetchone()
        found = np.zeros(len(isins), dtype=bool)
        found[json.loads(answer)] = True
        return found

    def close(self) -> None:
        self._connection.close()

    def among(self, rows: pa.RecordBatch) -> np.ndarray:
        """For each of `rows` the listing that says the same, 0 for none; all 0 where not worth asking."""
        known = np.zeros(len(rows), dtype=np.int64)
        if self._skip:
            self._skip -= 1
            return known
        columns = (rows.column(name).cast(pa.string()) for name in _KEY)
        keys = pc.binary_join_element_wise(*columns, "").to_pylist()
        answer = self._connection.execute(self._question, [json.dumps(keys)]).fetchone()
        found, listings = map(json.loads, answer)
        known[found] = listings
        if len(found) < _WORTH_IT * len(rows):
            self._skip = _PAUSE
        return known
