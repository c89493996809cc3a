"""Security headers of every kind of response."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client

from accounts.models import User
from marketdata.web.csp import CSP, ContentSecurityPolicyMiddleware, Policy, build_policy
from marketdata.web.headers import HEADERS
from marketdata.web.time_limits import TimeLimitExceeded
from tests.accounts.test_access_rules import ADDRESSES

pytestmark = pytest.mark.django_db
HTML = {"accept": "text/html"}


@pytest.fixture
def site(settings: LazySettings, anonymous_reading: None) -> Client:
    """A client of a site that has one collected static file."""
    style = Path(settings.STATIC_ROOT) / "css" / "site.css"
    style.parent.mkdir()
    style.write_text("body {}")
    return Client(raise_request_exception=False)


def check(response: Any, status: int) -> None:
    assert response.status_code == status
    check_headers(response)


def check_headers(response: Any) -> None:
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name, value in HEADERS.items():
        assert response.headers[name] == value, name
    assert "Server" not in response.headers
    response.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("get", "/", HTML, 200),
        ("get", "/sign-in/", HTML, 200),
        ("get", "/static/css/site.css", {}, 200),
        ("get", "/static/css/none.css", {}, 404),
        ("get", "/health/live/", {}, 200),
        ("get", "/nothing/", HTML, 404),
        ("get", "/admin/", HTML, 302),
        ("get", "/admin/login/", HTML, 200),
        ("get", "/api/", HTML, 302),
        ("get", "/api/docs/", HTML, 200),
        ("get", "/api/docs/?script=", {}, 200),
        ("get", "/api/redoc/", HTML, 200),
        ("get", "/api/schema/", {}, 200),
        ("get", "/api/auth/login/", HTML, 200),
        ("get", "/api/nothing/", {}, 404),
        ("get", "/api/v1/", {}, 200),
        ("get", "/api/v1/", HTML, 200),
        ("get", "/api/v1/venues/", {}, 200),
        ("get", "/api/v1/venues/?page=x", {}, 400),
        ("get", "/api/v1/venues/?nonsense=1", {}, 400),
        ("get", "/api/v1/users/", {}, 401),
        ("post", "/api/v1/venues/", {}, 405),
        ("options", "/api/v1/venues/", {}, 200),
        ("head", "/api/v1/venues/", {}, 200),
        ("get", "/", {"host": "attacker.example"}, 400),
        ("get", "/?token=eyJ0", {}, 400),
        ("get", "/mcp/", {}, 405),
        ("get", "/metrics", {}, 401),
    ],
)
def test_every_response_has_the_headers(
    site: Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    check(getattr(site, method)(path, headers=headers), status)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, 200),
        ({"jsonrpc": "2.0", "method": "notifications/initialized"}, 202),
        ({"jsonrpc": "2.0", "id": 1, "method": "no such method"}, 200),
        ({"no": "message"}, 400),
        ("{", 400),
        ("x" * 1_100_000, 413),
    ],
)
def test_answers_to_assistants_have_the_headers(site: Client, message: Any, status: int) -> None:
    headers = {"accept": "application/json, text/event-stream"}

    check(site.post("/mcp/", message, content_type="application/json", headers=headers), status)


def test_answers_of_every_kind_of_refusal_have_the_headers(
    site: Client, settings: LazySettings
) -> None:
    check(Client(enforce_csrf_checks=True).post("/sign-in/", {}), 403)
    check(site.post("/sign-in/", {"username": "a" * 1_100_000}), 413)
    check(site.get("/api/v1/venues/", headers={"accept": "image/png"}), 406)
    check(site.get("/api/v1/instruments/export/?format=xml"), 400)
    preflight = {"origin": "https://other.example", "access-control-request-method": "GET"}
    check(site.options("/api/v1/venues/", headers=preflight), 200)
    settings.REQUESTS_AT_A_TIME = 0
    check(site.get("/"), 429)
    check(site.get("/api/v1/venues/"), 429)


@pytest.mark.parametrize(
    ("error", "status"), [(OSError("the disk is gone"), 500), (TimeLimitExceeded(), 503)]
)
@pytest.mark.parametrize("path", ["/venues/", "/api/v1/venues/"])
def test_answers_that_fail_have_the_headers(
    site: Client, path: str, error: Exception, status: int
) -> None:
    def fail(execute: Any, *arguments: Any) -> Any:
        raise error

    with connection.execute_wrapper(fail):
        check(site.get(path, headers=HTML), status)


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/"])
def test_admin_pages_have_the_headers(site: Client, path: str) -> None:
    site.force_login(User.objects.create_superuser("root", password="long enough for a test"))

    check(site.get(path), 200)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_address_of_the_service_has_the_headers(site: Client) -> None:
    """Ask each address as an administrator, so that its view answers: with a row, an empty list or 404."""
    site.force_login(User.objects.create_superuser("root", password="long enough for a test"))
    statuses = {}
    for route in ADDRESSES:
        path = "/" + re.sub(r"<[^>]+>|\(\?P<\w+>[^()]*\)", "1", route).replace("\\", "")
        response = site.get(path)
        statuses[path] = response.status_code
        check_headers(response)

    answered = {path for path, status in statuses.items() if status == 200}
    assert len(statuses) > 200
    assert {"/watchlists/", "/notes/", "/problems/", "/api/v1/watchlists/", "/admin/"} <= answered
    errors = {path for path, status in statuses.items() if status >= 500}
    assert errors <= {
        "/health",
        "/health/",
        "/health/ready/",
    }  # nothing runs that they could find healthy


def test_a_redirect_to_https_has_the_headers(site: Client, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    check(Client().get("/"), 301)


def test_only_redoc_may_add_styles_and_only_with_a_new_nonce(site: Client) -> None:
    policies = [
        site.get("/api/redoc/", headers=HTML).headers["Content-Security-Policy"] for _ in range(2)
    ]

    assert all("style-src 'self' 'nonce-" in policy for policy in policies)
    assert policies[0] != policies[1]
    assert "nonce" not in site.get("/").headers["Content-Security-Policy"]


def test_nothing_on_the_documentation_pages_is_inline_or_from_another_host(site: Client) -> None:
    for path in ("/api/docs/", "/api/redoc/", "/api/v1/venues/", "/sign-in/", "/"):
        page = site.get(path, headers=HTML).content.decode()

        assert "<style" not in page
        assert ' style="' not in page
        assert 'src="http' not in page
        assert '<link rel="stylesheet" href="http' not in page
        assert "fonts.g" not in page


def test_a_nonce_that_no_template_uses_is_not_in_the_policy(settings: LazySettings) -> None:
    settings.SECURE_CSP = {"script-src": [CSP.SELF, CSP.NONCE]}

    unused = ContentSecurityPolicyMiddleware(lambda request: HttpResponse())(HttpRequest())
    used = ContentSecurityPolicyMiddleware(
        lambda request: HttpResponse(str(request._csp_nonce))  # type: ignore[attr-defined]
    )(HttpRequest())

    assert unused.headers["Content-Security-Policy"] == "script-src 'self'"
    nonce = used.content.decode()
    assert used.headers["Content-Security-Policy"] == f"script-src 'self' 'nonce-{nonce}'"


def test_a_policy_is_written_as_the_header_has_it() -> None:
    policy: Policy = {"default-src": [CSP.NONE], "img-src": [CSP.SELF, "data:"]}

    assert build_policy(policy) == "default-src 'none'; img-src 'self' data:"
