"""Answers that are kept until their data change."""

import datetime as dt
import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from instruments import api_cache
from instruments.api_cache import CachedAnswers
from instruments.models import DataSubject, DataVersion, Venue
from instruments.venues import load as venues
from marketdata.web.access import PUBLIC
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

LIST = "/api/v1/instruments/"
DETAIL = f"{LIST}{VOLVO}/"
pytestmark = [
    pytest.mark.usefixtures("anonymous_reading"),
    pytest.mark.django_db(transaction=True),
]


def record(name: str, *, published: int = 1) -> str:
    return firds.record("RefData", VOLVO, "XSTO", name=name, period=day(published))


def load_name(make_zip: Write, name: str, *, file_day: int = 2) -> None:
    load(make_zip, full(file_day), record(name, published=file_day))


@pytest.mark.sqlite
@pytest.mark.parametrize("address", [LIST, DETAIL, f"{DETAIL}listings/", f"{LIST}?q=volvo"])
def test_an_answer_is_given_again_without_a_query(
    client: Client, make_zip: Write, address: str
) -> None:
    load_name(make_zip, "Volvo")
    first = client.get(address)
    with CaptureQueriesContext(connection) as queries:
        again = client.get(address)
        unchanged = client.get(address, headers={"if-none-match": first.headers["ETag"]})

    assert first.status_code == again.status_code == 200
    assert (first.content, first.headers["ETag"]) == (again.content, again.headers["ETag"])
    assert first.headers["Content-Type"] == again.headers["Content-Type"]
    assert first.headers["Vary"] == again.headers["Vary"]
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert len(queries) == 0


def test_links_and_head_requests_are_answered_from_kept_answers_too(
    client: Client, make_zip: Write
) -> None:
    load(make_zip, full(2), record("Volvo"), firds.record("RefData", "SE0000108656", "XSTO"))
    address = f"{LIST}?per_page=1"
    first, again, head = client.get(address), client.get(address), client.head(address)

    assert 'rel="next"' in first.headers["Link"]
    assert first.headers["Link"] == again.headers["Link"] == head.headers["Link"]
    assert (head.status_code, head.content) == (200, b"")


def test_a_load_replaces_the_answers_that_it_changes(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    first = {address: client.get(address) for address in (LIST, DETAIL)}
    load_name(make_zip, "Volvo B", file_day=9)

    for address, before in first.items():
        after = client.get(address, headers={"if-none-match": before.headers["ETag"]})
        assert after.status_code == 200
        assert b"Volvo B" in after.content


@pytest.mark.slow
def test_a_list_of_venues_replaces_the_answers_that_name_them(
    client: Client, make_zip: Write
) -> None:
    load_name(make_zip, "Volvo")
    assert client.get(DETAIL).json()["listings"][0]["venue_name"] is None

    venues.load(venues.BUNDLED.read_bytes(), name="ISO10383_MIC.csv")

    assert client.get(DETAIL).json()["listings"][0]["venue_name"] == "NASDAQ STOCKHOLM AB"


@pytest.mark.sqlite
def test_data_that_an_answer_is_not_made_from_leave_it_alone(
    client: Client, make_zip: Write
) -> None:
    load_name(make_zip, "Volvo")
    client.get(DETAIL)
    DataVersion.objects.renew(DataSubject.RESULTS)
    with CaptureQueriesContext(connection) as queries:
        client.get(DETAIL)

    # The versions alone are read again.
    assert [query["sql"].partition(" ORDER")[0] for query in queries] == [
        'SELECT "instruments_dataversion"."subject", "instruments_dataversion"."version", '
        '"instruments_dataversion"."changed_at" FROM "instruments_dataversion"'
    ]


def test_errors_are_not_kept(client: Client, make_zip: Write) -> None:
    assert client.get(DETAIL).status_code == 404
    assert client.get(f"{LIST}?category=?").status_code == 400
    load_name(make_zip, "Volvo")
    assert client.get(DETAIL).status_code == 200


def test_nothing_is_kept_within_a_transaction(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    with transaction.atomic():
        Venue.objects.create(mic="XSTO", name="First", country="SE")
        assert client.get(DETAIL).json()["listings"][0]["venue_name"] == "First"
        Venue.objects.update(name="Second")
        assert client.get(DETAIL).json()["listings"][0]["venue_name"] == "Second"


def test_the_time_of_the_last_change_is_told_when_no_other_can_have_the_same(
    client: Client, make_zip: Write
) -> None:
    load_name(make_zip, "Volvo")
    DataVersion.objects.update(changed_at=timezone.now() + dt.timedelta(hours=1))
    assert "Last-Modified" not in client.get(DETAIL).headers
    DataVersion.objects.update(changed_at=timezone.now() - dt.timedelta(days=3))

    # Not before the last midnight, at which the status of an instrument may have changed.
    days = [timezone.now().date()]
    modified = client.get(DETAIL).headers["Last-Modified"]
    days.append(timezone.now().date())
    assert modified in [f"{day:%a, %d %b %Y} 00:00:00 GMT" for day in days]
    tomorrow = f"{days[1] + dt.timedelta(days=1):%a, %d %b %Y} 00:00:00 GMT"
    unchanged = client.get(DETAIL, headers={"if-modified-since": tomorrow})
    assert unchanged.status_code == 304


class _SlowView(CachedAnswers):
    """A view that counts how often it makes its answer."""

    needs = {"GET": PUBLIC}
    answers_from = {"GET": [DataSubject.LISTINGS]}
    made: list[float] = []
    may_end = threading.Event()

    def get(self, request: Request) -> Response:
        self.made.append(time.monotonic())
        self.may_end.wait(timeout=300)
        return Response({"made": len(self.made)})


def test_an_answer_that_many_ask_for_at_once_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_cache, "_WAIT_SECONDS", 600)  # a busy machine is no reason to fail
    _SlowView.made.clear()
    view, started = _SlowView.as_view(), threading.Barrier(5)
    answers: list[bytes] = []

    def ask() -> None:
        started.wait(timeout=300)
        request: Any = APIRequestFactory(headers={"host": "localhost"}).get("/slow/")
        response = view(request)
        if hasattr(response, "render"):
            response.render()
        answers.append(response.content)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait(timeout=300)
    while not _SlowView.made:
        time.sleep(0.01)
    _SlowView.may_end.set()
    for thread in threads:
        thread.join(timeout=300)

    assert set(answers) == {b'{"made":1}'}
    assert len(answers) == 4
