"""Errors as a client sees them, and as they are logged."""

import io
import json
import logging
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404
from django.test import Client, RequestFactory

from marketdata.common.logs import LinesOfRefusals
from marketdata.web import error_pages

pytestmark = pytest.mark.django_db
TOKENS = "/api/v1/auth/token/"
INTERNALS = (
    "Resolver404",
    "Traceback",
    "URLPattern",
    "/work/",
    "site-packages",
    "matches the given",
)


@pytest.fixture
def site(anonymous_reading: None) -> Client:
    return Client(raise_request_exception=False)


def post(site: Client, body: str | bytes) -> Any:
    return site.post(TOKENS, body, content_type="application/json")


def check_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content)
    assert problem["status"] == status
    assert not any(internal in problem["detail"] for internal in INTERNALS)
    return problem


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('"' + "a" * 3_000_000 + '"', 413),
        ("[" * 1_000, 400),
        ("[" * 500_000, 400),
        ("{", 400),
        (b"\xff\xfe", 400),
        ("null", 400),
        ("[]", 400),
        ('{"username": {"a": 1}, "password": []}', 400),
    ],
)
def test_hostile_bodies_are_answered_by_a_problem(
    site: Client, body: str | bytes, status: int
) -> None:
    check_problem(post(site, body), status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("options", "/api/docs/", 405),
        ("post", "/api/docs/", 405),
        ("options", "/api/redoc/", 405),
        ("post", "/api/schema/", 405),
        ("get", "/api/nothing/", 404),
        ("get", "/api/v1/nothing/", 404),
        ("get", "/api/v1/reconciliations/abc/differences/", 404),
        ("get", "/api/v1/reconciliations/1/differences/", 404),
        ("get", "/api/v1/venues/?format=xml", 400),
        ("put", "/api/v1/venues/", 405),
        ("get", "/api/v1/users/", 401),
    ],
)
def test_errors_of_the_api_are_problems(site: Client, method: str, path: str, status: int) -> None:
    check_problem(getattr(site, method)(path), status)


def test_a_host_that_is_not_ours_is_refused_by_a_problem(site: Client) -> None:
    check_problem(site.get("/api/v1/venues/", headers={"host": "attacker.example"}), 400)


@pytest.mark.parametrize("accept", ["application/xml", "text/csv", "image/png"])
def test_a_media_type_that_is_not_available_is_refused(site: Client, accept: str) -> None:
    check_problem(site.get("/api/v1/venues/", headers={"accept": accept}), 406)


def test_a_client_may_ask_for_problems(site: Client) -> None:
    headers = {"accept": "application/problem+json"}

    check_problem(site.get("/api/v1/venues/?nonsense=1", headers=headers), 400)
    assert site.get("/api/v1/venues/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nothing/", 404, "There is nothing at this address."),
        ("/apix/", 404, "There is nothing at this address."),
        ("/instruments/%00/", 404, ""),
        ("/instruments/%ff%fe/", 404, ""),
        ("/sign-in/entra/", 404, "not configured"),
    ],
)
def test_errors_of_pages_are_pages_without_internals(
    site: Client, path: str, status: int, text: str
) -> None:
    response = site.get(path)

    page = response.content.decode()
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert "MarketData" in page
    assert text in page
    assert not any(internal in page for internal in INTERNALS)


def test_a_documentation_page_that_may_not_be_read_is_a_page(settings: LazySettings) -> None:
    settings.ANONYMOUS_READ = False

    response = Client().get("/api/docs/", headers={"accept": "text/html"})

    assert response.status_code == 401
    assert b"<h1>Unauthorized</h1>" in response.content


def test_a_form_that_is_too_large_is_refused(site: Client) -> None:
    response = site.post("/sign-in/", {"username": "a" * 3_000_000})

    assert response.status_code == 413
    assert b"at most 1,000,000 bytes are accepted." in response.content


def test_a_form_without_its_token_is_refused() -> None:
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {})

    assert response.status_code == 403
    assert b"reload the page" in response.content


