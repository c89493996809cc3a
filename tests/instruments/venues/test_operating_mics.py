"""Filters by an operating MIC, which covers the market segments below it."""

from typing import Any

import pytest
from django.test import Client

from instruments import pipeline
from instruments.venues import load
from tests.conftest import DATA

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
ASML = "NL0010273215"


@pytest.fixture(autouse=True)
def loaded(own_folders: None) -> None:
    load.load(load.BUNDLED.read_bytes(), name="bundled")
    for result in pipeline.load(pipeline.register_files([DATA / "cases" / "issuer_operator"])):
        assert result.error is None


def isins(client: Client, **parameters: Any) -> set[str]:
    response = client.get("/api/v1/instruments/", parameters)
    assert response.status_code == 200, response.content
    return {row["isin"] for row in response.json()["results"]}


def test_an_operating_mic_finds_listings_on_its_segments(client: Client) -> None:
    assert isins(client, mic="XETA") == {ASML}
    assert isins(client, mic="xetr") == {ASML}
    assert isins(client, mic_exact="XETR") == set()
    assert isins(client, mic="XETR", register="ESMA") == {ASML}
    assert isins(client, mic="XETR", register="FCA") == set()


def test_a_mic_that_no_list_has_finds_nothing(client: Client) -> None:
    assert isins(client, mic="ZZZ9") == set()
