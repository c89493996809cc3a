"""The layout of volume cap results for staging: what is checked, derived and staged of them."""

import dataclasses
import sqlite3
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from esma_files.parsing.reader import Batch
from instruments.fields import Field
from instruments.staging import checks, fingerprint
from instruments.staging.checks import Refusal
from instruments.staging.layout import Checked, Groups, Layout
from instruments.volume_cap.fields import (
    FIELDS,
    FILE,
    KEY,
    PERIOD,
    PERIOD_FIELDS,
    VENUE_FIELDS,
    VENUES,
)

_VENUE = tuple(field.column for field in VENUE_FIELDS)
# A venue's element is read as one row for each child, perhaps in two batches (`leaf`), and joined in `venue`.
_SCHEMA = f"""
CREATE TABLE leaf (position INTEGER, begins INTEGER, {", ".join(f"{c} TEXT" for c in _VENUE)});
CREATE TABLE venue (position INTEGER, element INTEGER, {", ".join(f"{c} TEXT" for c in _VENUE)});
CREATE TABLE result (position INTEGER PRIMARY KEY, isin TEXT, fingerprint INTEGER, result_key INTEGER);
"""
_ELEMENTS = "(SELECT *, sum(begins) OVER (ORDER BY rowid) AS element FROM leaf)"
_REPEATED = f"""
SELECT position, '{VENUES.path}' AS path, coalesce(max(mic), '') AS value
FROM {_ELEMENTS} GROUP BY position, element HAVING {" OR ".join(f"count({c}) > 1" for c in _VENUE)}
"""
_PAIRS = ", ".join(f"'{field.path}', {field.column}" for field in VENUE_FIELDS)
# A rejected record keeps its venues with its other elements, as they were read.
# The order of the venues has no meaning, so it is not part of the fingerprint.
_BRING_IN = f"""
INSERT INTO venue SELECT position, element, {", ".join(f"max({c})" for c in _VENUE)}
    FROM {_ELEMENTS} GROUP BY position, element HAVING {" OR ".join(f"count({c}) > 0" for c in _VENUE)};
CREATE INDEX venue_position ON venue (position);
INSERT INTO result SELECT r.position, r.isin,
        (r.fingerprint + ifnull(v.hash, 0)) & {fingerprint.MASK},
        r.result_key
    FROM record r LEFT JOIN (
        SELECT position, fingerprint_of('venues', group_concat(text, ' ')) AS hash FROM (
            SELECT position, json_array({", ".join(_VENUE)}) AS text FROM venue ORDER BY position, text)
        GROUP BY position) v ON v.position = r.position;
UPDATE rejected SET record = json_patch(record, json_object(
        '{VENUE_FIELDS[0].path}', NULL, '{VENUES.path}', (
            SELECT json_group_array(json_object({_PAIRS}))
            FROM (SELECT * FROM venue WHERE venue.position = rejected.position ORDER BY element))))
    WHERE position IN (SELECT position FROM venue);
"""


def _derive(checked: Checked, day: str) -> dict[str, pa.Array]:
    return {
        "fingerprint": pa.array(checked.summed(checked.hashes, fingerprint.MASK)),
        "result_key": pa.array(checked.summed(KEY, fingerprint.MASK)),
    }


def _refuse(checked: Checked) -> Iterator[Refusal]:
    """Refuse records without a reporting period, which identifies the result."""
    period = dataclasses.replace(PERIOD_FIELDS[0], path=PERIOD)
    for row in np.flatnonzero(~checked.present(*KEY)).tolist():
        yield Refusal(row, period, None, "is missing")


def _refuse_venues(batch: Batch) -> Iterator[Refusal]:
    for field, texts in zip(VENUE_FIELDS, batch.rows.columns, strict=True):
        yield from checks.check(_in_record(field), texts).refusals


def _in_record(field: Field) -> Field:
    return dataclasses.replace(field, path=f"{VENUES.path}/{field.path}")


def _stage_venues(batch: Batch) -> tuple[str, pa.RecordBatch]:
    leaves = dict(zip(_VENUE, batch.rows.columns, strict=True))
    begins = pa.array(batch.begins.astype(np.int64))
    rows = {"position": pa.array(batch.positions + 1), "begins": begins, **leaves}
    return "leaf", pa.RecordBatch.from_pydict(rows)


def _bring_in(connection: sqlite3.Connection) -> None:
    """Join the rows of venues, and bring them into the results."""
    connection.create_function("fingerprint_of", 2, fingerprint.of_text, deterministic=True)
    connection.executescript(_BRING_IN)


LAYOUT = Layout(
    mapping=FILE,
    fields=FIELDS,
    derived={"fingerprint": "INTEGER", "result_key": "INTEGER"},
    derive=_derive,
    refuse=_refuse,
    groups=Groups(
        schema=_SCHEMA,
        refuse=_refuse_venues,
        stage=_stage_venues,
        columns=lambda batch: (),
        repeated=_REPEATED,
        bring_in=_bring_in,
        left_out_wrongly=lambda connection: False,
    ),
    index="CREATE INDEX result_isin ON result (isin, result_key, fingerprint, position)",
)
