"""No statement of a load, and no question of the API, reads a whole table of records."""

import datetime as dt
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test import Client

from instruments import pipeline
from instruments.listings import dates
from instruments.listings.dates import filter_by_reference
from instruments.listings.filters import ListFilterSet
from instruments.listings.status import filter_by_effective_status
from instruments.models import Instrument, Listing
from marketdata.web.pages import BoundedPaginator
from tests.conftest import FIRDS

BIG = r"(?:instruments_\w+|[lvi])"
# Hundreds of rows or a few thousand, however many instruments there are.
SMALL = {
    "instruments_cficode",
    "instruments_changeset",
    "instruments_dataversion",
    "instruments_listedvenue",
    "instruments_scope",
    "instruments_venue",
}
# FTS5 goes through its matches, which SQLite calls a scan too: M says that there is something to match, and
# a number that the words are looked up from one on. 3.46 has other numbers for that than 3.51.
_FROM_A_WORD_ON = r"\d{3,}" if sqlite3.sqlite_version_info >= (3, 47) else "[1-7]"
SCAN = re.compile(rf"^SCAN {BIG}(?: (?!VIRTUAL TABLE INDEX (?:\d+:\w*M|{_FROM_A_WORD_ON}:))|$)")
pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.usefixtures("real_instruments", "anonymous_reading"),
]


