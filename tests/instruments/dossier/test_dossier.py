"""The dossier of an instrument by API, command and page, on real and on large made records."""

import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.dossier.questions import MAX_BYTES, get_dossier
from instruments.figis import syncing
from instruments.models import (
    EntityRelationship,
    EntityRequest,
    EntitySuccessor,
    FigiRequest,
    Instrument,
    LegalEntity,
    Listing,
    RelationshipType,
    ReportingException,
)
from tests import dvcres, firds, fitrs
from tests.conftest import DATA
from tests.instruments.listings.test_answers_match_the_schema import check
from tests.openfigi import IBM, FakeOpenFigi

BOND, DERIVATIVE = "DE000A1R07V3", "DE000A2253D4"
LEI_OF_BOND = "549300GDPG70E3MBBU98"
ROOT = "/api/v1/instruments/"
NAME = "FULINS_E_20250302_01of01"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]


def get(client: Client, isin: str, status: int = 200, /, **parameters: str) -> Any:
    response = client.get(f"{ROOT}{isin}/dossier/", parameters)
    assert response.status_code == status, response.content
    return response.json()


def load(make_zip: Callable[..., Path], *records: str) -> None:
    for loaded in pipeline.load(
        pipeline.register_files([make_zip(NAME, firds.message(NAME, *records))])
    ):
        assert loaded.error is None


@pytest.fixture
def large(make_zip: Callable[..., Path], openfigi: FakeOpenFigi) -> None:
    """IBM with 300 listings with long names, a volume cap result of 40 venues, and 198 FIGIs."""
    name = "INTL | BUSINESS *MACHINES* <CORP> " + "X" * 300
    load(
        make_zip,
        *(
            firds.record("RefData", IBM, f"X{n:03}", name=name, period="2025-03-01")
            for n in range(300)
        ),
    )
    venues = [dvcres.venue(f"X{n:03}", "0.1") for n in range(40)]
    result = dvcres.result(IBM, *venues, percentage="4.0")
    fitrs.load(make_zip("DVCRES_20251108", dvcres.message("DVCRES_20251108", result)))
    FigiRequest.objects.add([IBM])
    syncing.sync()


@pytest.mark.usefixtures("real_instruments")
def test_each_part_has_its_sources_and_their_age(client: Client) -> None:
    answer = get(client, BOND, on="2025-09-09")

    assert (answer["isin"], answer["on"]) == (BOND, "2025-09-09")
    instrument = client.get(f"{ROOT}{BOND}/").json()
    assert answer["identity"]["full_name"] == instrument["full_name"]
    assert answer["terms"]["terms"]["coupon"] == instrument["terms"]["coupon"]
    assert answer["listings"]["listings"]["total"] == len(instrument["listings"])
    file = instrument["source_file"]
    published_on = dt.date.fromisoformat(instrument["published_on"])
    assert answer["identity"]["sources"] == [
        {
            "name": file,
            "published_on": instrument["published_on"],
            "age_days": (dt.date(2025, 9, 9) - published_on).days,
        }
    ]
    reportable = client.get(f"{ROOT}{BOND}/reportable/", {"on": "2025-09-09"}).json()
    assert answer["reportability"]["reason"] == reportable["reason"]


@pytest.mark.usefixtures("real_instruments")
def test_a_source_of_after_the_day_has_no_negative_age_in_texts(client: Client) -> None:
    published_on = dt.date.fromisoformat(client.get(f"{ROOT}{BOND}/").json()["published_on"])
    day = published_on - dt.timedelta(days=3)

    page = client.get(f"/instruments/{BOND}/dossier/?on={day}").content.decode()
    text = client.get(f"{ROOT}{BOND}/dossier/?on={day}&output=markdown").content.decode()

    assert "(3 days after the day of the dossier)" in page
    assert f"{published_on} (3 days after the day of the dossier)" in text
    assert "days old" not in text


