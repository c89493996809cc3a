"""The access rule of every address of the service."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from marketdata.api.permissions import get_rule
from marketdata.web.access import PUBLIC, Rule
from tests.accounts.clients import client_of_new_user

# Public pages of libraries: they serve to sign in or out, or redirect to a page with a rule.
OPEN = {
    "admin/login/",
    "admin/logout/",
    "api/auth/login/",
    "api/auth/logout/",
    "api/",  # redirects to the documentation
    "sign-in/",
    "sign-in/entra/",
    "sign-in/entra/callback/",
    "sign-out/",  # by POST only
}
# Public endpoints for clients that have no token yet.
TOKEN_ENDPOINTS = {"api/v1/auth/token/", "api/v1/auth/refresh/", "api/v1/auth/logout/"}
# Public for monitors; anonymous callers see no details (tests/monitoring/test_health.py).
HEALTH_ENDPOINTS = {"health", "health/"}
METHODS = ("get", "post", "put", "patch", "delete")


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern).removeprefix("^")
        if isinstance(entry, URLResolver):
            yield from addresses(entry, route)
        else:
            yield route.removesuffix("$").removesuffix("\\Z"), entry


ADDRESSES = dict(addresses(get_resolver()))


def rules(route: str) -> dict[str, Rule]:
    """Return the rule of each method of one of our addresses. Raises if a method has none."""
    callback: Any = ADDRESSES[route].callback
    if hasattr(callback, "cls"):
        view = callback.cls(**callback.initkwargs)
        view.action_map = getattr(callback, "actions", None) or {}
        for method, action in view.action_map.items():
            setattr(view, method, getattr(view, action))
        by_method = {method: get_rule(view, method.upper()) for method in METHODS}
        return {method: rule for method, rule in by_method.items() if rule is not None}
    needs = callback.view_class.needs
    assert isinstance(needs, Rule)
    return dict.fromkeys(("get",), needs)


def test_addresses_include_pages_api_and_admin() -> None:
    for expected in (
        "",
        "instruments/<str:isin>/",
        "api/schema/",
        "api/v1/stats/",
        "api/v1/users/",
        "api/v1/audit/export/",
        "admin/accounts/user/",
        "api/(?P<path>.*)",
    ):
        assert expected in ADDRESSES
    assert set(ADDRESSES) >= OPEN | TOKEN_ENDPOINTS


# Pages of Django's that require signing in by themselves.
LOGIN_REQUIRED = {"password/"}
# Django's admin checks permissions itself; test_anonymous_requests_are_refused_everywhere covers it.
OURS = sorted(
    route for route in set(ADDRESSES) - OPEN - LOGIN_REQUIRED if not route.startswith("admin/")
)


@pytest.mark.parametrize("route", OURS)
def test_every_address_has_a_rule(route: str) -> None:
    by_method = rules(route)

    assert by_method
    for rule in by_method.values():
        assert rule != PUBLIC or route in TOKEN_ENDPOINTS | HEALTH_ENDPOINTS | {"api/(?P<path>.*)"}


@pytest.mark.django_db
@pytest.mark.parametrize("route", sorted(set(ADDRESSES) - OPEN))
def test_anonymous_requests_are_refused_everywhere(client: Client, route: str) -> None:
    path = "/" + re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]+>", "1", route)
    for method in METHODS:
        response = getattr(client, method)(path)
        if route in TOKEN_ENDPOINTS:
            assert response.status_code in (405, 415), method  # the body is missing
        elif route in HEALTH_ENDPOINTS:
            assert response.status_code in (503, 200, 405), method
        elif response.status_code == 302:
            sign_in = "/admin/login/" if route.startswith("admin/") else "/sign-in/"
            assert response.headers["Location"].startswith(f"{sign_in}?next=")
        else:
            assert response.status_code in (401, 403, 404, 405), method
            if route.startswith("api/v1/") and response.status_code == 404:
                assert "no such path" in response.json()["detail"]


@pytest.mark.usefixtures("anonymous_reading")
@pytest.mark.django_db
def test_the_schema_documents_the_rule_of_every_operation(client: Client) -> None:
    schema = client.get("/api/schema/", {"format": "json"}).json()
    schemes = schema["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {
        "bearer": "http",
        "apiKey": "apiKey",
        "cookieAuth": "apiKey",
    }
    paths = schema["paths"]

    def security_of(path: str, method: str = "get") -> list[str]:
        requirements = paths[f"/api/v1{path}"][method].get("security", [])
        return [name for schemes in requirements for name in schemes or ["anonymous"]]

    assert security_of("/instruments/") == ["bearer", "apiKey", "cookieAuth", "anonymous"]
    assert security_of("/audit/") == ["bearer", "apiKey", "cookieAuth"]
    assert security_of("/users/", "post") == ["bearer", "cookieAuth"], (
        "not available with an API key"
    )
    assert security_of("/auth/token/", "post") == []
    assert "`accounts.add_user`" in paths["/api/v1/users/"]["post"]["description"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            statuses = set(operation["responses"])
            assert "429" in statuses, (path, method)
            is_public = path.startswith(("/api/v1/auth/", "/health"))
            assert {"401", "403"} <= statuses or is_public, (path, method)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_role_can_get_exactly_what_its_permissions_allow() -> None:
    """Every role sends GET to every address whose rule has a permission; without it the answer is 403."""
    requests = 0
    for role in ("viewer", "analyst", "curator", "admin"):
        client = client_of_new_user(role, role)
        held = client("get", "/auth/me/").json()["permissions"]
        for route in ADDRESSES:
            if not route.startswith("api/v1/") or "(?P" in route or "<" in route:
                continue
            rule = rules(route).get("get")
            if rule is None or not rule.permission:
                continue
            response = client("get", route.removeprefix("api/v1"))
            list(response)  # so that an export does not stay open
            status = response.status_code
            assert (status == 200) == (rule.permission in held), (role, route)
            assert status in (200, 403)
            requests += 1
    assert requests > 20
