"""The layout of FIRDS records in a staging file, with their baskets and commodity products.

Baskets and commodity products repeat within a record, so they are read apart from it, into tables of the
staging file of their own, and are brought into their records when all are there.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch
from instruments.fields import CODE4, Field, Type
from instruments.isin import keys_of
from instruments.listings.fields import (
    BASKET,
    BASKET_PATTERNS,
    CANCELLATIONS,
    COMMODITY,
    COMMODITY_BRANCHES,
    COMMODITY_LEVELS,
    DELTA_FILE,
    FIELDS,
    FULL_FILE,
    GROUPS,
    RecordKind,
)
from instruments.listings.load import ends
from instruments.staging import checks, fingerprint
from instruments.staging.checks import Refusal
from instruments.staging.layout import Checked, Groups, Layout
from marketdata.common.numbers import format_count

_COMMODITY_COLUMNS = ("commodity_product", *COMMODITY_LEVELS)
_BASKET_COLUMNS = ("underlying_basket",)
# The columns of a record that are filled from groups.
GROUP_COLUMNS = (*_COMMODITY_COLUMNS, *_BASKET_COLUMNS)
_GROUP_TABLES = f"""
CREATE TABLE commodity (position INTEGER, {", ".join(f"{c} TEXT" for c in _COMMODITY_COLUMNS)});
CREATE TABLE basket (position INTEGER, code TEXT);
"""

_REPEATED_COMMODITIES = f"""
    SELECT position, '{COMMODITY.path}' AS path, group_concat(commodity_product, ' ') AS value
    FROM commodity GROUP BY position HAVING count(*) > 1
"""
_REPEATED_KEYS = """
    SELECT isin, mic, count(*), min(position), max(position), count(*) OVER () FROM record
    GROUP BY isin, mic HAVING count(*) > 1 ORDER BY isin, mic LIMIT 5
"""
_STATUS_OF_KIND = {RecordKind.TERMINATED: "terminated", RecordKind.CANCELLED: "cancelled"}
_ACTIVE = "active"
_VALID_FROM = ("published_period_from", "published_from", "published_on")
_ANY_ISIN = "AA0000000000"


def _derive(checked: Checked, day: str) -> dict[str, pa.Array]:
    """Return the columns that follow from a record, its kind and the `day` of its file."""
    periods = [checked.columns[name] for name in _VALID_FROM if name in checked.columns]
    status = _STATUS_OF_KIND.get(RecordKind(checked.kind), _ACTIVE)
    return {
        "record_kind": pa.repeat(checked.kind, checked.size),
        "status": pa.repeat(status, checked.size),
        "valid_from": pc.coalesce(*periods, day) if periods else pa.repeat(day, checked.size),
        "fingerprint": pa.array(checked.summed(checked.hashes, fingerprint.MASK)),
        "isin_key": _isins_as_numbers(checked.columns.get("isin"), checked.size),
        "active_until": ends.find_active_until(
            checked.columns, checked.size, is_active=status == _ACTIVE
        ),
    }


def _isins_as_numbers(isins: pa.StringArray | None, size: int) -> pa.Array:
    """Return the ISINs as numbers, for the search index; of a rejected record, any number."""
    if isins is None:
        return pa.nulls(size, pa.int64())
    texts = pc.if_else(pc.equal(pc.binary_length(isins.fill_null("")), 12), isins, _ANY_ISIN)
    characters = np.frombuffer("".join(texts.to_pylist()).encode(), dtype=np.uint8)
    return pa.array(keys_of(characters.reshape(size, 12)))


def _refuse(checked: Checked) -> Iterable[Refusal]:
    return ()


def _group_columns(batch: Batch) -> tuple[str, ...]:
    """Return the columns of records that the rows of a group will fill."""
    return _BASKET_COLUMNS if batch.group == BASKET.name else _COMMODITY_COLUMNS


def _refuse_group(batch: Batch) -> Iterator[Refusal]:
    """Yield the invalid values in the rows of a group."""
    group = GROUPS[batch.group]
    for leaf, texts in zip(group.leaves, batch.rows.columns, strict=True):
        pattern = BASKET_PATTERNS.get(leaf, CODE4)
        field = Field("", f"{group.path}/{leaf}", Type.CODE, 0, pattern)
        yield from checks.check(field, texts).refusals


def _stage_group(batch: Batch) -> tuple[str, pa.RecordBatch]:
    """Return the table of the staging file for the rows of a group, and the rows."""
    return batch.group, _STAGED_GROUPS[batch.group](batch)


def _stage_basket(batch: Batch) -> pa.RecordBatch:
    """One row for each member; their order is that of insertion."""
    codes = pc.coalesce(*batch.rows.columns)
    return pa.RecordBatch.from_pydict({"position": pa.array(batch.positions + 1), "code": codes})


def _stage_commodity(batch: Batch) -> pa.RecordBatch:
    """One row for each product: the branch of ESMA's tree becomes a value, its levels columns."""
    rows, size = batch.rows, len(batch.rows)
    product = pa.nulls(size, pa.string())
    levels = {column: pa.nulls(size, pa.string()) for column in COMMODITY_LEVELS}
    for branch in COMMODITY_BRANCHES:
        values_by_column = {
            column: rows.column(f"{branch}/{level}") for column, level in COMMODITY_LEVELS.items()
        }
        is_present = np.zeros(size, dtype=bool)
        for column, values in values_by_column.items():
            levels[column] = pc.coalesce(levels[column], values)
            is_present |= values.is_valid().to_numpy(zero_copy_only=False)
        product = pc.if_else(pa.array(is_present), branch, product)
    return pa.RecordBatch.from_pydict(
        {"position": pa.array(batch.positions + 1), "commodity_product": product, **levels}
    )


