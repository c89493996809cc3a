"""Parts that a list of instruments has beside them, compared with the answers about each instrument."""

import io
import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts import api_keys
from instruments import pipeline
from instruments.listings.included import FIGI_COLUMNS, PARTS
from instruments.models import (
    DataSubject,
    DataVersion,
    Figi,
    Instrument,
    LegalEntity,
    TransparencyResult,
)
from tests.accounts.clients import make_user
from tests.conftest import DATA
from tests.instruments.listings.test_answers_match_the_schema import check
from tests.snapshots import Snapshots

LIST = "/api/v1/instruments/"
ALL = ",".join(PARTS)
pytestmark = pytest.mark.usefixtures("filled", "anonymous_reading")


@pytest.fixture
def filled(real_instruments: None, snapshots: Snapshots) -> None:
    snapshots.provide("included", fill)


def fill() -> None:
    call_command("load_venues", verbosity=0)
    for loaded in pipeline.load(pipeline.register_files([DATA / "fitrs"], excerpt=True)):
        assert loaded.error is None
    # The real results are of other instruments.
    isins = sorted({row.isin for row in TransparencyResult.objects.all()})
    others = Instrument.objects.values_list("isin", flat=True)[: len(isins)]
    for isin, other in zip(isins, others, strict=True):
        TransparencyResult.objects.filter(isin=isin).update(isin=other)
    now = timezone.now()
    isin = TransparencyResult.objects.order_by("isin")[0].isin
    Figi.objects.create(isin=isin, figi="BBG000BLNNH6", ticker="A", fetched_at=now)
    Figi.objects.create(isin=isin, figi="BBG000BLNNJ4", fetched_at=now, is_current=False)


def get(client: Client, **parameters: Any) -> Any:
    response = client.get(LIST, parameters)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.slow
def test_each_part_is_that_of_the_instrument(client: Client) -> None:
    answer = get(client, include=ALL, per_page=80)
    generator: Any = SchemaGenerator
    document = generator().get_schema(request=None, public=True)
    check(document, LIST, "get", answer)
    rows = {row["isin"]: row for row in answer["results"]}
    assert len(rows) == 80
    for isin, row in rows.items():
        detail = client.get(f"{LIST}{isin}/").json()
        assert row["listings"] == detail["listings"]
        lei = detail["issuer"] and detail["issuer"]["lei"]
        assert (row["issuer"] and row["issuer"]["lei"]) == lei
        figis = client.get(f"{LIST}{isin}/figis/").json()["figis"]
        current = [{name: f[name] for name in FIGI_COLUMNS} for f in figis if f["is_current"]]
        assert row["figis"] == current
        liquidity = client.get(f"{LIST}{isin}/transparency/").json()["applies"]["liquidity"]
        if row["transparency"] is None:
            assert liquidity["why"] == "No result with liquidity has been published."
        else:
            assert row["transparency"]["why"] == liquidity["why"]
            result = liquidity["result"]
            assert row["transparency"]["liquid"] == (result and result["liquid"])
        venue = client.get(f"/api/v1/venues/{row['mic']}/").json()
        assert {name: venue[name] for name in row["venue"]} == row["venue"]
    assert sum(row["transparency"] is not None for row in rows.values()) > 5
    assert any(row["figis"] for row in rows.values())


def test_names_of_issuers_are_those_of_gleif(client: Client) -> None:
    row = next(row for row in get(client, include="issuer")["results"] if row["issuer_lei"])
    assert row["issuer"]["legal_name"] is None
    LegalEntity.objects.create(
        lei=row["issuer_lei"],
        legal_name="An Issuer AG",
        source_file_id=1,
        source_position=1,
        fingerprint=1,
        last_updated_at=timezone.now(),
    )
    DataVersion.objects.renew(DataSubject.ENTITIES)
    [row] = get(client, include="issuer", isin=row["isin"])["results"]
    assert row["issuer"]["legal_name"] == "An Issuer AG"


@pytest.mark.slow
def test_the_number_of_queries_does_not_depend_on_the_rows(client: Client) -> None:
    """That of first trades is made only if a result applies from one."""
    for size in (5, 60, 200):
        with CaptureQueriesContext(connection) as queries:
            get(client, include=ALL, per_page=size)
        assert len(queries) <= 13, size


def test_only_what_is_asked_for_is_added(client: Client) -> None:
    plain = get(client)["results"]
    assert set(plain[0]).isdisjoint(PARTS)
    included = get(client, include="Venue, listings")["results"]
    assert set(included[0]) == {*plain[0], "venue", "listings"}
    selected = get(client, include="venue", fields="isin,venue")["results"]
    assert set(selected[0]) == {"isin", "venue"}


@pytest.mark.parametrize(
    ("parameters", "name", "text"),
    [
        ({"include": "listing"}, "include", "Choose from: listings, issuer"),
        ({"include": "venue", "per_page": "201"}, "per_page", "from 1 to 200"),
        ({"per_page": "1001"}, "per_page", "from 1 to 1,000"),
    ],
)
def test_an_invalid_value_is_named(
    client: Client, parameters: dict[str, str], name: str, text: str
) -> None:
    response = client.get(LIST, parameters)
    assert response.status_code == 400
    assert text in response.json()["errors"][name][0]


def test_each_part_needs_its_permission(client: Client, settings: LazySettings) -> None:
    settings.ANONYMOUS_READ = False
    user = make_user("reader")
    permissions = ["instruments.view_instrument", "instruments.view_venue"]
    _, key = api_keys.create(user, name="a", permissions=permissions, days=1)
    headers = {"authorization": f"Api-Key {key}"}
    client.force_login(user)
    for name in PARTS:
        # The owner's answer is kept; the key gets it only with the permission.
        assert client.get(LIST, {"include": name}).status_code == 200
        response = Client().get(LIST, {"include": name}, headers=headers)
        expected = 200 if PARTS[name] in permissions else 403
        assert response.status_code == expected, name
    assert (
        PARTS["figis"] in Client().get(LIST, {"include": "figis"}, headers=headers).json()["detail"]
    )
    assert Client().get(LIST, {"include": "venue"}).status_code == 401


def test_the_command_has_the_same_parts(client: Client) -> None:
    output = io.StringIO()
    options = ["--include", "venue,figis", "--limit", "30", "--format", "json"]
    call_command("instruments", "list", *options, stdout=output)
    rows = get(client, include="venue,figis", per_page=30)["results"]
    assert json.loads(output.getvalue()) == rows
    with pytest.raises(CommandError, match="needs --format json"):
        call_command("instruments", "list", "--include", "venue")
