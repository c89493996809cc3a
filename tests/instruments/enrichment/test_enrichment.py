"""Enrichment as runs: requested by API and schedule, carried out by a task, resumed after a failure."""

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from audit.models import Event
from esma_files.models import Run
from instruments import tasks
from instruments.entities import syncing as entities
from instruments.figis import syncing
from instruments.models import EntityRequest, Figi, FigiRequest
from tests import golden_copy
from tests.accounts.clients import ApiClient, client_of_new_user
from tests.gleif import BLOOMBERG, FakeGleif
from tests.golden_copy import message, name, record
from tests.instruments.figis.conftest import ERICSSON, SANDVIK, VOLVO, instruments
from tests.openfigi import IBM, PATH, FakeOpenFigi
from tests.register import Trouble

__all__ = ["instruments"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("instruments", "gleif_api"),
]
ISSUER = "549300GDPG70E3MBBU98"  # of all instruments; the recorded answers do not have it
NOT_KNOWN = f"{ISSUER}: Record: GLEIF does not know the LEI"
State = FigiRequest.State
KEY = "a-key-that-nobody-may-see"


@pytest.fixture
def curator() -> ApiClient:
    return client_of_new_user("carla", "curator")


def request(client: ApiClient, path: str, body: Any = None, status: int = 202) -> Any:
    response = client("post", f"/instruments/{path}", body)
    assert response.status_code == status, response.content
    return response.json()


def run_state(client: ApiClient, run: Any) -> Any:
    return client("get", f"/runs/{run['id']}/").json()


def test_one_instrument_is_enriched_by_a_run(curator: ApiClient, openfigi: FakeOpenFigi) -> None:
    run = request(curator, f"{IBM}/enrich/")

    assert (run["kind"], run["state"], run["requested_by"]) == ("enrich", "queued", "carla")
    assert openfigi.requests == []  # the request waits for nobody
    assert request(curator, f"{IBM}/enrich/")["id"] == run["id"]  # still the same work
    tasks.run_enrich(run["id"])
    tasks.run_enrich(run["id"])  # delivered twice

    run = run_state(curator, run)
    assert (run["state"], run["share"], run["done"], run["unit"]) == (
        "done",
        1,
        2,
        "codes",
    )
    assert (run["read"], run["new"], run["rejected"]) == (2, 198, 0)
    assert run["report"] == [f"{IBM}: FIGIs: Has FIGIs", NOT_KNOWN]
    assert len(openfigi.asked_jobs) == 1
    events = Event.objects.filter(action="instruments.enrich", object_id__startswith=IBM)
    assert [event.actor for event in events] == ["carla", "carla"]


def test_a_list_has_an_outcome_for_each_isin(curator: ApiClient, openfigi: FakeOpenFigi) -> None:
    openfigi.results[VOLVO] = {"error": "Internal error"}
    openfigi.results[SANDVIK] = {"error": "Invalid idValue format."}

    run = request(curator, "enrich/", {"isins": [IBM, VOLVO.lower(), SANDVIK, ERICSSON]})
    tasks.run_enrich(run["id"])

    run = run_state(curator, run)
    assert (run["read"], run["unchanged"], run["rejected"]) == (5, 2, 2)
    assert run["report"] == [
        f"{ERICSSON}: FIGIs: OpenFIGI has no FIGI",
        f"{VOLVO}: FIGIs: To be asked again (error: Internal error)",
        f"{SANDVIK}: FIGIs: OpenFIGI does not accept the ISIN (Invalid idValue format.)",
        f"{IBM}: FIGIs: Has FIGIs",
        NOT_KNOWN,
    ]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"isins": [IBM, "US0378331005"]}, "No loaded file has US0378331005."),
        ({"isins": [IBM, "SE0000115447"]}, "should be 6"),
        ({"isins": []}, "isins"),
        ({"isins": ["x"] * 1001}, "isins"),
        ({"isin": [IBM]}, "Did you mean 'isins'?"),
    ],
)
def test_wrong_lists_are_refused_as_a_whole(
    curator: ApiClient, body: dict[str, Any], detail: str
) -> None:
    assert detail in request(curator, "enrich/", body, 400)["detail"]
    assert not Run.objects.filter(kind=Run.Kind.ENRICH).exists()
    assert not FigiRequest.objects.exists()


def test_only_curators_may_enrich(client: Client) -> None:
    for role, status in (("viewer", 403), ("analyst", 403), ("curator", 202)):
        request(client_of_new_user(f"a{role}", role), f"{IBM}/enrich/", None, status)
    assert client.post(f"/api/v1/instruments/{IBM}/enrich/").status_code == 401


