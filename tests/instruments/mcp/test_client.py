"""The Model Context Protocol, as its official client and clients by hand use it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx2
import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.core.management import call_command
from django.test import Client
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from pytest_django.live_server_helper import LiveServer

from accounts import api_keys
from instruments import pipeline
from instruments.mcp.tools import TOOLS
from tests.accounts.clients import make_user
from tests.conftest import DATA, FIRDS
from tests.snapshots import Snapshots

BOND, LEI = "XS0107289323", "213800FERQ5LE3H7WJ58"
SHARE_WITH_RESULTS = "BEEN20114540"
pytestmark = pytest.mark.django_db(transaction=True)


def fill() -> None:
    call_command("load_venues", verbosity=0)
    files = [FIRDS / "FULINS_D_20250830_01of01.zip", DATA / "fitrs", DATA / "gleif"]
    for loaded in pipeline.load(pipeline.register_files(files, excerpt=True)):
        assert loaded.error is None


@pytest.fixture(autouse=True)
def filled(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    snapshots.provide("mcp", fill)


def use(
    server: LiveServer, ask: Callable[[McpClient], Awaitable[Any]], *, mode: str, key: str = ""
) -> Any:
    """Return the answer to what a client of the official library asks."""

    async def run() -> Any:
        headers = {"Authorization": f"Api-Key {key}"} if key else {}
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(f"{server.url}/mcp/", http_client=http)
            async with McpClient(transport, mode=mode) as client:
                return await ask(client)

    return anyio.run(run)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_client_gets_an_answer_from_every_tool(server: LiveServer, mode: str) -> None:
    calls: dict[str, dict[str, Any]] = {
        "search": {"q": "thames", "category": "d", "limit": 5},
        "instrument": {"isin": BOND},
        "reportability": {"isin": BOND, "on": "2025-06-30"},
        "transparency": {"isin": SHARE_WITH_RESULTS},
        "entity": {"lei": LEI},
        "dossier": {"isin": BOND, "on": "2025-09-09"},
    }

    async def ask(client: McpClient) -> Any:
        listed = await client.list_tools()
        return listed, {name: await client.call_tool(name, calls[name]) for name in calls}

    listed, results = use(server, ask, mode=mode)

    assert {tool.name for tool in listed.tools} == set(calls) == set(TOOLS)
    assert all(tool.annotations.read_only_hint for tool in listed.tools)
    assert {name: result.is_error for name, result in results.items()} == dict.fromkeys(
        calls, False
    )
    answers = {name: result.structured_content for name, result in results.items()}
    for name, result in results.items():
        assert json.loads(result.content[0].text) == answers[name]
    assert [row["category"] for row in answers["search"]["results"]] == ["D"] * len(
        answers["search"]["results"]
    )
    assert answers["search"]["results"][0]["full_name"]
    assert answers["instrument"]["isin"] == answers["dossier"]["isin"] == BOND
    assert answers["reportability"]["on"] == "2025-06-30"
    assert answers["transparency"]["isin"] == SHARE_WITH_RESULTS
    assert answers["entity"]["lei"] == LEI
    assert answers["dossier"]["identity"]["sources"][0]["name"].startswith("FULINS_D")


def test_an_error_of_the_api_is_that_of_the_tool(server: LiveServer) -> None:
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("instrument", {"isin": "XS0107289324"}, "check digit"),
        ("instrument", {"isin": "changes"}, "Bad Request"),
        ("instrument", {"isin": f"{BOND}/listings"}, "slash"),
        ("instrument", {}, "'isin' is required"),
        ("instrument", {"isin": BOND, "as_off": "2025-01-01"}, "Did you mean 'as_of'?"),
        ("instrument", {"isin": BOND, "as_of": "yesterday"}, "as_of"),
        ("instrument", {"isin": ["a", 1]}, "neither a text nor a whole number"),
        ("search", {"limit": 101}, "from 1 to 100"),
        ("search", {"attribute": "form: registered;" * 500}, "At most 8,000 characters"),
        ("search", {"category": "ZZ"}, "Choose one of"),
        ("entity", {"lei": "X" * 20}, "X" * 20),
    ]

    async def ask(client: McpClient) -> Any:
        return [await client.call_tool(name, arguments) for name, arguments, _ in calls]

    for (name, arguments, text), result in zip(calls, use(server, ask, mode="legacy"), strict=True):
        assert result.is_error, (name, arguments)
        assert text in result.content[0].text


def test_permissions_and_limits_are_those_of_the_key(
    server: LiveServer, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = False
    user, reading = make_user("reader"), ["instruments.view_instrument"]
    key, other_key = (
        api_keys.create(user, name=name, permissions=reading, days=1)[1] for name in ("a", "b")
    )

    async def ask(client: McpClient) -> Any:
        called = await client.call_tool("instrument", {"isin": BOND})
        return called, await client.call_tool("entity", {"lei": LEI})

    with pytest.raises(Exception, match=r"unhandled errors|Unauthorized|401|failed"):
        use(server, ask, mode="legacy")
    instrument, entity = use(server, ask, mode="legacy", key=key)
    assert instrument.structured_content["isin"] == BOND
    assert "Forbidden" in entity.content[0].text

    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = {**settings.LIMITS, "key": ["3/d"]}
    caches["counts"].clear()
    client = Client(headers={"authorization": f"Api-Key {other_key}"})
    call = {"name": "instrument", "arguments": {"isin": BOND}}
    statuses = [send(client, "tools/call", call).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


def send(client: Client, method: str, params: Any = None, **options: Any) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    return client.post("/mcp/", message, content_type="application/json", **options)


@pytest.mark.usefixtures("anonymous_reading")
def test_what_is_no_message_gets_an_error_of_the_protocol(client: Client) -> None:
    def code(body: Any, status: int = 400) -> int:
        response = client.post("/mcp/", body, content_type="application/json")
        assert response.status_code == status
        return int(response.json()["error"]["code"])

    assert code("{") == -32700
    assert code("[" * 100 + "]" * 100) == -32700
    assert code("[]") == code('"ping"') == code('{"jsonrpc": "2.0", "id": 1}') == -32600
    assert code({"jsonrpc": "2.0", "id": {}, "method": "ping"}) == -32600
    no_ids: list[Any] = [None, True, 1.5, [], {}]
    for wrong in no_ids:
        assert code({"jsonrpc": "2.0", "id": wrong, "method": "ping"}) == -32600
    assert code({"jsonrpc": "2.0", "id": 1, "method": 5}) == -32600
    assert code({"id": 1, "method": "ping"}) == -32600
    no_objects: list[Any] = [None, [], ["search"], "search", 5]
    for params in no_objects:
        assert code({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": params}) == -32602
    assert code({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, 200) == -32601
    invalid: list[dict[str, Any]] = [
        {"name": "instruments"},
        *({"name": "instrument", "arguments": wrong} for wrong in ([1], [], "", "a", 0, 5, False)),
        {"name": ["instrument"]},
        {"name": {}},
        {"name": "x" * 100_000},
    ]
    for params in invalid:
        answer = send(client, "tools/call", params)
        assert answer.json()["error"]["code"] == -32602
        assert len(answer.content) < 1_000
    assert (
        "an object with names of: isin"
        in send(client, "tools/call", invalid[2]).json()["error"]["message"]
    )
    assert client.get("/mcp/").status_code == 405
    accepted = client.post(
        "/mcp/",
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        content_type="application/json",
    )
    assert (accepted.status_code, accepted.content) == (202, b"")
    for answer in ({"result": {}}, {"error": {"code": 1, "message": "no"}}):
        body = {"jsonrpc": "2.0", "id": 7, **answer}
        accepted = client.post("/mcp/", body, content_type="application/json")
        assert (accepted.status_code, accepted.content) == (202, b"")


@pytest.mark.usefixtures("anonymous_reading")
def test_an_error_says_what_is_wrong_and_repeats_the_id(client: Client) -> None:
    def error(body: Any) -> tuple[Any, str]:
        answer = client.post("/mcp/", body, content_type="application/json").json()
        return answer["id"], answer["error"]["message"]

    ping = {"jsonrpc": "2.0", "id": "a", "method": "ping"}
    assert error([ping, ping]) == (None, "Send one message at a time: batches are not supported.")
    assert error({**ping, "jsonrpc": "1.0"}) == ("a", '`jsonrpc` must be "2.0".')
    assert error({**ping, "id": True}) == (None, "`id` must be a text or a whole number.")
    assert error({**ping, "params": []}) == ("a", "`params` must be an object.")
    assert error({"jsonrpc": "2.0", "id": 1}) == (1, "The message has no `method`.")
    assert send(client, "tools/call", {"name": "search", "arguments": None}).json()["result"]


@pytest.mark.usefixtures("anonymous_reading")
def test_versions_and_headers_are_checked(client: Client) -> None:
    for requested, agreed in (("2025-06-18", "2025-06-18"), ("2024-11-05", "2025-11-25")):
        answer = send(client, "initialize", {"protocolVersion": requested}).json()["result"]
        assert answer["protocolVersion"] == agreed
        assert answer["capabilities"] == {"tools": {"listChanged": False}}
    unsupported = send(client, "ping", headers={"mcp-protocol-version": "1999-01-01"})
    assert unsupported.status_code == 400
    assert unsupported.json()["error"]["code"] == -32022

    version = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    listed = send(client, "tools/list", {"_meta": version}, headers=headers).json()["result"]
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "private")
    for method, params, status, code in (
        ("tools/list", {}, 400, -32602),
        ("ping", {"_meta": version}, 400, -32020),
        ("tools/call", {"_meta": version, "name": "search"}, 400, -32020),
    ):
        response = send(client, method, params, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.usefixtures("anonymous_reading")
def test_scripts_of_other_sites_are_refused(client: Client, settings: LazySettings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://assistant.example"]
    origins = {
        "http://testserver": 200,
        "https://assistant.example": 200,
        "https://elsewhere.example": 403,
        "null": 403,
    }
    for origin, status in origins.items():
        assert send(client, "ping", headers={"origin": origin}).status_code == status


@pytest.mark.usefixtures("anonymous_reading")
def test_a_tool_gives_the_answer_of_its_address(client: Client) -> None:
    address = f"/api/v1/instruments/{BOND}/"
    called = send(client, "tools/call", {"name": "instrument", "arguments": {"isin": BOND}})
    assert called.json()["result"]["structuredContent"] == client.get(address).json()
    arguments = {"currency": "EUR", "limit": 2, "category": ["D"], "isin": None}
    called = send(client, "tools/call", {"name": "search", "arguments": arguments})
    listed = client.get(
        "/api/v1/instruments/", {"currency": "EUR", "category": "D", "per_page": "2"}
    )
    answer = called.json()["result"]["structuredContent"]
    assert answer["results"] == listed.json()["results"]
    assert answer["pagination"]["next"].startswith("http://testserver/api/v1/instruments/?")
