"""Requests at a time: a client with several open requests is refused, and others are not."""

import threading
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from marketdata import urls
from tests.accounts.clients import client_of_new_user

pytestmark = pytest.mark.django_db(transaction=True)


class Door:
    """A page that answers when it is let go."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.entered.release()
        assert self.open.wait(20)
        return HttpResponse("done")


door = Door()
urlpatterns = [path("door/", door), *urls.urlpatterns]


def test_an_address_with_too_many_requests_is_refused_and_another_is_not(
    settings: LazySettings, anonymous_reading: None
) -> None:
    settings.ROOT_URLCONF = __name__
    settings.REQUESTS_AT_A_TIME = 2
    statuses: list[int] = []
    client = Client(REMOTE_ADDR="192.0.2.8")
    threads = [
        threading.Thread(target=lambda: statuses.append(client.get("/door/").status_code))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    try:
        assert all(door.entered.acquire(timeout=20) for _ in threads)
        refused = client.get("/api/v1/")
        other = Client().get("/api/v1/", REMOTE_ADDR="192.0.2.7")
    finally:
        door.open.set()
        for thread in threads:
            thread.join()

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert other.status_code == 200
    assert statuses == [200, 200]
    assert client.get("/api/v1/").status_code == 200


@pytest.mark.slow
def test_a_user_has_two_exports_at_a_time_from_any_address(real_instruments: None) -> None:
    analyst, other = client_of_new_user("anna", "analyst"), client_of_new_user("otto", "analyst")
    running: list[Any] = [analyst("get", "/instruments/export/") for _ in range(2)]
    assert [response.status_code for response in running] == [200, 200]

    refused = analyst("get", "/instruments/export/")

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert other("get", "/instruments/export/").status_code == 200
    assert b"".join(running.pop().streaming_content).startswith(b"isin,")
    again = analyst("get", "/instruments/export/")
    assert again.status_code == 200
    for response in (*running, again):
        response.close()
