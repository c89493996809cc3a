"""Searches that take longer than an answer may take: pages without a count, and pieces of a list."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.core.paginator import EmptyPage
from django.db import connection
from django.test import Client

from instruments.listings import dates, search_results
from instruments.listings.filters import ListFilterSet
from instruments.listings.relevance import ByRelevance, RelevancePaginator
from instruments.listings.search_results import PAGE_SIZE, Search
from instruments.listings.status import today
from instruments.models import Instrument, InstrumentQuerySet
from marketdata.web import time_limits
from marketdata.web.pages import BoundedPaginator
from marketdata.web.pieces import cut, read_for
from tests.endless import endless_before

QUERIES: list[dict[str, str]] = [
    {"category": "D"},
    {"q": "bank"},
    {"currency": "EUR", "maturity_after": "2000-01-01"},
    {"has_entity": "false"},
    {"effective_status": "terminated"},
]


def find(query: dict[str, str]) -> InstrumentQuerySet:
    instruments: InstrumentQuerySet = ListFilterSet(query, Instrument.objects.all()).qs
    return instruments


def ask(query: dict[str, str], *, after: str = "", page: str | None = None) -> Search:
    return Search(lambda: find(query), "q" in query, after, page, lambda matching: [])


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("per_page", [7, 400])
def test_pages_without_a_count_are_those_with_one(query: dict[str, str], per_page: int) -> None:
    instruments = find(query)
    counted = BoundedPaginator(instruments, per_page)

    for number in range(1, counted.num_pages + 1):
        uncounted = BoundedPaginator(instruments, per_page, count_seconds=0)
        page = uncounted.get_page(number)

        assert not uncounted.is_counted
        assert list(page) == list(counted.page(number))
        assert page.has_next() == uncounted.has_more == (number < counted.num_pages)
        assert uncounted.count == min(number * per_page, counted.count)
    beyond = BoundedPaginator(instruments, per_page, count_seconds=0)
    with pytest.raises(EmptyPage):
        beyond.page(counted.num_pages + 1)
    assert list(beyond.get_page(counted.num_pages + 1)) == list(counted.page(1))


@pytest.mark.usefixtures("real_instruments")
def test_the_count_of_a_list_that_takes_too_long_is_that_of_its_first_page() -> None:
    instruments = find({"category": "D"})

    paginator = BoundedPaginator(instruments, 5, count_seconds=0)

    assert (paginator.count, paginator.has_more, paginator.num_pages) == (5, True, 2)
    paginator.count_again(20)
    assert (paginator.count, paginator.has_more) == (instruments.count(), False)


@pytest.mark.usefixtures("real_instruments")
def test_relevance_without_a_count_leads_on_by_its_cursor() -> None:
    by_relevance = ByRelevance(find({"q": "bank"}), today())
    keys, _ = by_relevance.read_keys(1_001)
    assert len(keys) > 5
    walked: list[str] = []
    paginator = RelevancePaginator(by_relevance, 2, count_seconds=0)

    walked += [row.pk for row in paginator.get_page(1)]
    cursor = paginator.get_cursor()
    walked += [row.pk for _, row in by_relevance.read_after(cursor, 1_000)]

    assert walked == keys


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("size", [1, 10, 1_000_000])
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_pieces_have_all_of_a_list(query: dict[str, str], size: int) -> None:
    instruments = find(query)
    by_relevance = ByRelevance(instruments, today())
    is_question = "q" in query
    whole = (
        by_relevance.read_after("", 10_000)
        if is_question
        else [(row.pk, row) for row in instruments.after("")]
    )
    assert whole
    parts = by_relevance.get_parts() if is_question else [("", instruments)]
    cursors = [cursor for cursor, _ in whole]

    for start in ("", cursors[0], cursors[len(cursors) // 2]):
        pieces = list(cut(parts, start, PAGE_SIZE, size))
        cursors_of_pieces = [cursor for _, pairs in pieces for cursor, _ in pairs]
        expected = cursors[cursors.index(start) + 1 :] if start else cursors

        assert [to for to, _ in pieces[:-1] if not to] == []
        assert pieces[-1][0] == ""
        # A piece has the first instruments of a page and one more.
        assert cursors_of_pieces[: PAGE_SIZE + 1] == expected[: PAGE_SIZE + 1]
        if max(len(pairs) for _, pairs in pieces) <= PAGE_SIZE:
            assert cursors_of_pieces == expected
        for to, _ in pieces[:-1]:  # a search goes on from there
            following = [
                cursor for _, pairs in cut(parts, to, PAGE_SIZE, 1_000_000) for cursor, _ in pairs
            ]
            assert following[:PAGE_SIZE] == [c for c in expected if _comes_after(c, to)][:PAGE_SIZE]


def _comes_after(cursor: str, other: str) -> bool:
    return (cursor.startswith("ended."), cursor) > (other.startswith("ended."), other)


@contextlib.contextmanager
def slow_statements(seconds: float) -> Iterator[None]:
    """Let each statement take so much longer, as on a slow disk."""

    def wait(execute: Callable[..., Any], *arguments: Any) -> Any:
        time.sleep(seconds)
        return execute(*arguments)

    with connection.execute_wrapper(wait):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_search_goes_on_where_its_time_was_over(query: dict[str, str]) -> None:
    instruments = find(query)
    by_relevance = ByRelevance(instruments, today())
    is_question = "q" in query
    parts = by_relevance.get_parts() if is_question else [("", instruments)]
    rows = [row for _, pairs in cut(parts, "", 10_000) for _, row in pairs]
    walked: list[Instrument] = []
    cursor, answers = "", 0
    size = Instrument.objects.count() // 16

    with slow_statements(0.1):
        while cursor or not answers:
            pairs, cursor = read_for(0.5, parts, cursor, 10_000, size)
            walked += [row for _, row in pairs]
            answers += 1
        with pytest.raises(time_limits.TimeLimitExceeded):
            read_for(0.05, parts, "", 10_000)

    assert walked == rows
    assert answers > 1


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_list_of_the_api_that_takes_too_long_is_read_in_pieces(
    query: dict[str, str], client: Client, settings: LazySettings
) -> None:
    address = f"/api/v1/instruments/?{urlencode({**query, 'fields': 'isin'})}&per_page="
    whole = client.get(f"{address}999&cursor=").json()["results"]
    caches["answers"].clear()
    settings.REQUEST_TIMEOUT_SECONDS = 4  # half of two seconds, for the page as a whole

    def is_page(sql: str) -> bool:
        return '"instruments_instrument"."full_name"' in sql

    with endless_before(is_page):
        first = client.get(f"{address}5").json()
    with endless_before(is_page):
        all_of_it = client.get(f"{address}999").json()
    with endless_before(is_page):
        second = client.get(f"{address}5&page=2")
    following = client.get(first["pagination"]["next"]).json()

    assert first["results"] + following["results"] == whole[:10]
    assert first["pagination"]["page"] is first["pagination"]["total"] is None
    assert all_of_it["results"] == whole
    assert all_of_it["pagination"]["page"] is all_of_it["pagination"]["next"] is None
    assert second.status_code == 503


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("many", [1, 1_000])
@pytest.mark.parametrize(
    "ordering", ["-isin", "maturity_date", "-maturity_date", "first_trade_at", "-first_trade_at"]
)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_a_list_by_date_is_searched_in_pieces_of_its_order(
    size: int, ordering: str, many: int
) -> None:
    bonds = Instrument.objects.of_category("D")
    every = Instrument.objects.filter(cfi_code__startswith="D")
    instruments = dates.order(bonds, every, ordering, many=many)
    whole = list(instruments.all())

    parts_read = list(cut([("", instruments)], "", 1_000, size))

    assert len(whole) > 20
    assert len(parts_read) > 1 or size == 1_000_000
    assert [row for _, pairs in parts_read for _, row in pairs] == whole
    assert parts_read[-1][0] == ""
    for searched_to, _ in parts_read[:-1:5]:  # a search goes on from there
        following = list(instruments.after(searched_to))
        assert following == whole[len(whole) - len(following) :]


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_search_without_time_says_that_it_was_stopped(query: dict[str, str]) -> None:
    with time_limits.limit(0):
        patient = search_results.read(ask(query), is_patient=True)
        first = search_results.read(ask(query), is_patient=False)

    assert patient.is_stopped
    assert first.is_pending
    for results in (patient, first):
        assert not results.rows
        assert not results.is_searched