@contextmanager
def planned() -> Iterator[list[tuple[str, str]]]:
    """Collects (statement, line of its query plan) for all that Django's connection executes.

    On SQLite: others do not say how they are going to go.
    """
    found: list[tuple[str, str]] = []

    def explain(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        tells = connection.vendor == "sqlite"
        if tells and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql):
            rows = execute(f"EXPLAIN QUERY PLAN {sql}", params, many, context).fetchall()
            found.extend((sql, row[3]) for row in rows)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def scans(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The plans that read a whole table."""
    assert found or connection.vendor != "sqlite"
    return [
        (" ".join(sql.split())[:200], line)
        for sql, line in found
        if SCAN.match(line) and line.split()[1] not in SMALL
    ]


def test_a_load_goes_from_what_changed_to_the_tables() -> None:
    """With records that are new, changed, ended, late and unchanged, in one file or another."""
    names = ("FULINS_D_20210117_01of01.zip", "FULINS_J_20210117_01of01.zip")
    paths: list[Path] = [FIRDS.parent / "firds_2021" / name for name in names]
    with planned() as found:
        for loaded in pipeline.load(pipeline.register_files(paths)):
            assert loaded.error is None
            assert loaded.run is not None
            assert loaded.run.changed + loaded.run.ended > 0

    assert any("timeline" in sql for sql, _ in found)
    assert scans(found) == []


@pytest.mark.parametrize(
    "path",
    [
        "DE000A1R07V3/",
        "DE000A1R07V3/listings/",
        "DE000A1R07V3/history/",
        "DE000A1R07V3/?as_of=2025-08-01&known_on=2025-09-02",
        "DE000A1R07V3/transparency/",
        "US6311011026/derivatives/?category=R&status=active",
        "DE000A2253D4/underlyings/",
        "?underlying=US6311011026",
        "changes/?limit=5",
        "changes/?since=2025-09-01&limit=5&expand=record",
        "?isin=DE000A1R07V3,HK0405033157",
        "?category=D",
        "?cfi=DB",
        "?mic=XEUB",
        "?register=FCA&mic=XEUB",
        "DE000A1R07V3/?register=ESMA",
        "DE000A1R07V3/history/?register=ESMA",
        "?category=D&attribute=form:bearer",
        "?currency=EUR",
        "?issuer=549300GDPG70E3MBBU98",
        "?status=active",
        "?q=unknown",
        "?q=unknown&status=active&mic=XEUB&currency=EUR&type=bond",
        "?cfi=***X**",
        "?maturity_before=2026-01-01&category=D",
        "?first_trade_after=2025-01-01&q=unknown",
        "?changed_since=2020-01-01",
        "?cursor=",
        "?cursor=DE000A1R07V3&q=unknown",
    ],
)
def test_a_question_uses_an_index(client: Client, path: str) -> None:
    with planned() as found:
        assert client.get(f"/api/v1/instruments/{path}").status_code == 200

    assert scans(found) == []
    assert Instrument.objects.count() > 100
    assert Listing.objects.count() > 100


@pytest.mark.parametrize(
    "path", ["changes/", "changes/?expand=record", "changes/?since=2020-01-01"]
)
def test_a_page_of_the_changes_feed_sorts_nothing(client: Client, path: str) -> None:
    """Rows come in the order of the index: a sort would read all listings for the first page."""
    with planned() as plans:
        assert client.get(f"/api/v1/instruments/{path}").status_code == 200

    of_feed = [(sql, line) for sql, line in plans if "change_id" in sql]
    assert any("listing_change_idx" in line for _, line in of_feed)
    assert [line for _, line in of_feed if "TEMP B-TREE" in line] == []


@pytest.mark.parametrize("ordering", ["maturity_date", "-maturity_date", "first_trade_at", "-isin"])
def test_many_in_the_order_of_dates_are_found_in_that_order(client: Client, ordering: str) -> None:
    with planned() as plans:
        answer = client.get("/api/v1/instruments/", {"ordering": ordering, "per_page": "5"})
        cursor = answer.json()["pagination"]["cursor"]
        further = client.get("/api/v1/instruments/", {"ordering": ordering, "cursor": cursor})

    assert (answer.status_code, further.status_code) == (200, 200)
    ordered = [(sql, line) for sql, line in plans if "ORDER BY" in sql and "ordered_by" in sql]
    assert len({sql for sql, _ in ordered}) == 2
    assert [line for _, line in ordered if "TEMP B-TREE" in line] == []
    index = {"maturity_date": "listing_maturity_idx", "first_trade_at": "listing_first_trade_idx"}
    if name := index.get(ordering.removeprefix("-")):
        assert {sql for sql, line in ordered if name in line} == {sql for sql, _ in ordered}


@pytest.mark.parametrize("status", ["expired", "matured", "terminated"])
def test_many_that_have_ended_are_found_in_the_order_of_isins(status: str) -> None:
    """By the indexes of the ends, all that match would be read and sorted for the first page."""
    every = Instrument.objects.all()
    with planned() as plans:
        list(filter_by_effective_status(every, status, dt.date(2100, 1, 1), many=0)[:5])

    page = [(sql, line) for sql, line in plans if "full_name" in sql]
    assert any("SCAN instruments_instrument USING INDEX" in line for _, line in page)
    assert [line for _, line in page if "TEMP B-TREE" in line or "MULTI-INDEX" in line] == []


@pytest.mark.parametrize("ordering", ["-isin", "-maturity_date"])
@pytest.mark.parametrize("query", [{"has_entity": "false"}, {"has_figi": "false"}], ids=str)
def test_a_filter_with_the_value_false_is_a_filter_beside_an_order(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str], ordering: str
) -> None:
    """Many instruments are then found in the order, and not by the index of names, and sorted."""
    monkeypatch.setattr(dates, "_SORTED", 0)
    with planned() as plans:
        instruments = ListFilterSet({**query, "ordering": ordering}, Instrument.objects.all()).qs
        assert len(instruments) > 20

    page = [line for sql, line in plans if "full_name" in sql]
    assert page
    assert [line for line in page if "TEMP B-TREE" in line or "name_index" in line] == []


def test_a_set_of_days_is_read_once_for_the_count_and_the_page(client: Client) -> None:
    """And by the index of the day alone."""
    condition = Q(maturity_date__gt="2000-01-01")
    instruments = filter_by_reference(Instrument.objects.all(), condition, many=1)
    with planned() as plans:
        paginator = BoundedPaginator(instruments.with_status("active"), 5)
        assert len(list(paginator.page(1))) == 5
        assert paginator.count > 5

    reads = {sql for sql, line in plans if "COVERING INDEX listing_maturity_idx" in line}
    pages = {sql for sql in reads if "SELECT COUNT" not in sql}
    assert len(pages) == 1
    assert scans(plans) == []
