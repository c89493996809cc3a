"""Baskets and commodity products: read apart from their records, brought into them in the staging file."""

import sqlite3
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.errors import BadXml
from esma_files.parsing.reader import Batch
from instruments.fields import CODE4, Field, Type
from instruments.listings.fields import (
    BASKET,
    BASKET_PATTERNS,
    COMMODITY,
    COMMODITY_BRANCHES,
    COMMODITY_LEVELS,
    GROUPS,
)
from instruments.staging import checks, fingerprint

_COMMODITY_COLUMNS = ("commodity_product", *COMMODITY_LEVELS)
_BASKET_COLUMNS = ("underlying_basket",)
# The columns of a record that come from groups.
COLUMNS = (*_COMMODITY_COLUMNS, *_BASKET_COLUMNS)
SCHEMA = f"""
CREATE TABLE commodity (position INTEGER, {", ".join(f"{c} TEXT" for c in _COMMODITY_COLUMNS)});
CREATE TABLE basket (position INTEGER, code TEXT);
"""


def columns_of(batch: Batch) -> tuple[str, ...]:
    """The columns that the rows of a group will fill."""
    return _BASKET_COLUMNS if batch.group == BASKET.name else _COMMODITY_COLUMNS


def refusals(batch: Batch) -> Iterator[checks.Refusal]:
    """What in the rows of a group cannot be what it says."""
    group = GROUPS[batch.group]
    for leaf, texts in zip(group.leaves, batch.rows.columns, strict=True):
        pattern = BASKET_PATTERNS.get(leaf, CODE4)
        field = Field("", f"{group.path}/{leaf}", Type.CODE, 0, pattern)
        yield from checks.check(field, texts).refusals


def staged(batch: Batch) -> tuple[str, pa.RecordBatch]:
    """The rows of a group, and the table of the staging file that holds them."""
    return batch.group, _STAGED[batch.group](batch)


def _basket(batch: Batch) -> pa.RecordBatch:
    """One row a member; their order is the order of insertion."""
    codes = pc.coalesce(*batch.rows.columns)
    return pa.RecordBatch.from_pydict({"position": pa.array(batch.positions + 1), "code": codes})


def _commodity(batch: Batch) -> pa.RecordBatch:
    """The branch that is there becomes a value, its levels columns."""
    rows, size = batch.rows, len(batch.rows)
    product = pa.nulls(size, pa.string())
    levels = {column: pa.nulls(size, pa.string()) for column in COMMODITY_LEVELS}
    for branch in COMMODITY_BRANCHES:
        parts = {c: rows.column(f"{branch}/{level}") for c, level in COMMODITY_LEVELS.items()}
        present = np.zeros(size, dtype=bool)
        for column, values in parts.items():
            levels[column] = pc.coalesce(levels[column], values)
            present |= values.is_valid().to_numpy(zero_copy_only=False)
        product = pc.if_else(pa.array(present), branch, product)
    return pa.RecordBatch.from_pydict(
        {"position": pa.array(batch.positions + 1), "commodity_product": product, **levels}
    )


_STAGED: dict[str, Callable[[Batch], pa.RecordBatch]] = {
    BASKET.name: _basket,
    COMMODITY.name: _commodity,
}


def known_without(connection: sqlite3.Connection) -> bool:
    """Whether a record was taken for known before its basket or commodity product was read.

    Then it is not the record that is in the tables.
    """
    found = connection.execute("""
        SELECT 1 FROM known WHERE position IN (
            SELECT position FROM commodity UNION ALL SELECT position FROM basket) LIMIT 1
    """)
    return found.fetchone() is not None


def bring_in(connection: sqlite3.Connection, file_name: str) -> None:
    """Fill `COLUMNS` of the staged records, and add to their fingerprints. Raises BadXml."""
    twice = "SELECT position FROM commodity GROUP BY position HAVING count(*) > 1 LIMIT 1"
    for (position,) in connection.execute(twice):
        raise BadXml(file_name, f"record {position:,} has two commodity products")
    connection.create_function("fingerprint_of", 2, fingerprint.of_text, deterministic=True)
    taken = ", ".join(f"{column} = c.{column}" for column in _COMMODITY_COLUMNS)
    text = " || ' ' || ".join(f"ifnull(c.{column}, '')" for column in _COMMODITY_COLUMNS)
    connection.executescript(f"""
        UPDATE record SET {taken}, fingerprint =
            (record.fingerprint + fingerprint_of('commodity', {text})) & {fingerprint.MASK}
            FROM commodity c WHERE c.position = record.position;

        CREATE TABLE whole_basket (position INTEGER PRIMARY KEY, codes TEXT);
        INSERT INTO whole_basket SELECT position, group_concat(code, ' ')
            FROM (SELECT position, code FROM basket ORDER BY position, rowid) GROUP BY position;
        UPDATE record SET underlying_basket = b.codes,
            fingerprint = (fingerprint + fingerprint_of('basket', b.codes)) & {fingerprint.MASK}
            FROM whole_basket b WHERE b.position = record.position;
    """)
