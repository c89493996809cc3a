"""Rows of the table of instruments, which are made without Django's constructor."""

import pickle
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from instruments.models import Instrument
from marketdata.web.pages import BoundedPaginator

pytestmark = pytest.mark.django_db(transaction=True)
ISIN = "SE0000115446"


def create(isin: str = ISIN) -> Instrument:
    return Instrument.objects.create(
        isin=isin, full_name="Volvo", status="active", mic="XSTO", register="ESMA", listing_count=2
    )


def test_a_row_that_is_read_is_a_saved_instrument() -> None:
    created = create()
    read = Instrument.objects.get()

    columns = [field.attname for field in Instrument._meta.concrete_fields]
    assert {name: getattr(read, name) for name in columns} == {
        name: getattr(created, name) for name in columns
    }
    assert read == created
    assert (read._state.adding, read._state.db) == (False, "default")
    assert pickle.loads(pickle.dumps(read)).full_name == "Volvo"  # noqa: S301  # our own
    read.full_name = "Volvo B"
    read.save()
    assert Instrument.objects.get().full_name == "Volvo B"


def test_columns_that_are_not_read_are_deferred() -> None:
    create()
    read = Instrument.objects.only("mic").get()

    assert read.get_deferred_fields() >= {"full_name", "status"}
    with CaptureQueriesContext(connection) as queries:
        assert read.full_name == "Volvo"
    assert len(queries) == 1


@pytest.mark.sqlite
def test_a_whole_table_is_counted_once_until_it_changes() -> None:
    def count(rows: Any) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            return BoundedPaginator(rows, 10).count, len(queries)

    create()
    every = Instrument.objects.all()
    assert count(every) == (1, 1)
    assert count(every) == (1, 0)
    assert count(every.filter(mic="XPAR")) == (0, 1)
    create("SE0000115420")
    assert count(every) == (2, 1)
    assert count(every.order_by("-isin")) == (2, 0)
    assert count(every.none()) == (0, 0)
