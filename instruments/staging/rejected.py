"""Refused records as staging keeps them, for people to look at."""

import json

import pyarrow as pa

from esma_files.parsing.reader import Batch
from instruments.staging.checks import Refusal
from instruments.staging.layout import Layout

_SCHEMA = pa.schema(
    [("position", pa.int64())]
    + [(name, pa.string()) for name in ("isin", "mic", "field", "value", "reason", "record")]
)


def rows(batch: Batch, refused: list[Refusal], layout: Layout) -> pa.RecordBatch:
    """A row for each refusal: the record as it was read, as a JSON object of path to value."""
    names = batch.rows.schema.names
    records: dict[int, dict[str, str]] = {}
    for row in {refusal.row for refusal in refused}:
        values = zip(names, (column[row].as_py() for column in batch.rows.columns), strict=True)
        records[row] = {name: value for name, value in values if value is not None}
    isins, mics = layout.paths("isin"), layout.paths("mic")
    return pa.RecordBatch.from_pylist(
        [
            {
                "position": int(batch.positions[refusal.row]) + 1,
                "isin": _first(records[refusal.row], isins)[:50],
                "mic": _first(records[refusal.row], mics)[:50],
                "field": refusal.field.path,
                "value": refusal.value or "",
                "reason": refusal.reason,
                "record": json.dumps(records[refusal.row], ensure_ascii=False),
            }
            for refusal in refused
        ],
        schema=_SCHEMA,
    )


def _first(record: dict[str, str], paths: list[str]) -> str:
    return next((record[path] for path in paths if path in record), "")
