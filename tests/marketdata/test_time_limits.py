"""Time limits of requests, by statements that take much longer than the limit."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import urls
from marketdata.api.views import ApiView
from marketdata.web import time_limits
from marketdata.web.access import PUBLIC

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
# Minutes of work: the limit ends it.
ENDLESS = """
WITH RECURSIVE numbers (number) AS
(SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 100000000000)
"""
COUNTING = f"{ENDLESS} SELECT count(*) FROM numbers"
# The first row comes at once, and the next one only after minutes.
READING = f"{ENDLESS} SELECT number FROM numbers WHERE number IN (1, 100000000000)"


def fetch(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def count_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(fetch(COUNTING)))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"first\n"
        fetch(COUNTING)
        yield b"last\n"

    return StreamingHttpResponse(parts())


def repeat(request: HttpRequest) -> HttpResponse:
    while True:
        fetch("SELECT 1")


def write_page(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        fetch("SELECT 1")
    return HttpResponse("written")


class CountView(ApiView):
    needs = {"GET": PUBLIC}
    schema = None

    def get(self, request: Request) -> Response:
        return Response(fetch(READING))


urlpatterns = [
    path("count/", count_page),
    path("stream/", stream),
    path("repeat/", repeat),
    path("write/", write_page),
    path("api/v1/count/", CountView.as_view()),
    *urls.urlpatterns,
]


@pytest.fixture
def site(settings: LazySettings, anonymous_reading: None) -> Client:
    settings.ROOT_URLCONF = __name__
    settings.REQUEST_TIMEOUT_SECONDS = settings.EXPORT_TIMEOUT_SECONDS = 1
    return Client()


def test_a_slow_statement_of_a_page_is_stopped_and_answered_by_503(site: Client) -> None:
    response = site.get("/count/")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert "time limit" in response.content.decode()


def test_a_slow_statement_of_the_api_is_answered_by_a_problem(site: Client) -> None:
    response = site.get("/api/v1/count/")

    problem = json.loads(response.content)
    assert (response.status_code, problem["status"]) == (503, 503)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "30"
    assert problem["detail"] == time_limits.DETAIL


@pytest.mark.slow
def test_many_short_statements_are_limited_together(site: Client) -> None:
    assert site.get("/repeat/").status_code == 503


@pytest.mark.slow
def test_the_connection_is_usable_after_a_statement_was_stopped(site: Client) -> None:
    site.get("/count/")

    assert fetch("SELECT 7") == [(7,)]
    assert site.get("/write/").content == b"written"


@pytest.mark.slow
def test_a_stream_is_broken_off_at_the_part_that_takes_too_long(site: Client) -> None:
    parts = iter(site.get("/stream/").streaming_content)  # type: ignore[attr-defined]

    assert next(parts) == b"first\n"
    with pytest.raises(time_limits.TimeLimitExceeded):
        next(parts)


def test_waiting_for_another_writer_is_limited(site: Client) -> None:
    writer = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        assert site.get("/write/").status_code == 503
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    assert fetch("PRAGMA busy_timeout") == [(60_000,)]


@pytest.mark.slow
def test_statements_outside_of_requests_have_no_limit() -> None:
    assert time_limits.remaining_seconds() is None
    with time_limits.limit(1), pytest.raises(OperationalError):
        fetch(COUNTING)
    assert time_limits.remaining_seconds() is None


def test_another_thread_is_not_under_the_limit_of_this_one() -> None:
    remaining: list[float | None] = []
    with time_limits.limit(1):
        thread = threading.Thread(target=lambda: remaining.append(time_limits.remaining_seconds()))
        thread.start()
        thread.join()

    assert remaining == [None]


@pytest.mark.parametrize("sql", [COUNTING, READING])
def test_a_part_has_a_shorter_limit_and_the_rest_goes_on(sql: str) -> None:
    with time_limits.limit(60):
        with pytest.raises(time_limits.TimeLimitExceeded), time_limits.limit_part(0.1):
            fetch(sql)

        assert fetch("SELECT 1") == [(1,)]
        assert (time_limits.remaining_seconds() or 0) > 30


def test_a_part_never_extends_the_limit_around_it() -> None:
    with time_limits.limit(0.1):
        with pytest.raises(time_limits.TimeLimitExceeded), time_limits.limit_part(60):
            fetch(COUNTING)
        with pytest.raises(time_limits.TimeLimitExceeded):
            fetch("SELECT 1")
