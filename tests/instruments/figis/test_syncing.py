"""Asking OpenFIGI for FIGIs: batches, outcomes, states, and workers that end in between."""

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from instruments.figis import syncing
from instruments.models import Figi, FigiRequest
from marketdata.common.errors import Unavailable
from marketdata.services.errors import KeyRejected, RequestTooLarge, UnreadableAnswer
from tests.instruments.figis.conftest import ERICSSON, SANDVIK, VOLVO
from tests.openfigi import IBM, PATH, FakeOpenFigi, recorded
from tests.register import Trouble

pytestmark = pytest.mark.django_db(transaction=True)
State = FigiRequest.State
Requests = FigiRequest.objects
A_DAY = dt.timedelta(days=1)


def sync(*isins: str, **options: Any) -> syncing.SyncCounts:
    Requests.add(isins, again=True)
    return syncing.sync(isins=isins, **options)


def isins(number: int) -> list[str]:
    return [f"XS{n:010}" for n in range(number)]


def days_until_due(isin: str) -> float:
    due_at = Requests.get(isin=isin).due_at
    assert due_at is not None
    return (due_at - timezone.now()) / A_DAY


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("sync_figis", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_all_figis_of_an_isin_are_kept_as_published(openfigi: FakeOpenFigi) -> None:
    counts = sync(IBM)

    assert (counts.asked, counts.matched, counts.new_figis) == (1, 1, 198)
    names = {
        "figi": "figi",
        "composite_figi": "compositeFIGI",
        "share_class_figi": "shareClassFIGI",
        "ticker": "ticker",
        "exchange_code": "exchCode",
        "security_type": "securityType",
        "security_type_2": "securityType2",
        "market_sector": "marketSector",
        "name": "name",
        "description": "securityDescription",
    }
    published = [
        {field: row[name] for field, name in names.items()}
        for row in recorded("isin_example")[0]["data"]
    ]
    stored = Figi.objects.filter(isin=IBM).values(*names)
    assert sorted(stored, key=lambda row: row["figi"]) == sorted(
        published, key=lambda row: row["figi"]
    )
    assert Requests.get().state == State.MATCHED
    assert 89 < days_until_due(IBM) < 90


@pytest.mark.parametrize(
    ("result", "state", "days", "problem"),
    [
        ({"warning": "No identifier found."}, State.NO_MATCH, 30, ""),
        (recorded("invalid_identifier")[0], State.INVALID, None, "Invalid idValue format."),
        ({"warning": "Try later."}, State.FAILED, 0, "warning: Try later."),
        ({"error": "No identifier found."}, State.FAILED, 0, "error: No identifier found."),
        ({"error": "Internal error"}, State.FAILED, 0, "error: Internal error"),
        ({"data": []}, State.FAILED, 0, "neither data, error nor warning"),
        ({"data": [{"figi": "X"}]}, State.FAILED, 0, "figi is 'X', which is no FIGI"),
        ({"data": [{"figi": 1}]}, State.FAILED, 0, "figi is 1 and no text"),
        ({"data": ["BBG000BLNNH6"]}, State.FAILED, 0, "no object"),
        ("BBG000BLNNH6", State.FAILED, 0, "the result is no object"),
        (None, State.FAILED, 0, "the result is no object"),
    ],
)
def test_only_documented_answers_are_final(
    openfigi: FakeOpenFigi, result: Any, state: str, days: int | None, problem: str
) -> None:
    openfigi.results[VOLVO] = result

    counts = sync(VOLVO, IBM)

    request = Requests.get(isin=VOLVO)
    assert request.state == state
    assert problem in request.problem
    assert counts.matched == 1  # the other job of the batch is not affected
    if days is None:
        assert request.due_at is None
    else:
        assert round(days_until_due(VOLVO)) == days


def test_a_failed_request_waits_twice_as_long_each_time(openfigi: FakeOpenFigi) -> None:
    openfigi.results[VOLVO] = {"error": "Internal error"}
    waits = []
    for _ in range(13):
        sync(VOLVO)
        waits.append(days_until_due(VOLVO) * 24 * 60)

    assert [round(wait) for wait in waits[:4]] == [1, 2, 4, 8]
    assert round(waits[-1]) == 24 * 60
    openfigi.results[VOLVO] = {"warning": "No identifier found."}
    sync(VOLVO)
    assert (Requests.get().attempts, Requests.get().problem) == (0, "")


@pytest.mark.parametrize(("key", "sizes"), [("", [10, 10, 5]), ("secret", [25])])
def test_a_batch_has_as_many_jobs_as_openfigi_takes(
    openfigi: FakeOpenFigi, settings: LazySettings, key: str, sizes: list[int]
) -> None:
    settings.OPENFIGI_API_KEY = openfigi.key = key

    counts = sync(*isins(25))

    assert [len(jobs) for jobs in openfigi.asked_jobs] == sizes
    assert counts.no_match == 25


def test_figis_end_when_openfigi_has_none_any_more(openfigi: FakeOpenFigi) -> None:
    sync(IBM)
    openfigi.results[IBM] = {"warning": "No identifier found."}

    counts = sync(IBM)

    assert counts.ended_figis == 198
    assert not Figi.objects.filter(is_current=True).exists()


def test_batches_are_halved_when_they_are_too_large(
    openfigi: FakeOpenFigi, settings: LazySettings
) -> None:
    settings.OPENFIGI_API_KEY = openfigi.key = "secret"
    openfigi.most_jobs = 20

    counts = sync(*isins(110))

    sizes = [len(jobs) for jobs in openfigi.asked_jobs]
    assert max(sizes) == 12  # 100, 50, 25, 12
    assert sum(sizes) == counts.no_match == 110
    assert len(openfigi.requests) == len(sizes) + 3


def test_one_job_that_is_too_large_is_an_error(openfigi: FakeOpenFigi) -> None:
    openfigi.most_jobs = 0

    with pytest.raises(RequestTooLarge):
        sync(IBM)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble(status=500), Unavailable),
        (Trouble(status=401, body=b"Invalid API key."), KeyRejected),
        (Trouble(body=b"[]"), UnreadableAnswer),
        (Trouble(body=b'{"data": []}'), UnreadableAnswer),
    ],
    ids=["500", "401", "too-few", "no-list"],
)
def test_requests_that_could_not_be_answered_stay_due(
    openfigi: FakeOpenFigi, trouble: Trouble, error: type[Exception]
) -> None:
    openfigi.trouble(PATH, Trouble(), *[trouble] * 3)

    with pytest.raises(error):
        sync(*isins(15))

    assert Requests.filter(state=State.NO_MATCH).count() == 10
    assert Requests.due().filter(state=State.PENDING).count() == 5
    openfigi.troubles.clear()
    assert sync(*Requests.due().values_list("isin", flat=True)).no_match == 5


