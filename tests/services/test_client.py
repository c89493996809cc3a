"""The client of outside services against a server that misbehaves, and the budget that workers share."""

import datetime as dt
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from marketdata.common.errors import Refused, Unavailable
from marketdata.services.client import JsonClient, Service
from marketdata.services.errors import (
    BudgetSpent,
    KeyRejected,
    RateLimited,
    RequestTooLarge,
    UnreadableAnswer,
)
from marketdata.services.models import RequestBudget
from tests.openfigi import IBM, PATH, FakeOpenFigi, recorded_response
from tests.register import Trouble

KEY = "a-key-that-nobody-may-see"
JOBS = [{"idType": "ID_ISIN", "idValue": IBM}]
pytestmark = pytest.mark.django_db(transaction=True)
Budgets = RequestBudget.objects


def ask(server: FakeOpenFigi, path: str = PATH, *, waits: list[float] | None = None) -> Any:
    """Send one mapping request. With `waits`, note pauses there and let the budget's time pass at once."""
    service = Service("openfigi", server.url, 25, 60, {"X-OPENFIGI-APIKEY": KEY})

    def let_time_pass(seconds: float) -> None:
        assert waits is not None, f"asked to wait for {seconds} seconds"
        waits.append(seconds)
        past = timezone.now() - dt.timedelta(seconds=1)
        RequestBudget.objects.update(resets_at=past, paused_until=past)

    with JsonClient(service, wait=let_time_pass) as client:
        return client.post(path, JOBS)


@pytest.fixture
def server(openfigi: FakeOpenFigi) -> FakeOpenFigi:
    openfigi.key = KEY
    return openfigi


def test_the_answer_is_returned_and_the_headers_correct_the_budget(server: FakeOpenFigi) -> None:
    answer = ask(server)

    assert len(answer[0]["data"]) == 198
    assert server.asked(PATH)[0]["X-OPENFIGI-APIKEY"] == KEY
    budget = Budgets.get()
    assert (budget.requests, budget.window_seconds, budget.remaining) == (25, 60, 24)


@pytest.mark.parametrize(
    ("trouble", "error", "requests"),
    [
        (Trouble(status=500), Unavailable, 3),
        (Trouble(status=503, headers={"Retry-After": "1"}), Unavailable, 3),
        (Trouble(body=b'[{"data": ['), UnreadableAnswer, 3),
        (Trouble(body=b"<html>Maintenance</html>"), UnreadableAnswer, 3),
        (Trouble(cut_after=100), Unavailable, 3),
        (Trouble(status=413), RequestTooLarge, 1),
        (Trouble(status=403), KeyRejected, 1),
        (Trouble(status=404, body=b"Invalid url."), Refused, 1),
        (Trouble(status=302, headers={"Location": "http://127.0.0.1:9/"}), Refused, 1),
    ],
    ids=["500", "503", "half", "html", "cut", "413", "403", "404", "302"],
)
def test_trouble_is_a_typed_error_after_retries_where_they_may_help(
    server: FakeOpenFigi,
    caplog: pytest.LogCaptureFixture,
    trouble: Trouble,
    error: type[Exception],
    requests: int,
) -> None:
    server.trouble(PATH, *[trouble] * 3)

    with caplog.at_level(logging.DEBUG), pytest.raises(error) as raised:
        ask(server)

    assert len(server.requests) == requests
    assert KEY not in f"{raised.value!r} {raised.value.__cause__!r} {caplog.text}"


def test_one_failure_is_retried_and_forgotten(server: FakeOpenFigi) -> None:
    server.trouble(PATH, Trouble(status=502))

    assert len(ask(server)[0]["data"]) == 198


def test_a_slow_answer_is_unavailable(server: FakeOpenFigi, settings: Any) -> None:
    settings.HTTP_TIMEOUT_SECONDS = 0.2
    server.trouble(PATH, *[Trouble(wait=0.6)] * 3)

    with pytest.raises(Unavailable, match="Read timed out"):
        ask(server)


def test_recorded_plain_text_answers_are_refusals(server: FakeOpenFigi) -> None:
    server.key = "another key"
    with pytest.raises(KeyRejected) as rejected:
        ask(server)
    with pytest.raises(Refused, match="HTTP 404"):
        ask(server, "/v3/invalid-endpoint")

    assert rejected.value.status == recorded_response("mapping_a")["status"] == 401
    assert KEY not in str(rejected.value)


def test_retry_after_pauses_every_worker_for_that_long(server: FakeOpenFigi) -> None:
    server.limit, server.retry_after = 0, "17"
    waits: list[float] = []

    assert len(ask(server, waits=waits)[0]["data"]) == 198

    assert len(server.requests) == 2
    assert len(waits) == 1
    assert 16 < waits[0] <= 17


def test_a_pause_longer_than_a_worker_should_wait_ends_the_work(server: FakeOpenFigi) -> None:
    server.limit, server.retry_after = 0, "600"

    with pytest.raises(BudgetSpent) as spent:
        ask(server)

    assert 590 < (spent.value.wait_seconds or 0) <= 600
    assert len(server.requests) == 1
    with pytest.raises(BudgetSpent):  # another worker does not ask at all
        ask(server)
    assert len(server.requests) == 1


def test_repeated_429_ends_as_rate_limited(server: FakeOpenFigi) -> None:
    server.trouble(PATH, *[Trouble(status=429, headers={"Retry-After": "1"})] * 3)

    with pytest.raises(RateLimited):
        ask(server, waits=[])


def test_a_spent_budget_waits_for_the_next_window() -> None:
    assert [Budgets.claim("s", requests=2, seconds=60) for _ in range(2)] == [0, 0]

    wait = Budgets.claim("s", requests=2, seconds=60)

    assert 55 < wait <= 60
    Budgets.update(resets_at=timezone.now() - dt.timedelta(seconds=1))
    assert Budgets.claim("s", requests=2, seconds=60) == 0
    assert Budgets.get().remaining == 1


def test_a_late_answer_does_not_give_requests_back() -> None:
    Budgets.claim("s", requests=25, seconds=60)
    known = {"requests": 25, "window_seconds": 60, "reset_seconds": 60}
    Budgets.correct("s", remaining=3, **known)

    Budgets.correct("s", remaining=20, **known)

    assert Budgets.get().remaining == 3


def test_a_shorter_pause_does_not_replace_a_longer_one() -> None:
    Budgets.claim("s", requests=25, seconds=60)
    Budgets.pause("s", seconds=100)

    Budgets.pause("s", seconds=1)

    assert 95 < Budgets.claim("s", requests=25, seconds=60) <= 100


@pytest.mark.parametrize("workers", [4])
def test_workers_never_take_more_requests_than_the_budget_has(workers: int) -> None:
    Budgets.claim("s", requests=10, seconds=3600)
    granted: list[float] = []
    start = threading.Barrier(workers)

    def work() -> None:
        start.wait()
        granted.extend(Budgets.claim("s", requests=10, seconds=3600) for _ in range(5))
        connection.close()

    _in_threads(work, workers)

    assert granted.count(0) == 9
    assert len(granted) == 20


def _in_threads(work: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
