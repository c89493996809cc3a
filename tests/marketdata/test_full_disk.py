"""Requests while the disk of the database is full."""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.client import MULTIPART_CONTENT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.fixture
def full_database() -> Iterator[None]:
    """Let the database take no more pages than it has, as on a full disk."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA max_page_count = 1")  # SQLite takes the number of pages that it has
        yield
        cursor.execute("PRAGMA max_page_count = 1073741823")


def fail_to_sign_in(path: str) -> Any:
    """Return the first answer that is not about the password: each refusal is stored."""
    client = Client(raise_request_exception=False)
    for number in itertools.count():
        body = {"username": f"{number}" * 30, "password": "x" * 30}
        content_type = "application/json" if path.startswith("/api/") else MULTIPART_CONTENT
        response = client.post(path, body, content_type=content_type)
        if response.status_code not in (200, 401):
            return response


@pytest.mark.usefixtures("full_database")
@pytest.mark.parametrize("path", ["/sign-in/", "/api/v1/auth/token/"])
def test_a_request_that_cannot_be_stored_says_so(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = fail_to_sign_in(path)

    assert response.status_code == 503
    assert "A disk of the service is full, so nothing was stored." in response.content.decode()
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"A request could not be stored: {path}: database or disk")
    assert " are free now. Free some space there" in line.getMessage()
    assert Client().get("/sign-in/").status_code == 200
