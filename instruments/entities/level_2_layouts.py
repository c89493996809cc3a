"""The layouts of relationships and reporting exceptions for staging."""

import dataclasses
import sqlite3
from collections.abc import Iterator

import pyarrow as pa

from esma_files.parsing.reader import Batch
from instruments.entities.level_2_fields import (
    EXCEPTION_FIELDS,
    EXCEPTION_MAPPING,
    LISTS,
    PATHS_OF_LISTS,
    RELATIONSHIP_FIELDS,
    RELATIONSHIP_MAPPING,
)
from instruments.staging import checks, fingerprint
from instruments.staging.checks import Refusal
from instruments.staging.layout import NO_GROUPS, Checked, Groups, Layout

_RELATIONSHIP_PERIOD = "RELATIONSHIP_PERIOD"


def derive_fingerprint(checked: Checked, day: str) -> dict[str, pa.Array]:
    """Return the fingerprints of records, which are all that is derived of them."""
    return {"fingerprint": pa.array(checked.summed(checked.hashes, fingerprint.MASK))}


def _schema() -> str:
    tables = (
        f"CREATE TABLE {name}_row (position INTEGER, "
        + ", ".join(f'"{field.column}" TEXT' for field in fields)
        + ");"
        for name, fields in LISTS.items()
    )
    return "\n".join(tables)


def _refuse_rows(batch: Batch) -> Iterator[Refusal]:
    path = PATHS_OF_LISTS[batch.group]
    for field, texts in zip(LISTS[batch.group], batch.rows.columns, strict=True):
        in_record = dataclasses.replace(field, path=f"{path}/{field.path}")
        yield from checks.check(in_record, texts).refusals


def _stage_rows(batch: Batch) -> tuple[str, pa.RecordBatch]:
    values = {
        field.column: checks.check(field, texts).values
        for field, texts in zip(LISTS[batch.group], batch.rows.columns, strict=True)
    }
    rows = {"position": pa.array(batch.positions + 1), **values}
    return f"{batch.group}_row", pa.RecordBatch.from_pydict(rows)


def _bring_in(connection: sqlite3.Connection) -> None:
    """Bring the lists into the records as JSON, and the days of the relationship period."""
    connection.create_function("fingerprint_of", 2, fingerprint.of_text, deterministic=True)
    for name, fields in LISTS.items():
        pairs = ", ".join(f"""'{field.column}', "{field.column}\"""" for field in fields)
        connection.executescript(
            f"""
            UPDATE record SET {name} = l.list,
                fingerprint = (fingerprint + fingerprint_of('{name}', l.list)) & {fingerprint.MASK}
            FROM (
                SELECT position, json_group_array(json_object({pairs})) AS list
                FROM (SELECT * FROM {name}_row ORDER BY position, rowid) GROUP BY position
            ) AS l WHERE l.position = record.position;
            """
        )
    connection.executescript(
        f"""
        UPDATE record SET started_at = p.first, ended_at = p.last
        FROM (
            SELECT position, min("from") AS first,
                CASE WHEN count("to") = count(*) THEN max("to") END AS last
            FROM periods_row WHERE type = '{_RELATIONSHIP_PERIOD}' GROUP BY position
        ) AS p WHERE p.position = record.position;
        """
    )


RR = Layout(
    mapping=RELATIONSHIP_MAPPING,
    fields=RELATIONSHIP_FIELDS,
    derived={
        "fingerprint": "INTEGER",
        **dict.fromkeys((*LISTS, "started_at", "ended_at"), "TEXT"),
    },
    derive=derive_fingerprint,
    refuse=lambda checked: (),
    groups=Groups(
        schema=_schema(),
        refuse=_refuse_rows,
        stage=_stage_rows,
        columns=lambda batch: (),
        repeated="SELECT 0 AS position, '' AS path, '' AS value WHERE 0",
        bring_in=_bring_in,
        left_out_wrongly=lambda connection: False,
    ),
    index="CREATE INDEX record_key ON record (start_lei, type, end_lei)",
)
REPEX = Layout(
    mapping=EXCEPTION_MAPPING,
    fields=EXCEPTION_FIELDS,
    derived={"fingerprint": "INTEGER"},
    derive=derive_fingerprint,
    refuse=lambda checked: (),
    groups=NO_GROUPS,
    index="CREATE INDEX record_key ON record (lei, category)",
)
