"""Facets of lists, compared with counts of the table."""

import io
import json
from collections import Counter
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator

from instruments.listings import facets, figures
from instruments.models import Instrument, Listing
from tests.instruments.listings.test_answers_match_the_schema import check

LIST = "/api/v1/instruments/"
ALL = ",".join(facets.FACETS)
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def get(client: Client, **parameters: str) -> Any:
    response = client.get(LIST, {"facets": ALL, **parameters})
    assert response.status_code == 200, response.content
    return response.json()


def counts(facet: dict[str, Any]) -> dict[str, int]:
    return {row["value"]: row["count"] for row in facet["values"]}


def count_in_table(**conditions: Any) -> dict[str, dict[str, int]]:
    rows = list(Instrument.objects.filter(**conditions))
    registers = {
        "ESMA": sum(row.eu_listings is not None for row in rows),
        "FCA": sum(row.uk_listings is not None for row in rows),
    }
    listings = Listing.objects.filter(isin__in=[row.isin for row in rows])
    return {
        "cfi": Counter(row.cfi_code[:2] for row in rows),
        "issuer": Counter(row.issuer_lei for row in rows),
        "mic_exact": Counter(mic for _, mic in set(listings.values_list("isin", "mic"))),
        "category": Counter(row.cfi_code[:1] for row in rows),
        "currency": Counter(row.notional_currency for row in rows),
        "status": Counter(row.status for row in rows),
        "register": {name: number for name, number in registers.items() if number},
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "conditions"),
    [
        ({}, {}),
        ({"category": "d"}, {"cfi_code__startswith": "D"}),
        ({"status": "Active"}, {"status": "active"}),
        ({"status": " Active "}, {"status": "active"}),
        ({"currency": "eur", "category": "E"}, {"cfi_code__startswith": "E"}),
        ({"mic": "XPAR"}, {}),
    ],
)
def test_counts_are_those_of_the_table(
    client: Client, parameters: dict[str, str], conditions: dict[str, Any]
) -> None:
    conditions = dict(conditions)
    if "currency" in parameters:
        conditions["notional_currency"] = "EUR"
    if "mic" in parameters:
        answer = client.get(LIST, {**parameters, "per_page": "1000"}).json()
        conditions["isin__in"] = [row["isin"] for row in answer["results"]]
    answer = get(client, **parameters)
    expected = count_in_table(**conditions)
    assert sum(expected["category"].values()) > 0
    for name, facet in answer["facets"].items():
        assert facet["is_exact"] is True
        assert counts(facet).items() <= expected[name].items(), name
        assert sum(counts(facet).values()) + facet["others"] == sum(expected[name].values())
    generator: Any = SchemaGenerator
    check(generator().get_schema(request=None, public=True), LIST, "get", answer)


def test_currencies_of_all_instruments_are_those_of_the_night(client: Client) -> None:
    figures.recount()
    facet = get(client)["facets"]["currency"]
    assert facet["counted_on"] is not None
    assert counts(facet) == count_in_table()["currency"]
    assert get(client, status="active")["facets"]["currency"]["counted_on"] is None


def test_the_cfi_facet_goes_one_letter_beyond_the_filter(client: Client) -> None:
    for start, letters in (("d", 2), ("DB", 3), ("DBF", 4), ("DBFT*", 5), ("DBFTFB", 6)):
        rows = Instrument.objects.filter(cfi_code__startswith=start.upper().rstrip("*"))
        expected = Counter(row.cfi_code[:letters] for row in rows)
        assert expected
        facet = client.get(LIST, {"facets": "cfi", "cfi": start}).json()["facets"]["cfi"]
        assert counts(facet) == expected, start


def test_venues_are_those_of_the_register_that_is_asked_for(client: Client) -> None:
    facet = client.get(LIST, {"facets": "mic_exact", "register": "esma", "q": "kfw"}).json()
    listings = Listing.objects.filter(
        isin__in=Instrument.objects.search("kfw").values("isin"), register="ESMA"
    )
    expected = Counter(listings.values_list("mic", flat=True))
    assert expected
    assert counts(facet["facets"]["mic_exact"]) == expected


def test_long_lists_have_lower_bounds_and_long_facets_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facets, "COUNTED", 7)
    monkeypatch.setattr(facets, "MAX_VALUES", 1)
    everything = Instrument.objects.all()
    counted = facets.count(["currency"], everything, {"q": "a"})["currency"]
    assert not counted.is_exact
    assert sum(number for _, number in counted.values) + counted.others == 7
    assert len(counted.values) == 1
    few = facets.count(["currency"], everything.filter(pk__in=list(everything[:7])), {"isin": ""})
    assert few["currency"].is_exact


def test_kept_counts_read_no_instrument(client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        facets.count(["category", "status", "register"], Instrument.objects.all(), {"status": "X"})
    [query] = queries.captured_queries
    assert "instruments_instrumentcount" in query["sql"]


def test_unknown_facets_are_refused_with_the_choices(client: Client) -> None:
    response = client.get(LIST, {"facets": "category,colour"})
    assert response.status_code == 400
    assert response.json()["errors"]["facets"] == [
        "'colour' is not a facet. Choose from: category, currency, status,"
        " register, cfi, issuer, mic_exact."
    ]
    with pytest.raises(CommandError, match="'colour' is not a facet"):
        call_command("instruments", "list", "--facets", "colour")


def test_the_command_has_the_same_counts(client: Client) -> None:
    output = io.StringIO()
    options = ["--facets", ALL, "--category", "d", "--format", "json"]
    call_command("instruments", "list", *options, stdout=output)
    assert json.loads(output.getvalue()) == get(client, category="D")["facets"]
    table = io.StringIO()
    call_command("instruments", "list", "--facets", "status", stdout=table)
    assert "active" in table.getvalue()
    nothing = io.StringIO()
    call_command("instruments", "list", "--facets", "status", "--currency", "XXZ", stdout=nothing)
    assert "No instrument matches." in nothing.getvalue()


def test_facets_that_take_too_long_are_left_out_of_the_answer(
    client: Client, settings: LazySettings
) -> None:
    settings.FACETS_TIMEOUT_SECONDS = 0

    answer = get(client, currency="EUR", per_page="5")

    assert len(answer["results"]) == 5
    uncounted = {"values": [], "others": 0, "is_exact": False, "counted_on": None}
    assert answer["facets"] == dict.fromkeys(facets.FACETS, uncounted)