def test_two_workers_never_claim_the_same_requests() -> None:
    Requests.add(isins(15))

    first, second, third = (Requests.claim(10) for _ in range(3))

    assert (len(first), len(second), len(third)) == (10, 5, 0)
    assert {r.isin for r in first}.isdisjoint(r.isin for r in second)
    Requests.give_back(first)
    assert len(Requests.claim(100)) == 10


def test_the_claim_of_a_worker_that_has_ended_runs_out() -> None:
    Requests.add([IBM])
    claimed = Requests.claim(10)
    Requests.update(claimed_until=timezone.now() - A_DAY)

    again = Requests.claim(10)

    assert [r.isin for r in again] == [IBM]
    Requests.give_back(claimed)  # the old worker is late, and does not release the new claim
    assert Requests.claim(10) == []


def test_a_figi_that_is_no_longer_published_is_kept_and_marked(openfigi: FakeOpenFigi) -> None:
    sync(IBM)
    rows = recorded("isin_example")[0]["data"]
    openfigi.results[IBM] = {"data": [{**rows[0], "ticker": "IBX"}, *rows[2:]]}

    counts = sync(IBM)

    assert (counts.new_figis, counts.changed_figis, counts.ended_figis) == (0, 1, 1)
    assert list(Figi.objects.filter(is_current=False).values_list("figi", flat=True)) == [
        rows[1]["figi"]
    ]
    assert Figi.objects.get(figi=rows[0]["figi"]).ticker == "IBX"
    assert Figi.objects.filter(fetched_at__gte=Requests.get().asked_at or "").count() == 197


def test_a_request_for_a_venue_sets_the_mic_and_ends_nothing(openfigi: FakeOpenFigi) -> None:
    sync(IBM)

    assert "198" not in run(IBM, "--mic", "xetr")

    assert openfigi.asked_jobs[-1] == [{"idType": "ID_ISIN", "idValue": IBM, "micCode": "XETR"}]
    assert list(Figi.objects.exclude(mic="").values_list("exchange_code", "mic")) == [
        ("GY", "XETR")
    ]
    assert Figi.objects.filter(is_current=True).count() == 198


@pytest.mark.usefixtures("instruments")
def test_the_command_asks_for_missing_instruments_up_to_a_limit(openfigi: FakeOpenFigi) -> None:
    counts = json.loads(run("--missing", "--limit", "3", "--format", "json"))

    assert counts["asked"] == 3
    assert {job["idValue"] for jobs in openfigi.asked_jobs for job in jobs} == {
        ERICSSON,
        VOLVO,
        SANDVIK,
    }
    assert "1" in run("--missing")
    assert Requests.get(isin=IBM).state == State.MATCHED
    assert json.loads(run("--missing", "--format", "json"))["asked"] == 0


@pytest.mark.usefixtures("instruments")
def test_the_command_takes_a_figi_or_ticker_of_an_instrument(openfigi: FakeOpenFigi) -> None:
    run(IBM)
    openfigi.asked_jobs.clear()

    run("ibm", "BBG000NBXN20")

    assert openfigi.asked_jobs == [[{"idType": "ID_ISIN", "idValue": IBM}]]


def test_the_command_names_what_is_wrong(openfigi: FakeOpenFigi, settings: LazySettings) -> None:
    settings.OPENFIGI_API_KEY = "a-secret-key"
    with pytest.raises(CommandError, match="check the key") as raised:
        run(IBM)
    assert "a-secret-key" not in str(raised.value)
    with pytest.raises(CommandError, match="should be 6"):
        run("SE0000115447")
    with pytest.raises(CommandError, match="--mic needs"):
        run("--mic", "XETR")