_STAGED_GROUPS: dict[str, Callable[[Batch], pa.RecordBatch]] = {
    BASKET.name: _stage_basket,
    COMMODITY.name: _stage_commodity,
}


def is_known_without_group(connection: sqlite3.Connection) -> bool:
    """Return whether a record was taken for known before its basket or commodity product was read.

    Then it is not the record that is in the tables.
    """
    rows = connection.execute("""
        SELECT 1 FROM known WHERE position IN (
            SELECT position FROM commodity UNION ALL SELECT position FROM basket) LIMIT 1
    """)
    return rows.fetchone() is not None


def bring_groups_into_records(connection: sqlite3.Connection) -> None:
    """Fill `GROUP_COLUMNS` of the staged records, and add them to their fingerprints."""
    connection.create_function("fingerprint_of", 2, fingerprint.of_text, deterministic=True)
    assignments = ", ".join(f"{column} = c.{column}" for column in _COMMODITY_COLUMNS)
    text = " || ' ' || ".join(f"ifnull(c.{column}, '')" for column in _COMMODITY_COLUMNS)
    connection.executescript(f"""
        UPDATE record SET {assignments}, fingerprint =
            (record.fingerprint + fingerprint_of('commodity', {text})) & {fingerprint.MASK}
            FROM commodity c WHERE c.position = record.position;

        CREATE TABLE whole_basket (position INTEGER PRIMARY KEY, codes TEXT);
        INSERT INTO whole_basket SELECT position, group_concat(code, ' ')
            FROM (SELECT position, code FROM basket ORDER BY position, rowid) GROUP BY position;
        UPDATE record SET underlying_basket = b.codes,
            fingerprint = (fingerprint + fingerprint_of('basket', b.codes)) & {fingerprint.MASK}
            FROM whole_basket b WHERE b.position = record.position;
    """)


def _remark_repeated_keys(connection: sqlite3.Connection) -> list[str]:
    """Return a remark if a listing has several records in the file."""
    repeated = connection.execute(_REPEATED_KEYS).fetchall()
    if not repeated:
        return []
    keys = repeated[0][-1]
    examples = "; ".join(
        f"{isin} on {mic}: {format_count(records, 'record')}, the first is number {first:,},"
        f" the last {last:,}"
        for isin, mic, records, first, last, _ in repeated
    )
    subject = format_count(keys, "listing has", "listings have")
    return [f"{subject} more than one record in this file, of which the last applies ({examples})."]


def _layout(mapping: Mapping) -> Layout:
    return Layout(
        mapping=mapping,
        fields=FIELDS,
        derived={
            "record_kind": "TEXT",
            "status": "TEXT",
            "valid_from": "TEXT",
            "fingerprint": "INTEGER",
            "isin_key": "INTEGER",
            "active_until": "TEXT",
            **dict.fromkeys(GROUP_COLUMNS, "TEXT"),
        },
        derive=_derive,
        refuse=_refuse,
        groups=Groups(
            schema=_GROUP_TABLES,
            refuse=_refuse_group,
            stage=_stage_group,
            columns=_group_columns,
            repeated=_REPEATED_COMMODITIES,
            bring_in=bring_groups_into_records,
            left_out_wrongly=is_known_without_group,
        ),
        # All columns that most records are compared by, so that the wide rows need not be read for it.
        remarks=_remark_repeated_keys,
        index="CREATE INDEX record_key ON record (isin, mic, status, valid_from, fingerprint, isin_key)",
    )


FULL, DELTA, CANCELLED = map(_layout, (FULL_FILE, DELTA_FILE, CANCELLATIONS))
