"""Every address of the service has a rule."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from marketdata.api.permissions import rule_of
from marketdata.common.access import PUBLIC, Rule
from tests.accounts.people import signed_in

# Pages of libraries that anybody may see, for they are the way in or lead to a page with a rule.
OPEN = {
    "admin/login/",
    "admin/logout/",
    "api/auth/login/",
    "api/auth/logout/",
    "api/",  # to the docs
    "sign-in/",
    "sign-in/entra/",
    "sign-in/entra/callback/",
    "sign-out/",  # for who is signed in or not, and by POST only
}
# Endpoints that say PUBLIC: to get a token one cannot have one.
WAYS_IN = {"api/v1/auth/token/", "api/v1/auth/refresh/", "api/v1/auth/logout/"}
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
    """The rule of each method that an address of ours has; raises where there is none."""
    callback: Any = ADDRESSES[route].callback
    if hasattr(callback, "cls"):
        view = callback.cls(**callback.initkwargs)
        view.action_map = getattr(callback, "actions", None) or {}
        for method, action in view.action_map.items():
            setattr(view, method, getattr(view, action))
        found = {method: rule_of(view, method.upper()) for method in METHODS}
        return {method: rule for method, rule in found.items() if rule is not None}
    needs = callback.view_class.needs
    assert isinstance(needs, Rule)
    return dict.fromkeys(("get",), needs)


def test_the_walk_finds_the_pages_the_api_and_the_admin() -> None:
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
    assert set(ADDRESSES) >= OPEN | WAYS_IN


# Pages of Django's own, behind its own sign-in.
BEHIND = {"password/"}
# Django's admin asks for staff, and for permissions model by model: the next test knocks there too.
OURS = sorted(route for route in set(ADDRESSES) - OPEN - BEHIND if not route.startswith("admin/"))


@pytest.mark.parametrize("route", OURS)
def test_every_address_says_what_it_needs(route: str) -> None:
    found = rules(route)

    assert found
    for rule in found.values():
        assert rule != PUBLIC or route in WAYS_IN | {"api/(?P<path>.*)"}


@pytest.mark.django_db
@pytest.mark.parametrize("route", sorted(set(ADDRESSES) - OPEN))
def test_nobody_unknown_gets_in_anywhere(client: Client, route: str) -> None:
    path = "/" + re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]+>", "1", route)
    for method in METHODS:
        response = getattr(client, method)(path)
        if route in WAYS_IN:
            assert response.status_code in (405, 415), method  # there is something to say in JSON
        elif response.status_code == 302:
            door = "/admin/login/" if route.startswith("admin/") else "/sign-in/"
            assert response.headers["Location"].startswith(f"{door}?next=")
        else:
            assert response.status_code in (401, 403, 404, 405), method
            if route.startswith("api/v1/") and response.status_code == 404:
                assert "no such path" in response.json()["detail"]


@pytest.mark.usefixtures("anonymous_reading")
@pytest.mark.django_db
def test_the_schema_tells_the_rule_of_every_operation(client: Client) -> None:
    schema = client.get("/api/schema/", {"format": "json"}).json()
    ways = schema["components"]["securitySchemes"]
    assert {name: way["type"] for name, way in ways.items()} == {
        "bearer": "http",
        "apiKey": "apiKey",
        "cookieAuth": "apiKey",
    }
    paths = schema["paths"]

    def ways_into(path: str, method: str = "get") -> list[str]:
        found = paths[f"/api/v1{path}"][method].get("security", [])
        return [name for way in found for name in way or ["nobody"]]

    assert ways_into("/instruments/") == ["bearer", "apiKey", "cookieAuth", "nobody"]
    assert ways_into("/audit/") == ["bearer", "apiKey", "cookieAuth"]
    assert ways_into("/users/", "post") == ["bearer", "cookieAuth"], "no key does this"
    assert ways_into("/auth/token/", "post") == []
    assert "`accounts.add_user`" in paths["/api/v1/users/"]["post"]["description"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            said = set(operation["responses"])
            assert "429" in said, (path, method)
            assert {"401", "403"} <= said or path.startswith("/api/v1/auth/"), (path, method)


@pytest.mark.django_db
def test_a_role_opens_what_its_permissions_open_and_nothing_else() -> None:
    """Every rule with a permission, asked with GET by every role: who lacks it gets 403."""
    asked = 0
    for role in ("viewer", "analyst", "curator", "admin"):
        ask = signed_in(role, role)
        held = ask("get", "/auth/me/").json()["permissions"]
        for route in ADDRESSES:
            if not route.startswith("api/v1/") or "(?P" in route or "<" in route:
                continue
            rule = rules(route).get("get")
            if rule is None or not rule.permission:
                continue
            status = ask("get", route.removeprefix("api/v1")).status_code
            assert (status == 200) == (rule.permission in held), (role, route)
            assert status in (200, 403)
            asked += 1
    assert asked > 20