def test_a_failed_run_tells_why_without_the_key_and_the_next_one_continues(
    curator: ApiClient,
    openfigi: FakeOpenFigi,
    settings: LazySettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.OPENFIGI_API_KEY = KEY
    run = request(curator, f"{IBM}/enrich/")
    tasks.run_enrich(run["id"])  # the server knows another key

    failed = run_state(curator, run)
    assert failed["state"] == "failed"
    assert "HTTP 401: check the key" in failed["problem"]
    assert KEY not in f"{failed}{caplog.text}{list(Event.objects.values())}"
    openfigi.key = KEY
    tasks.request_enrichment()
    tasks.run_enrich(Run.objects.latest("pk").pk)
    assert FigiRequest.objects.get(isin=IBM).state == State.MATCHED


def test_the_schedule_asks_for_what_is_missing_or_due_up_to_a_limit(
    openfigi: FakeOpenFigi, settings: LazySettings
) -> None:
    settings.FIGI_ISINS_PER_RUN = 3
    asked = []
    for _ in range(3):
        tasks.request_enrichment()
        tasks.request_enrichment()  # one open run is enough
        tasks.run_enrich(Run.objects.latest("pk").pk)
        asked.append(sum(len(jobs) for jobs in openfigi.asked_jobs))

    assert asked == [3, 4, 4]
    assert Run.objects.filter(kind=Run.Kind.ENRICH, state=Run.State.DONE).count() == 3
    FigiRequest.objects.filter(isin=IBM).update(due_at=timezone.now() - dt.timedelta(days=1))
    tasks.request_enrichment()
    tasks.run_enrich(Run.objects.latest("pk").pk)
    assert openfigi.asked_jobs[-1] == [{"idType": "ID_ISIN", "idValue": IBM}]


@pytest.mark.slow
def test_the_next_attempt_of_a_killed_worker_asks_for_the_rest(
    curator: ApiClient, openfigi: FakeOpenFigi
) -> None:
    run = request(curator, f"{IBM}/enrich/")
    killed = Run.objects.claim(run["id"])
    assert killed is not None
    FigiRequest.objects.claim(10, isins=[IBM])
    Run.objects.filter(pk=killed.pk).update(sent_at=timezone.now())
    killed.refresh_from_db()

    again = killed.abandon()
    assert again is not None
    tasks.run_enrich(again.pk)

    assert run_state(curator, {"id": again.pk})["read"] == 2
    assert Figi.objects.filter(isin=IBM).count() == 198


def test_a_failure_releases_every_request(curator: ApiClient, openfigi: FakeOpenFigi) -> None:
    openfigi.most_jobs = 1
    openfigi.trouble(PATH, *[Trouble()] * 2, *[Trouble(status=503)] * 3)
    run = request(curator, "enrich/", {"isins": [IBM, VOLVO, SANDVIK]})

    tasks.run_enrich(run["id"])

    failed = run_state(curator, run)
    assert failed["state"] == "failed"
    assert "HTTP 503" in failed["problem"]
    assert FigiRequest.objects.due().count() == 3
    again = request(curator, "enrich/", {"isins": [IBM, VOLVO, SANDVIK]})
    tasks.run_enrich(again["id"])
    assert (again["id"], run_state(curator, again)["read"]) != (run["id"], 0)
    assert FigiRequest.objects.due().count() == 0


def test_the_coverage_by_category_is_counted_and_shown(
    client: Client, anonymous_reading: None, openfigi: FakeOpenFigi
) -> None:
    syncing.add_missing(10)
    syncing.sync()
    assert client.get("/api/v1/stats/").json()["coverage"] == []

    tasks.recount_coverage()
    tasks.recount_coverage()

    counts = client.get("/api/v1/stats/").json()["coverage"]
    assert [(c["category"], c["source"], c["instruments"], c["covered"]) for c in counts] == [
        ("E", "entity", 4, 0),
        ("E", "figi", 4, 1),
        ("E", "isin_lei", 4, 0),
        ("E", "issuer_difference", 4, 0),
        ("E", "transparency", 4, 0),
    ]
    assert {count["name"] for count in counts} == {"Equities"}
    out = io.StringIO()
    call_command("stats", "--recount", stdout=out)
    assert "transparency" in out.getvalue()


def test_the_issuer_of_an_instrument_is_asked_for(
    curator: ApiClient, openfigi: FakeOpenFigi, gleif_api: FakeGleif
) -> None:
    record = gleif_api.records[BLOOMBERG]
    attributes = record["attributes"] | {"lei": ISSUER}
    gleif_api.records[ISSUER] = {**record, "id": ISSUER, "attributes": attributes}

    run = request(curator, f"{IBM}/enrich/")
    assert gleif_api.requests == []
    tasks.run_enrich(run["id"])

    run = run_state(curator, run)
    assert (run["state"], run["read"]) == ("done", 2)
    assert run["report"][1:] == [
        f"{ISSUER}: Record: Has an answer",
        f"{ISSUER}: Relationships and exceptions: Has an answer",
    ]
    detail = curator("get", f"/entities/{ISSUER}/").json()
    assert (detail["legal_name"], detail["source_file"]) == (
        "Bloomberg Finance L.P.",
        "20250515-0000-gleif-api",
    )
    dossier = curator("get", f"/instruments/{IBM}/dossier/").json()
    assert {"20250515-0000-gleif-api"} <= {row["name"] for row in dossier["issuer"]["sources"]}


def test_a_service_that_is_down_does_not_keep_the_other_from_being_asked(
    curator: ApiClient, openfigi: FakeOpenFigi, gleif_api: FakeGleif
) -> None:
    openfigi.trouble(PATH, *[Trouble(status=503)] * 3)
    run = request(curator, f"{IBM}/enrich/")

    tasks.run_enrich(run["id"])

    run = run_state(curator, run)
    assert run["state"] == "failed"
    assert "HTTP 503" in run["problem"]
    assert run["report"] == [f"{IBM}: FIGIs: Not asked yet", NOT_KNOWN]


def test_issuers_are_not_asked_for_by_night_if_a_golden_copy_has_them_all(
    openfigi: FakeOpenFigi, gleif_api: FakeGleif, tmp_path: Path
) -> None:
    golden_copy.load(golden_copy.put(tmp_path, name(), message(record(BLOOMBERG))))
    assert entities.add_missing(10) == 0

    tasks.request_enrichment()
    tasks.run_enrich(Run.objects.latest("pk").pk)

    assert gleif_api.requests == []
    assert not EntityRequest.objects.exists()