@pytest.mark.usefixtures("real_instruments")
def test_texts_have_the_words_of_pages(client: Client) -> None:
    text = client.get(f"{ROOT}{BOND}/dossier/?on=2021-01-14&output=markdown").content.decode()

    for line in (
        "- Maturity: 2021-01-15, in 1 day",
        "- Coupon: 1.625 %",
        "- Total issued nominal: 5,000,000,000 EUR",
        "- State: never asked",
        "- GLEIF relationships: No file of this dataset is loaded.",
        "- OpenFIGI: It was never asked for this ISIN.",
    ):
        assert f"\n{line}\n" in text


@pytest.mark.usefixtures("real_instruments")
def test_sources_that_have_nothing_are_listed_with_the_reason(client: Client) -> None:
    reasons = {row["source"]: row["reason"] for row in get(client, BOND)["nothing_from"]}

    assert reasons == {
        "fca_firds": "No file of this dataset is loaded.",
        "esma_fitrs": "No file of this dataset is loaded.",
        "fca_fitrs": "No file of this dataset is loaded.",
        "esma_dvcap": "No file of this dataset is loaded.",
        "gleif_lei2": "No file of this dataset is loaded.",
        "gleif_api": f"It was never asked for the LEI {LEI_OF_BOND}.",
        "gleif_rr": "No file of this dataset is loaded.",
        "gleif_repex": "No file of this dataset is loaded.",
        "gleif_isin_lei": "No file of this dataset is loaded.",
        "openfigi": "It was never asked for this ISIN.",
    }


@pytest.mark.usefixtures("real_instruments")
def test_an_answer_of_the_api_of_gleif_that_has_no_record_is_listed(client: Client) -> None:
    def read_reason() -> str | None:
        rows = get(client, BOND)["nothing_from"]
        return next((row["reason"] for row in rows if row["source"] == "gleif_api"), None)

    EntityRequest.objects.add([LEI_OF_BOND])
    assert read_reason() == f"It is to be asked for the LEI {LEI_OF_BOND}."
    request = EntityRequest.objects.get()
    request.fail("503 from the service", retry_seconds=60)
    request.save()
    problem = "could not be used: 503 from the service."
    assert read_reason() == f"Its last answer for the LEI {LEI_OF_BOND} {problem}"
    request.state = EntityRequest.State.UNKNOWN
    request.answer(at=dt.datetime(2026, 8, 1, tzinfo=dt.UTC), repeat_after=None)
    request.save()
    assert read_reason() == f"It did not know the LEI {LEI_OF_BOND} on 2026-08-01."
    Instrument.objects.filter(pk=BOND).update(issuer_lei="")
    Listing.objects.filter(isin=BOND).update(issuer_lei="")
    assert read_reason() is None


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("state", [EsmaFile.State.ARCHIVED, EsmaFile.State.DELETED])
def test_files_whose_bytes_retention_has_taken_away_count_as_loaded(
    client: Client, state: str
) -> None:
    EsmaFile.objects.create(
        dataset="esma_dvcap",
        name="DVCRES_20251108.zip",
        kind="DVCRES",
        published_on=dt.date(2025, 11, 8),
        part=1,
        parts=1,
        sequence=1,
        state=state,
        loaded_at=timezone.now(),
    )

    reasons = {row["source"]: row["reason"] for row in get(client, BOND)["nothing_from"]}

    assert reasons["esma_dvcap"].startswith("The files until 2025-11-08 have no ")


@pytest.mark.slow
def test_transparency_in_force_is_that_of_the_transparency_question(
    client: Client, make_zip: Callable[..., Path]
) -> None:
    isin, day = "BEEN20114540", "2025-09-01"
    load(make_zip, firds.record("RefData", isin, "XBRU", cfi="DBFTFB", period="2025-03-01"))
    for path in sorted((DATA / "fitrs").glob("*.zip")):
        fitrs.load(path)

    answer = get(client, isin, on=day)

    transparency = client.get(f"{ROOT}{isin}/transparency/", {"on": day}).json()
    rows = {row["respect"]: row for row in answer["transparency"]["in_force"]["rows"]}
    assert rows.keys() == transparency["applies"].keys()
    for respect, applicable in transparency["applies"].items():
        assert rows[respect]["reason"] == applicable["why"]
    assert rows["liquidity"]["results"][0]["liquid"] is not None
    assert answer["transparency"]["sources"]
    assert "esma_fitrs" not in {row["source"] for row in answer["nothing_from"]}


