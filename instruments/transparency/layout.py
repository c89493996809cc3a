"""The layout of FITRS records for staging: what is checked, derived and staged of them."""

import dataclasses
import json
import sqlite3
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch
from instruments.fields import CODE4, Field, Type
from instruments.staging import checks, fingerprint
from instruments.staging.checks import Refusal
from instruments.staging.layout import Checked, Groups, Layout
from instruments.transparency.fields import (
    CRITERIA,
    EQUITY_FIELDS,
    EQUITY_FILE,
    FIELDS_OF,
    KEY,
    NON_EQUITY_FIELDS,
    NON_EQUITY_FILE,
    OLD_NON_EQUITY_FIELDS,
    SUB_CLASS,
    SUB_CLASS_GROUPS,
    THRESHOLDS,
    ResultKind,
)

_SECTIONS = {
    "liquidity": ("liquid",),
    "thresholds": tuple(f"{name}{unit}" for name in THRESHOLDS for unit in ("", "_number")),
    "statistics": (
        "total_transactions",
        "total_volume",
        "average_daily_turnover",
        "average_transaction_value",
        "large_in_scale",
        "standard_market_size",
        "average_daily_transactions",
        "trading_days",
    ),
}
# Every set of sections, by the number whose bits say which are in it.
SUBJECTS = [
    ", ".join(name for bit, name in enumerate(_SECTIONS) if number >> bit & 1) or "none"
    for number in range(1 << len(_SECTIONS))
]
# The merge looks records up in `result`: a narrow table that includes the sub-class.
_SCHEMA = """
CREATE TABLE sub_class (position INTEGER, sub_class TEXT, criteria TEXT, described INTEGER, cut INTEGER);
CREATE TABLE result (position INTEGER PRIMARY KEY, isin TEXT, asset_class TEXT, sub_class TEXT,
    criteria TEXT, fingerprint INTEGER, result_key INTEGER);
"""
# A record that has several descriptions, in several batches: those of one batch are refused with it.
_REPEATED_DESCRIPTIONS = f"""
SELECT s.position, CASE WHEN (SELECT isin FROM record r WHERE r.position = s.position) IS NULL
    THEN '{SUB_CLASS_GROUPS[1].path}/Desc' ELSE '{SUB_CLASS_GROUPS[0].path}/Desc' END AS path,
    group_concat(s.sub_class, ' ') AS value
FROM sub_class s GROUP BY s.position HAVING count(s.sub_class) > 1
"""
_SPLIT = "SELECT position FROM sub_class GROUP BY position HAVING count(*) > 1"
# `described` and `cut` are hashes of description and criteria; criteria identify the result of a class.
_RESULT = f"""
INSERT INTO result
SELECT r.position, r.isin, {{asset_class}}, c.sub_class, c.criteria,
    (((r.fingerprint + ifnull(c.described, 0)) & {fingerprint.MASK}) + ifnull(c.cut, 0))
        & {fingerprint.MASK},
    (r.result_key + CASE WHEN r.isin IS NULL THEN ifnull(c.cut, 0) ELSE 0 END) & {fingerprint.MASK}
FROM record r LEFT JOIN sub_class c ON c.position = r.position;
"""
# A rejected record keeps its sub-class with its other elements.
_KEEP_REJECTED = f"""
UPDATE rejected SET record = json_patch(record, CASE WHEN isin = '' THEN
    json_object('{SUB_CLASS_GROUPS[1].path}/Desc', c.sub_class,
        '{SUB_CLASS_GROUPS[1].path}/SgmttnCrit', json(c.criteria))
    ELSE json_object('{SUB_CLASS_GROUPS[0].path}/Desc', c.sub_class,
        '{SUB_CLASS_GROUPS[0].path}/SgmttnCrit', json(c.criteria)) END)
FROM sub_class c WHERE c.position = rejected.position
"""
_INDEX = "CREATE INDEX result_isin ON result (isin, result_key, fingerprint, position)"


