"""Columns that few rows have a value in, read from SQLite as one."""

import datetime as dt
import gc

import pytest
from django.utils import timezone

from instruments.models import Listing
from lake.reading import read_slices, snapshot
from lake.tables import ALL_TABLES, get_table
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, full, load
from tests.lake.conftest import read_database

LISTINGS = get_table("listings")


def test_each_column_is_read_once() -> None:
    for table in ALL_TABLES:
        packed = [column for group in table.packs.groups for column in group]
        assert all(table.packs.groups), table.name
        assert sorted(column.name for column in (*table.packs.plain, *packed)) == sorted(
            table.schema.names
        )
        assert table.key_column in {column.name for column in table.packs.plain}


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"known_from": dt.date(2024, 2, 29)},
        {"inconsistent": False, "submitted_at": timezone.now()},
        {"floating_rate_spread": "-0.5", "floating_rate_name": "a \"b\" \\ 'ü'\n\x1f, [1]"},
        {"strike_percentage": "12345678901234567.00000000000000001", "strike_sign": True},
        {"commodity_base_product": "AGRI"},
    ],
)
def test_packed_values_are_read_as_they_are(make_zip: Write, values: dict[str, object]) -> None:
    codes = ("DE0007164600", "SE0000108656", VOLVO)
    load(make_zip, full(2), *(firds.record("RefData", code, "XSTO") for code in codes))
    Listing.objects.filter(isin="SE0000108656").update(**values)

    with snapshot() as reader:
        [[rows]] = [list(rows) for _, rows in read_slices(reader, LISTINGS, "", None, is_new=True)]

    assert rows.equals(read_database(LISTINGS))
    assert gc.isenabled()