def test_the_issuer_is_shown_with_the_record_of_its_legal_entity(
    client: Client, make_zip: Callable[..., Path]
) -> None:
    volvo = "SE0000115446"
    load(make_zip, firds.record("RefData", volvo, "XSTO", period="2025-03-01"))
    file = EsmaFile.objects.get()
    of_file: dict[str, Any] = {
        "last_updated_at": dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        "source_file": file,
        "source_position": 1,
        "fingerprint": 1,
    }
    lei, parent = "549300GDPG70E3MBBU98", "5299000J2N45DDNE4Y28"
    LegalEntity.objects.create(lei=lei, legal_name="KfW", jurisdiction="DE", **of_file)
    LegalEntity.objects.create(lei=parent, legal_name="The parent", **of_file)
    EntityRelationship.objects.create(
        start_lei=lei,
        end_lei=parent,
        type=RelationshipType.DIRECT,
        status="ACTIVE",
        registration_status="PUBLISHED",
        **of_file,
    )
    del of_file["last_updated_at"]
    ReportingException.objects.create(
        lei=lei, category="ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT", reason="NO_LEI", **of_file
    )

    answer = get(client, volvo)

    assert answer["issuer"]["issuer"]["lei"] == "549300GDPG70E3MBBU98"
    assert answer["issuer"]["entity"]["legal_name"] == "KfW"
    assert answer["issuer"]["group"]["rows"] == [
        {
            "relation": "direct parent",
            "lei": parent,
            "legal_name": "The parent",
            "reason": None,
        },
        {
            "relation": "ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT",
            "lei": None,
            "legal_name": None,
            "reason": "NO_LEI",
        },
    ]
    empty = [row["source"] for row in answer["nothing_from"]]
    assert [source for source in empty if source.startswith("gleif")] == ["gleif_isin_lei"]
    page = client.get(f"/instruments/{volvo}/dossier/").content.decode()
    assert "<dt>Legal name</dt><dd>KfW</dd>" in page

    # An LEI that has ended leads to its successor.
    EntitySuccessor.objects.create(entity_id=lei, successor_lei=parent)
    for entity_status, registration_status, successors in (
        ("ACTIVE", "ISSUED", []),
        ("ACTIVE", "LAPSED", [parent]),
        ("INACTIVE", "MERGED", [parent]),
    ):
        LegalEntity.objects.filter(lei=lei).update(
            entity_status=entity_status, registration_status=registration_status
        )
        rows = get(client, volvo)["issuer"]["successors"]["rows"]
        assert [row["lei"] for row in rows] == successors
        assert all(row["legal_name"] == "The parent" for row in rows)
        page = client.get(f"/instruments/{volvo}/").content.decode()
        assert ("<dt>Succeeded by</dt>" in page) == bool(successors)


@pytest.mark.usefixtures("large")
def test_a_dossier_is_small_however_much_is_known(client: Client) -> None:
    as_json = client.get(f"{ROOT}{IBM}/dossier/")
    as_markdown = client.get(f"{ROOT}{IBM}/dossier/", {"output": "Markdown"})

    assert len(as_json.content) <= MAX_BYTES
    assert len(as_markdown.content) <= MAX_BYTES
    answer = as_json.json()
    listings = answer["listings"]["listings"]
    assert listings["total"] == 300 == listings["left_out"] + len(listings["rows"])
    assert answer["volume_cap"]["venues"]["total"] == 40
    assert answer["figis"]["figis"]["total"] == 198
    assert answer["figis"]["sources"][0]["name"] == "openfigi"


