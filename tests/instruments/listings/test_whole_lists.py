"""Lists longer than the 1,000 rows that have page numbers: `next` leads to their end."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from instruments.models import Underlying
from tests.instruments.listings.merging import VOLVO, Write
from tests.instruments.listings.test_search import load_names

LIST = "/api/v1/instruments/"
SIZE = 1_050


@pytest.fixture
def many(make_zip: Write, anonymous_reading: None, transactional_db: None) -> list[str]:
    """More instruments than have page numbers."""
    return load_names(make_zip, *(f"Call {n}" for n in range(SIZE)))


def follow(client: Client, address: str) -> Iterator[Any]:
    """Yield every answer of a list, following `next`."""
    following: str | None = address
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.content
        answer = response.json()
        yield answer
        following = answer["pagination"]["next"]
        assert (f'<{following}>; rel="next"' in response.headers.get("Link", "")) == bool(following)


@pytest.mark.parametrize("query", ["per_page=300", "per_page=1000", "q=call&per_page=300"])
def test_next_leads_through_the_whole_list(client: Client, many: list[str], query: str) -> None:
    answers = list(follow(client, f"{LIST}?{query}"))

    assert [row["isin"] for answer in answers for row in answer["results"]] == many
    first = answers[0]["pagination"]
    assert (first["total"], first["total_at_least"], first["pages"]) == (None, 1_000, None)
    assert answers[-1]["pagination"]["cursor"] is None


def test_next_continues_from_any_numbered_page(client: Client, many: list[str]) -> None:
    answers = list(follow(client, f"{LIST}?per_page=300&page=3"))

    assert [row["isin"] for answer in answers for row in answer["results"]] == many[600:]
    assert "page=2" in answers[0]["pagination"]["previous"]
    assert answers[1]["pagination"]["page"] is None


def test_pages_beyond_the_numbered_rows_are_refused_with_the_way_on(
    client: Client, many: list[str]
) -> None:
    for page in ("4", "51", "9" * 30):
        response = client.get(LIST, {"page": page, "per_page": "300"})

        assert response.status_code == 400, page
        assert "Follow `next`, or pass `cursor`" in response.json()["errors"]["page"][0]
    response = client.get(LIST, {"page": "1", "cursor": ""})
    assert response.status_code == 400
    assert response.json()["errors"] == {"cursor": ["Pass either `cursor` or `page`."]}


def test_a_total_up_to_the_bound_is_exact(client: Client, many: list[str]) -> None:
    answer = client.get(LIST, {"isin": ",".join(many[:1_000]), "per_page": "1"}).json()

    assert answer["pagination"]["total"] == 1_000
    assert answer["pagination"]["total_at_least"] is None


def test_every_row_costs_the_same_number_of_queries(client: Client, many: list[str]) -> None:
    counts = []
    for address in (f"{LIST}?per_page=1", f"{LIST}?per_page=1000", f"{LIST}?cursor={many[900]}"):
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))
    assert max(counts) == counts[0]


def test_derivatives_are_listed_to_the_end(
    client: Client, make_zip: Write, anonymous_reading: None, transactional_db: None
) -> None:
    codes = load_names(make_zip, *(f"Put {n}" for n in range(9)), "Other")
    Underlying.objects.bulk_create(
        Underlying(code=VOLVO, instrument_id=code, link=1) for code in codes[:9]
    )

    answers = list(follow(client, f"{LIST}{VOLVO}/derivatives/?cursor=&per_page=2"))

    assert [row["isin"] for answer in answers for row in answer["results"]] == codes[:9]
    assert len(answers) == 5


@pytest.mark.usefixtures("anonymous_reading", "transactional_db")
@pytest.mark.parametrize("path", ["transparency/", "transparency/sub-classes/", "volume-cap/"])
@pytest.mark.parametrize("cursor", ["x", "DE000A1R07V3", "DE000A1R07V3.", "'.1", "A.\x00", ".1e3"])
def test_an_invalid_cursor_is_refused(client: Client, path: str, cursor: str) -> None:
    response = client.get(f"/api/v1/{path}", {"cursor": cursor})

    assert response.status_code == 400
    assert "cursor" in response.json()["errors"]
