"""The layout of GLEIF's records for staging: what is checked, derived and staged of them."""

import dataclasses
import sqlite3
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.reader import Batch
from instruments.entities.fields import ENTITY_FIELDS, LEVEL_1_MAPPING, PARTS, Part
from instruments.fields import Field
from instruments.staging import checks, fingerprint
from instruments.staging.checks import Refusal
from instruments.staging.layout import Checked, Groups, Layout

# The hashes of the rows of a record are summed: so many bits that the sum of a million fits 63.
_ROW_MASK = (1 << 43) - 1
_LONGEST_TIME = 40
# Of each record with parts, the sum of the hashes of their rows.
_TOTALS = "CREATE TABLE part_total (position INTEGER PRIMARY KEY, total INTEGER);"
_BY_GROUP = {name: part for part in PARTS for name in part.groups}


def _schema(part: Part) -> str:
    columns = ", ".join(f"{column} TEXT" for column in part.columns)
    table = f"CREATE TABLE {part.table} (position INTEGER, row_hash INTEGER, {columns});"
    if part.is_split:
        table += f"CREATE TABLE {part.table}_leaf (position INTEGER, begins INTEGER, {columns});"
    return table


def _derive(checked: Checked, day: str) -> dict[str, pa.Array]:
    return {"fingerprint": pa.array(checked.summed(checked.hashes, fingerprint.MASK))}


def _in_record(field: Field, path: str) -> Field:
    return dataclasses.replace(field, path=f"{path}/{field.path}")


def _refuse_rows(batch: Batch) -> Iterator[Refusal]:
    part = _BY_GROUP[batch.group]
    path = part.paths[batch.group]
    for field, texts in zip(part.groups[batch.group], batch.rows.columns, strict=True):
        yield from checks.check(_in_record(field, path), texts).refusals


def _stage_rows(batch: Batch) -> tuple[str, pa.RecordBatch]:
    """Return the rows of a part with their hashes; the rows of a split one are joined in the end."""
    part = _BY_GROUP[batch.group]
    fields = part.groups[batch.group]
    positions = pa.array(batch.positions + 1)
    values = {
        field.column: checks.check(field, texts).values
        for field, texts in zip(fields, batch.rows.columns, strict=True)
    }
    if part.is_split:
        begins = pa.array(batch.begins.astype(np.int64))
        rows = {"position": positions, "begins": begins, **values}
        return f"{part.table}_leaf", pa.RecordBatch.from_pydict(rows)
    texts = pc.binary_join_element_wise(
        *(column.cast(pa.string()) for column in values.values()),
        "\x1f",
        null_handling="replace",
        null_replacement="\x1e",
    )
    hashes = pa.array(fingerprint.of_distinct(part.table, texts) & _ROW_MASK)
    rows = {"position": positions, "row_hash": hashes, **values}
    return part.table, pa.RecordBatch.from_pydict(rows)


def _join_split(part: Part) -> str:
    columns = part.columns
    values = ", ".join(f"max({column})" for column in columns)
    text = ", ".join(f"ifnull(max({column}), char(30))" for column in columns)
    return f"""
        INSERT INTO {part.table} (position, row_hash, {", ".join(columns)})
            SELECT position, hash_of_row('{part.table}', json_array({text})), {values}
            FROM (SELECT *, sum(begins) OVER (ORDER BY rowid) AS element FROM {part.table}_leaf)
            GROUP BY position, element;
    """


def _bring_in(connection: sqlite3.Connection) -> None:
    """Join the rows of split elements, and sum the hashes of all rows of each record.

    The merge adds them to the fingerprints: to rewrite the wide records here would take longer.
    """

    def hash_of_row(name: str, text: str) -> int:
        return fingerprint.of_text(name, text) & _ROW_MASK

    connection.create_function("hash_of_row", 2, hash_of_row, deterministic=True)
    for part in PARTS:
        if part.is_split:
            connection.executescript(_join_split(part))
    rows = " UNION ALL ".join(f"SELECT position, row_hash FROM {part.table}" for part in PARTS)
    connection.execute(
        "INSERT INTO part_total (position, total)"
        f" SELECT position, sum(row_hash) FROM ({rows}) GROUP BY position"
    )


def _repeated_elements() -> str:
    """Select the split elements that hold a child twice."""
    selects = []
    for part in PARTS:
        if part.is_split:
            twice = " OR ".join(f"count({column}) > 1" for column in part.columns)
            [path] = part.paths.values()
            selects.append(
                f"SELECT position, '{path}' AS path, coalesce(max({part.columns[0]}), '') AS value FROM"
                f" (SELECT *, sum(begins) OVER (ORDER BY rowid) AS element FROM {part.table}_leaf)"
                f" GROUP BY position, element HAVING {twice}"
            )
    return " UNION ALL ".join(selects)


LEVEL_1 = Layout(
    mapping=LEVEL_1_MAPPING,
    fields=ENTITY_FIELDS,
    derived={"fingerprint": "INTEGER"},
    derive=_derive,
    refuse=lambda checked: (),
    groups=Groups(
        schema="\n".join((*map(_schema, PARTS), _TOTALS)),
        refuse=_refuse_rows,
        stage=_stage_rows,
        columns=lambda batch: (),
        repeated=_repeated_elements(),
        bring_in=_bring_in,
        left_out_wrongly=lambda connection: False,
        lengths={
            field.column: field.max_length or _LONGEST_TIME
            for part in PARTS
            for fields in part.groups.values()
            for field in fields
        },
    ),
    index="CREATE INDEX record_lei ON record (lei, last_updated_at DESC, position DESC, fingerprint)",
)