@pytest.mark.usefixtures("large")
def test_the_number_of_queries_does_not_depend_on_the_size(make_zip: Callable[..., Path]) -> None:
    with CaptureQueriesContext(
        connection,
    ) as large:
        get_dossier(IBM)
    volvo = "SE0000115446"
    record = firds.record("RefData", volvo, "XSTO", period="2025-03-01")
    name = "FULINS_E_20250309_01of01"
    for loaded in pipeline.load(
        pipeline.register_files([make_zip(name, firds.message(name, record))])
    ):
        assert loaded.error is None
    with CaptureQueriesContext(connection) as small:
        get_dossier(volvo)

    assert len(small) <= len(large) <= 25


@pytest.mark.usefixtures("large")
def test_markdown_is_chosen_by_parameter_or_header_and_escapes_names(client: Client) -> None:
    by_parameter = client.get(f"{ROOT}{IBM}/dossier/", {"output": "markdown"})
    by_header = client.get(f"{ROOT}{IBM}/dossier/", headers={"accept": "text/markdown"})
    for parameters in ({"output": "md"}, {"format": "md"}, {"format": "markdown"}):
        by_other_name = client.get(f"{ROOT}{IBM}/dossier/", parameters)
        assert by_other_name.content == by_parameter.content

    assert by_parameter.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert by_header.content == by_parameter.content
    text = by_parameter.content.decode()
    assert text.startswith(r"# INTL \| BUSINESS \*MACHINES\* \<CORP\> XXX")
    assert "\n## FIGIs\n" in text
    assert "more left out." in text
    assert f"ISIN {IBM}, on " in text
    by_header = client.get(
        f"{ROOT}{IBM}/dossier/", {"output": "json"}, headers={"accept": "text/markdown"}
    )
    assert by_header.json()["isin"] == IBM


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_the_page_shows_every_part_and_escapes_names(client: Client) -> None:
    page = client.get(f"/instruments/{IBM}/dossier/").content.decode()

    for title in ("Identity", "Listings", "FIGIs", "Volume cap", "Sources that have nothing"):
        assert f"<h2>{title}</h2>" in page
    assert "&lt;CORP&gt;" in page
    assert "<CORP>" not in page
    assert client.get("/instruments/SE0000115446/dossier/").status_code == 404
    assert f"/instruments/{IBM}/dossier/" in client.get(f"/instruments/{IBM}/").content.decode()


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("isin", [BOND, DERIVATIVE])
def test_the_answer_matches_its_schema(client: Client, isin: str) -> None:
    document = client.get("/api/schema/", {"format": "json"}).json()

    check(document, f"{ROOT}{{isin}}/dossier/", "get", get(client, isin))


@pytest.mark.usefixtures("real_instruments")
def test_wrong_questions_are_refused(client: Client) -> None:
    assert "on" in get(client, BOND, 400, on="yesterday")["errors"]
    assert "Did you mean 'output'" in get(client, BOND, 400, outpt="json")["detail"]
    detail = get(client, BOND, 400, format="pdf")["detail"]
    assert detail == "format: 'pdf' is not a valid choice. Choose one of: json, markdown, api."
    get(client, "SE0000115446", 404)
    problem = client.get(f"{ROOT}SE0000115446/dossier/", headers={"accept": "text/markdown"})
    assert problem.headers["Content-Type"] == "application/problem+json"


@pytest.mark.usefixtures("real_instruments")
def test_the_command_prints_markdown_or_json(client: Client) -> None:
    out = io.StringIO()
    call_command("instruments", "dossier", BOND, "--on", "2025-09-09", stdout=out)
    response = client.get(f"{ROOT}{BOND}/dossier/", {"output": "markdown", "on": "2025-09-09"})
    assert out.getvalue().strip() == response.content.decode().strip()

    out = io.StringIO()
    arguments = ("--on", "2025-09-09", "--format", "json")
    call_command("instruments", "dossier", BOND, *arguments, stdout=out)
    assert json.loads(out.getvalue()) == get(client, BOND, on="2025-09-09")
    with pytest.raises(CommandError, match="No instrument with the ISIN"):
        call_command("instruments", "dossier", "SE0000115446")