def _derive(checked: Checked, day: str) -> dict[str, pa.Array]:
    """Derive key, fingerprint and subject. The subject is a part of the key of non-equity results only: these
    have no methodology that would tell them apart.
    """
    number = sum(
        checked.present(*columns).astype(np.int64) << bit
        for bit, columns in enumerate(_SECTIONS.values())
    )
    subjects = pa.array(SUBJECTS)
    key = checked.summed(KEY, fingerprint.MASK)
    if checked.kind != ResultKind.EQUITY:
        hashes = fingerprint.of_distinct("subject", subjects)
        key = (key + hashes[number]) & fingerprint.MASK
    return {
        "record_kind": pa.repeat(checked.kind, checked.size),
        "subject": subjects.take(pa.array(number)),
        "fingerprint": pa.array(checked.summed(checked.hashes, fingerprint.MASK)),
        "result_key": pa.array(key),
    }


def _refuse_without_owner(checked: Checked) -> Iterator[Refusal]:
    """Refuse records with neither an ISIN nor an asset class, and those with both."""
    isin, asset_class = checked.present("isin"), checked.present("asset_class")
    fields = {field.column: field for field in FIELDS_OF[ResultKind(checked.kind)]}
    for row in np.flatnonzero(~(isin | asset_class)).tolist():
        yield Refusal(row, fields["isin"], None, "is missing, and there is no asset class either")
    for row in np.flatnonzero(isin & asset_class).tolist():
        value = checked.columns["asset_class"][row].as_py()
        yield Refusal(row, fields["asset_class"], value, "stands beside an ISIN")


def _refused_sub_class(batch: Batch) -> Iterator[Refusal]:
    """Check the rows of a sub-class: each is its description, of which there is one, or a criterion."""
    path = next(group.path for group in SUB_CLASS_GROUPS if group.name == batch.group)
    described = batch.rows.column(0).is_valid().to_numpy(zero_copy_only=False)
    checked = (
        (Field("", f"{path}/Desc", Type.TEXT, 1000), described),
        (Field("", f"{path}/SgmttnCrit/CritNm", Type.CODE, 4, CODE4, required=True), ~described),
        (Field("", f"{path}/SgmttnCrit/CritVal", Type.TEXT, 1000, required=True), ~described),
    )
    for (field, where), texts in zip(checked, batch.rows.columns, strict=True):
        rows = np.flatnonzero(where)
        for refusal in checks.check(field, texts.take(pa.array(rows))).refusals:
            yield dataclasses.replace(refusal, row=int(rows[refusal.row]))
    description, texts, rows = checked[0][0], batch.rows.column(0), np.flatnonzero(described)
    records, count = np.unique(batch.positions[rows], return_counts=True)
    for row in rows[np.isin(batch.positions[rows], records[count > 1])].tolist():
        yield Refusal(row, description, texts[row].as_py(), "occurs twice")


def _staged_sub_class(batch: Batch) -> tuple[str, pa.RecordBatch]:
    """Return a row for each record: its description, and its criteria as JSON, `[["SACL", "BOND5"], ...]`."""
    description, name, value = batch.rows.columns
    described = description.is_valid().to_numpy(zero_copy_only=False)
    of_criteria = batch.positions[~described]
    names, values = (_as_json(texts.filter(pa.array(~described))) for texts in (name, value))
    pieces = pc.binary_join_element_wise("[", names, ", ", values, "]", "")
    begins = np.flatnonzero(np.diff(of_criteria, prepend=-1))
    lists = pa.ListArray.from_arrays(pa.array([*begins, len(pieces)], pa.int32()), pieces)
    criteria = pc.binary_join_element_wise("[", pc.binary_join(lists, ", "), "]", "")
    records = np.unique(batch.positions)
    columns = {
        SUB_CLASS: _placed(
            description.filter(pa.array(described)), batch.positions[described], records
        ),
        CRITERIA: _placed(criteria, of_criteria[begins], records),
    }
    hashes = {
        "described": _hashed(SUB_CLASS, columns[SUB_CLASS]),
        "cut": _hashed(CRITERIA, columns[CRITERIA]),
    }
    staged = {"position": pa.array(records + 1), **columns, **hashes}
    return "sub_class", pa.RecordBatch.from_pydict(staged)