@pytest.mark.parametrize("path", ["/", "/api/v1/venues/"])
def test_an_unexpected_error_shows_nothing_of_its_cause(path: str) -> None:
    response = error_pages.server_error(RequestFactory().get(path))

    assert response.status_code == 500
    assert b"has been logged" in response.content


@pytest.mark.parametrize(
    ("path", "again"), [("//evil.example/", "/%2Fevil.example/"), ("/venues/", "/venues/")]
)
def test_an_error_page_leads_back_to_this_host(path: str, again: str) -> None:
    request = RequestFactory().get("/", PATH_INFO=path)

    assert f'href="{again}">Try again' in error_pages.server_error(request).content.decode()


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*", ""])
def test_a_browser_gets_a_page_for_an_error_of_the_api(accept: str) -> None:
    request = RequestFactory().get("/api/v1/venues/", headers={"accept": accept})

    response = error_pages.server_error(request)

    is_page = response.headers["Content-Type"].startswith("text/html")
    assert is_page == accept.startswith("text/html")
    assert ("Try again" in response.content.decode()) == is_page


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Http404("No such thing."), "No such thing."),
        (Http404(), "There is nothing at this address."),
        (Http404("No User matches the given query."), "There is nothing at this address."),
        (ValueError("secret"), "There is nothing at this address."),
    ],
)
def test_only_messages_of_our_own_are_shown(error: Exception, message: str) -> None:
    assert error_pages.get_not_found_message(error) == message


def test_an_expected_refusal_is_one_line_in_the_log(site: Client) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(LinesOfRefusals())
    logging.getLogger("django").addHandler(handler)
    try:
        for send in (
            lambda: post(site, '"' + "a" * 3_000_000 + '"'),
            lambda: site.get("/", headers={"host": "attacker.example"}),
            lambda: site.get("/nothing/"),
            lambda: site.get("/api/v1/users/"),
            lambda: site.post("/sign-in/", {"username": "a" * 3_000_000}),
        ):
            before = len(stream.getvalue().splitlines())
            send()
            assert len(stream.getvalue().splitlines()) == before + 1
    finally:
        logging.getLogger("django").removeHandler(handler)
    assert "Traceback" not in stream.getvalue()
    assert all(line.startswith("WARNING ") for line in stream.getvalue().splitlines())


@pytest.mark.parametrize(
    ("name", "status", "level"),
    [
        ("django.request", 503, "WARNING"),
        ("django.security.RequestDataTooBig", 400, "WARNING"),
        ("django.request", 500, "ERROR"),
    ],
)
def test_only_unexpected_errors_are_logged_as_errors(name: str, status: int, level: str) -> None:
    record = logging.LogRecord(name, logging.ERROR, "", 1, "", (), None)
    record.status_code = status

    assert LinesOfRefusals().filter(record)
    assert record.levelname == level
    assert record.levelno == logging.getLevelNamesMapping()[level]


def test_an_unexpected_error_keeps_its_traceback() -> None:
    record = logging.LogRecord("django.request", logging.ERROR, "", 1, "", (), None)
    error = ValueError()
    record.exc_info = (ValueError, error, None)
    record.status_code = 500

    assert LinesOfRefusals().filter(record)
    assert record.exc_info is not None


def test_only_configured_origins_may_read_answers(site: Client, settings: LazySettings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]

    ours = site.get("/api/v1/venues/", headers={"origin": "https://app.example"})
    preflight = site.options(
        "/api/v1/venues/",
        headers={"origin": "https://app.example", "access-control-request-method": "GET"},
    )
    other = site.get("/api/v1/venues/", headers={"origin": "https://other.example"})
    page = site.get("/", headers={"origin": "https://app.example"})

    assert ours.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "RateLimit-Limit" in ours.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in ours.headers
    assert preflight.status_code == 200
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Origin" not in page.headers


def test_a_suspicious_request_is_refused_without_its_reason() -> None:
    request = RequestFactory().get("/")

    response = error_pages.bad_request(request, SuspiciousOperation("path /etc/passwd"))

    assert response.status_code == 400
    assert b"passwd" not in response.content
