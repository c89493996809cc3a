"""FIGIs by API, page, search and look-up."""

import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from instruments.figis import syncing
from instruments.figis.exchange_codes import MICS
from instruments.isin import problem_of
from instruments.listings.lookup import find_isins, resolve_isins
from instruments.models import Figi, FigiRequest, Instrument, Venue
from marketdata.common.errors import InvalidQuery, NotInDatabase
from tests.accounts.clients import make_user
from tests.conftest import DATA
from tests.instruments.figis.conftest import ERICSSON, VOLVO
from tests.instruments.listings.test_answers_match_the_schema import check
from tests.openfigi import IBM, FakeOpenFigi

IBM_US, IBM_CLASS = "BBG000BLNNH6", "BBG001S5S399"
IBM_AS_ISIN = "BBG000NBXN20"  # of IBM too, and with the check digit of an ISIN
ROOT = "/api/v1/"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading", "instruments"),
]


@pytest.fixture
def synced(openfigi: FakeOpenFigi) -> None:
    """IBM with its FIGIs, and Volvo, of which OpenFIGI has none."""
    FigiRequest.objects.add([IBM, VOLVO])
    syncing.sync()


def get(client: Client, path: str, status: int = 200, /, **parameters: Any) -> Any:
    response = client.get(f"{ROOT}{path}", parameters)
    assert response.status_code == status, response.content
    return response.json()