def _placed(texts: pa.StringArray, positions: np.ndarray, records: np.ndarray) -> pa.StringArray:
    """Return for each of `records` the text at its position; null where there is none."""
    index = np.full(len(records), -1)
    index[np.searchsorted(records, positions)] = np.arange(len(texts))
    return texts.take(pa.array(index, pa.int64(), mask=index < 0))


def _hashed(column: str, texts: pa.StringArray) -> pa.Int64Array:
    encoded = texts.dictionary_encode()
    hashes = pa.array(fingerprint.of_distinct(column, encoded.dictionary), pa.int64())
    return hashes.take(encoded.indices)


def _as_json(texts: pa.StringArray) -> pa.StringArray:
    encoded = texts.dictionary_encode()
    as_json = [json.dumps(text, ensure_ascii=False) for text in encoded.dictionary.to_pylist()]
    return pa.array(as_json, pa.string()).take(encoded.indices).fill_null("null")


def _bring_in(connection: sqlite3.Connection) -> None:
    """Join sub-classes to their records; the rows of one may have come in two batches."""
    connection.execute("CREATE INDEX sub_class_position ON sub_class (position)")
    for (position,) in connection.execute(_SPLIT).fetchall():
        parts = "SELECT sub_class, criteria FROM sub_class WHERE position = ? ORDER BY rowid"
        rows = connection.execute(parts, [position]).fetchall()
        connection.execute("DELETE FROM sub_class WHERE position = ?", [position])
        described = [text for text, _ in rows if text is not None]
        pairs = [pair for _, text in rows if text for pair in json.loads(text)]
        texts = {
            SUB_CLASS: described[0] if described else None,
            CRITERIA: json.dumps(pairs, ensure_ascii=False) if pairs else None,
        }
        hashes = [fingerprint.of_text(name, text) if text else 0 for name, text in texts.items()]
        connection.execute(
            "INSERT INTO sub_class VALUES (?, ?, ?, ?, ?)", [position, *texts.values(), *hashes]
        )
    connection.execute(_KEEP_REJECTED)
    columns = {row[1] for row in connection.execute("PRAGMA table_info(record)")}
    asset_class = "r.asset_class" if "asset_class" in columns else "NULL"
    connection.executescript(_RESULT.format(asset_class=asset_class))


def _holds(field: Field) -> str:
    """Return the SQL condition that a column holds this path: several paths share columns."""
    branch = field.path.partition("/")[2].partition("/")[0]
    if branch in ("ISINAndSubClss", "AsstClssAndSubClss"):
        column = "isin" if branch == "ISINAndSubClss" else "asset_class"
        return f"r.{column} IS NOT NULL AND r.record_kind = '{ResultKind.NON_EQUITY}'"
    if field in OLD_NON_EQUITY_FIELDS and field not in NON_EQUITY_FIELDS:
        return f"r.record_kind <> '{ResultKind.NON_EQUITY}'"
    return "1"


def _layout(mapping: Mapping, fields: tuple[Field, ...]) -> Layout:
    return Layout(
        mapping=mapping,
        fields=tuple({field.path: field for field in fields}.values()),
        derived={
            "record_kind": "TEXT",
            "subject": "TEXT",
            "fingerprint": "INTEGER",
            "result_key": "INTEGER",
        },
        derive=_derive,
        refuse=_refuse_without_owner,
        groups=Groups(
            schema=_SCHEMA,
            refuse=_refused_sub_class,
            stage=_staged_sub_class,
            columns=lambda batch: (SUB_CLASS, CRITERIA),
            repeated=_REPEATED_DESCRIPTIONS,
            bring_in=_bring_in,
            left_out_wrongly=lambda connection: False,
        ),
        index=_INDEX,
        holds=_holds,
    )


EQUITY = _layout(EQUITY_FILE, EQUITY_FIELDS)
NON_EQUITY = _layout(NON_EQUITY_FILE, (*NON_EQUITY_FIELDS, *OLD_NON_EQUITY_FIELDS))
