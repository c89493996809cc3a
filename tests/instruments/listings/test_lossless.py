"""Everything that ESMA published can be got back from the tables."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from instruments import pipeline
from instruments.fields import Field, Type
from instruments.listings.fields import BASKET, BY_COLUMN, COMMODITY, COMMODITY_LEVELS, FIELDS
from instruments.models import Listing, ListingRecord
from tests import firds
from tests.conftest import DATA

KINDS = {
    "RefData": "full",
    "NewRcrd": "new",
    "ModfdRcrd": "modified",
    "TermntdRcrd": "terminated",
    "CancRcrd": "cancelled",
}


def published(listing: ListingRecord) -> Iterator[tuple[str, Any]]:
    """Path and value of every element that the row stands for."""
    for field in FIELDS:
        value = getattr(listing, field.column)
        if value is not None:
            yield field.path, value
    for column, level in COMMODITY_LEVELS.items():
        if (value := getattr(listing, column)) is not None:
            yield f"{COMMODITY.path}/{listing.commodity_product}/{level}", value
    for code in (listing.underlying_basket or "").split():
        yield f"{BASKET.path}/{'ISIN' if len(code) == 12 else 'LEI'}", code


def as_value(field: Field | None, text: str) -> Any:
    """The text of an element as the value it means, by Python's own means."""
    match field and field.type:
        case Type.BOOLEAN:
            return {"true": True, "false": False}[text]
        case Type.DATE:
            return dt.date.fromisoformat(text)
        case Type.DATETIME:
            moment = dt.datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        case Type.DECIMAL:
            return Decimal(text)
    return text


BY_PATH = {field.path: field for field in BY_COLUMN.values()}
FILES = sorted([*DATA.glob("firds/*.zip"), *DATA.glob("firds_2021/*.zip")])
SLOW_FROM_BYTES = 40_000


def parameters(paths: list[Path]) -> list[Any]:
    """Return each path as a parameter; large files are slow."""
    return [
        pytest.param(
            path,
            id=path.stem,
            marks=[pytest.mark.slow] if path.stat().st_size > SLOW_FROM_BYTES else [],
        )
        for path in paths
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", parameters(FILES))
def test_every_leaf_of_every_record_is_in_the_database(path: Path) -> None:
    [loaded] = pipeline.load(pipeline.register_files([path]))

    assert loaded.error is None
    rows = {(row.isin, row.mic): row for row in Listing.objects.iterator()}
    count = 0
    for position, (tag, leaves) in enumerate(firds.leaves_of(path), start=1):
        count = position
        text = dict(leaves)
        row = rows[text["FinInstrmGnlAttrbts/Id"], text["TradgVnRltdAttrbts/Id"]]
        expected = [(where, as_value(BY_PATH.get(where), value)) for where, value in leaves]
        assert Counter(published(row)) == Counter(expected)
        baskets = [value for where, value in leaves if where.startswith(BASKET.path)]
        assert (row.underlying_basket or "").split() == baskets, "the order is part of it"
        assert (row.record_kind, row.source_position) == (KINDS[tag], position)
    assert loaded.run is not None
    assert count == loaded.run.read == len(rows)
    assert loaded.run.rejected == 0
    assert loaded.run.unmapped == {}


@pytest.mark.slow
def test_decimals_keep_the_digits_that_esma_wrote() -> None:
    """`published` compares values; this is about their text."""
    texts = {
        text
        for path in FILES
        if "2017" not in path.name
        for _, leaves in firds.leaves_of(path)
        for where, text in leaves
        if (field := BY_PATH.get(where)) and field.type is Type.DECIMAL
    }
    assert {format(Decimal(text), "f") for text in texts} == texts