@pytest.mark.usefixtures("synced")
def test_figis_of_venues_with_a_listing_come_first(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(5):
        answer = get(client, f"instruments/{IBM.lower()}/figis/")

    assert answer["state"] == "matched"
    assert len(answer["figis"]) == 198
    # Both segments of Stuttgart have a listing, so its FIGI is of neither.
    venues = [(row["exchange_code"], row["mic"]) for row in answer["figis"] if row["mic"]]
    assert venues == [("GY", "XETR"), ("IM", "MTAA")]
    assert [row["mic"] for row in answer["figis"][:3]] == ["XETR", "MTAA", None]
    assert answer["figis"][2]["figi"] == answer["figis"][2]["composite_figi"]
    check(
        client.get("/api/schema/", {"format": "json"}).json(),
        f"{ROOT}instruments/{{isin}}/figis/",
        "get",
        answer,
    )


@pytest.mark.usefixtures("synced")
def test_the_state_tells_why_there_are_no_figis(client: Client) -> None:
    volvo = get(client, f"instruments/{VOLVO}/figis/")
    ericsson = get(client, f"instruments/{ERICSSON}/figis/")

    assert (volvo["state"], volvo["figis"]) == ("no_match", [])
    assert volvo["asked_at"] is not None
    assert (ericsson["state"], ericsson["asked_at"]) == ("never_asked", None)
    get(client, "instruments/SE0000115447/figis/", 400)
    get(client, "instruments/US0378331005/figis/", 404)


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize(
    ("figi", "kind", "rows"), [(IBM_US, "figi", 1), (IBM_CLASS, "share_class", 198)]
)
def test_a_figi_of_any_kind_leads_to_its_instrument(
    client: Client, figi: str, kind: str, rows: int
) -> None:
    answer = get(client, f"figis/{figi.lower()}/")

    assert (answer["figi"], answer["kind"]) == (figi, kind)
    assert [(i["isin"], i["full_name"]) for i in answer["instruments"]] == [(IBM, "IBM Corp")]
    assert len(answer["instruments"][0]["rows"]) == rows
    document = client.get("/api/schema/", {"format": "json"}).json()
    check(document, f"{ROOT}figis/{{figi}}/", "get", answer)


def test_a_figi_of_no_instrument_is_unknown_and_not_a_wrong_isin(client: Client) -> None:
    detail = get(client, f"instruments/{IBM_CLASS}/", 404)["detail"]
    assert detail == f"No instrument with the FIGI {IBM_CLASS} is in the database."
    body = {"isins": [IBM_CLASS]}
    answer = client.post(f"{ROOT}instruments/lookup/", body, content_type="application/json").json()
    assert [row["status"] for row in answer["results"]] == ["unknown"]


def test_unknown_and_malformed_figis_are_told_apart(client: Client) -> None:
    assert "not in the database" in get(client, f"figis/{IBM_US}/", 404)["detail"]
    assert "two consonants" in get(client, "figis/US4592001014/", 400)["detail"]


@pytest.mark.slow
@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("code", [IBM_US, IBM_CLASS, IBM_AS_ISIN, "ibm"])
def test_a_figi_or_ticker_is_taken_where_an_isin_is(client: Client, code: str) -> None:
    assert get(client, f"instruments/{code}/")["isin"] == IBM
    assert get(client, f"instruments/{code}/figis/")["isin"] == IBM
    assert get(client, f"instruments/{code}/reportable/")["isin"] == IBM
    body = {"isins": [code, VOLVO, "nothing"]}
    answer = client.post(f"{ROOT}instruments/lookup/", body, content_type="application/json").json()
    assert [row["status"] for row in answer["results"]] == ["found", "found", "invalid"]
    assert answer["results"][0]["isin"] == code.upper()
    assert answer["results"][0]["instrument_isin"] == IBM
    assert answer["results"][0]["instrument"]["isin"] == IBM
    out = io.StringIO()
    call_command("instruments", "get", code, "--format", "json", stdout=out)
    assert json.loads(out.getvalue())["isin"] == IBM


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize(
    "parameters", [{"figi": IBM_US.lower()}, {"figi": IBM_CLASS}, {"ticker": "ibm"}, {"q": IBM_US}]
)
def test_lists_are_filtered_by_figi_and_ticker(client: Client, parameters: dict[str, str]) -> None:
    answer = get(client, "instruments/", **parameters)

    assert [row["isin"] for row in answer["results"]] == [IBM]
    other = {name: value[:-1] + "7" for name, value in parameters.items()}
    assert get(client, "instruments/", **other)["results"] == []


@pytest.mark.usefixtures("synced")
def test_a_ticker_of_several_instruments_is_not_guessed(client: Client) -> None:
    now = timezone.now()
    Figi.objects.create(isin=VOLVO, figi="BBG000BDSLM5", ticker="IBM", fetched_at=now)

    problem = get(client, "instruments/IBM/", 400)

    assert f"'IBM' is a FIGI or ticker of 2 instruments: {VOLVO}, {IBM}." in problem["detail"]
    answer = client.post(
        f"{ROOT}instruments/lookup/", {"isins": ["IBM"]}, content_type="application/json"
    ).json()["results"][0]
    assert (answer["status"], answer["instrument"]) == ("invalid", None)
    assert VOLVO in answer["reason"]
    with pytest.raises(CommandError, match="2 instruments"):
        call_command("instruments", "get", "IBM")


@pytest.mark.usefixtures("synced")
def test_the_search_box_takes_figis_and_tickers(client: Client) -> None:
    for figi in (IBM_US, IBM_CLASS.lower()):
        response = client.get("/", {"q": figi})
        assert response.status_code == 302
        assert response.headers["Location"] == f"/instruments/{IBM}/"
    page = client.get("/", {"q": "ibm"}).content.decode()
    assert "IBM is a ticker of" in page
    assert f"/instruments/{IBM}/" in page


@pytest.mark.usefixtures("synced")
def test_a_figi_that_ended_still_leads_to_its_instrument_and_its_ticker_does_not(
    client: Client,
) -> None:
    Figi.objects.update(is_current=False, fetched_at=timezone.now() - dt.timedelta(days=1))

    assert get(client, f"instruments/{IBM_US}/")["isin"] == IBM
    get(client, "instruments/IBM/", 400)


@pytest.mark.usefixtures("synced")
def test_the_admin_shows_figis_and_requests_read_only(client: Client) -> None:
    client.force_login(
        make_user("curator", "curator"), backend="django.contrib.auth.backends.ModelBackend"
    )
    for name in ("figi", "figirequest"):
        page = client.get(f"/admin/instruments/{name}/", {"q": IBM})
        assert page.status_code == 200
        assert IBM in page.content.decode()
        assert client.get(f"/admin/instruments/{name}/add/").status_code == 403


def test_the_mics_of_exchange_codes_are_in_the_list_of_venues() -> None:
    call_command("load_venues", stdout=io.StringIO())

    known = set(Venue.objects.filter(pk__in=MICS.values()).values_list("pk", flat=True))
    assert set(MICS.values()) - known == set()


def find_lists(recorded: Any) -> Iterator[list[dict[str, str]]]:
    """The lists of FIGIs in a recorded answer."""
    values = recorded.values() if isinstance(recorded, dict) else recorded
    if isinstance(recorded, dict) and isinstance(recorded.get("data"), list):
        yield recorded["data"]
    elif isinstance(recorded, dict | list):
        for value in values:
            yield from find_lists(value)


def test_no_exchange_code_is_that_of_a_composite() -> None:
    rows = [
        row
        for path in (DATA / "openfigi").rglob("*.json")
        for answer in find_lists(json.loads(path.read_text()))
        for row in answer
    ]
    composites = {row["exchCode"] for row in rows if row["figi"] == row["compositeFIGI"]}

    assert {"US", "GR", "SW", "CI"} <= composites
    assert composites.isdisjoint(MICS)


@pytest.mark.slow
@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("code", [IBM_US, IBM_US.lower(), IBM_CLASS, IBM_AS_ISIN, "IBM"])
def test_a_figi_or_ticker_leads_to_the_results_and_derivatives_of_its_isin(
    client: Client, code: str
) -> None:
    for path in ("transparency/", "volume-cap/", "derivatives/", "underlyings/", "dossier/"):
        by_isin = get(client, f"instruments/{IBM}/{path}")
        assert get(client, f"instruments/{code}/{path}") == {**by_isin, **_links(by_isin, code)}
    answer = get(client, "instruments/", isin=f"{code},{VOLVO}")
    assert [row["isin"] for row in answer["results"]] == [VOLVO, IBM]
    assert [row["status"] for row in answer["lookup"]] == ["found", "found"]


def _links(answer: Any, code: str) -> dict[str, Any]:
    """The links of a list, which repeat the code of the request."""
    if "pagination" not in answer:
        return {}
    links = {
        name: value.replace(IBM, code) if isinstance(value, str) else value
        for name, value in answer["pagination"].items()
    }
    return {"pagination": links}


@pytest.mark.usefixtures("synced")
def test_lists_take_figis_and_tickers(client: Client) -> None:
    for code in (IBM_US, IBM_AS_ISIN, "ibm"):
        for path in ("transparency/", "volume-cap/"):
            assert get(client, path, isin=f"{code},{VOLVO}")["results"] == []
            lookup = get(client, path, isin=code)["lookup"]
            assert [row["status"] for row in lookup] == ["unknown"]
            assert lookup[0]["reason"] == "No loaded file has a result of it."
        assert [row["isin"] for row in get(client, "instruments/", isin=code)["results"]] == [IBM]
    get(client, "instruments/", 400, isin="IBMX")
    get(client, "instruments/BBG000000000/transparency/", 404)
    get(client, "instruments/SE0000115447/transparency/", 400)


@pytest.mark.usefixtures("synced")
def test_a_figi_with_the_check_digit_of_an_isin_is_an_isin_where_an_instrument_has_it() -> None:
    assert problem_of(IBM_AS_ISIN) is None
    assert resolve_isins([IBM_AS_ISIN, VOLVO, "ibm", "US0378331005"]) == [
        IBM,
        VOLVO,
        IBM,
        "US0378331005",
    ]
    assert find_isins(f"{IBM_AS_ISIN},nothing") == [IBM_AS_ISIN, IBM]

    Instrument.objects.filter(pk=VOLVO).update(isin=IBM_AS_ISIN)

    assert resolve_isins([IBM_AS_ISIN]) == [IBM_AS_ISIN]
    assert find_isins(IBM_AS_ISIN) == [IBM_AS_ISIN]
    Figi.objects.all().delete()
    with pytest.raises(NotInDatabase, match=IBM_US):
        resolve_isins([IBM_US])
    with pytest.raises(InvalidQuery, match=IBM_US):
        resolve_isins([IBM_US, VOLVO])
