"""The Model Context Protocol (MCP) at /mcp/: streamable HTTP without sessions, read-only.

Specifications 2025-03-26 to 2025-11-25, which begin with `initialize`, and 2026-07-28, in which each request
names its version (modelcontextprotocol.io). A tool is answered by the view of the API that has the answer, in
the name of the caller: permissions, limits, kept answers and errors are those of the API.
"""

import copy
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.urls import resolve, reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.mcp.tools import TOOLS, Tool
from marketdata.api.renderers import FastJSONRenderer
from marketdata.api.views import ApiView
from marketdata.common.errors import InvalidQuery
from marketdata.common.numbers import format_count
from marketdata.common.suggestions import describe_unknown
from marketdata.web.access import reading

# Versions that begin with `initialize`, and those in which each request is complete by itself.
_WITH_HANDSHAKE = ("2025-03-26", "2025-06-18", "2025-11-25")
_STATELESS = ("2026-07-28",)
_META = "io.modelcontextprotocol/"
_TOOLS_KEPT_MILLISECONDS = 3_600_000
_INSTRUCTIONS = (
    "Reference data of financial instruments in the EU and the UK, as ESMA, the FCA, GLEIF and OpenFIGI"
    " publish them. Days are YYYY-MM-DD. Answers name their source files; what is not published is null."
)
# JSON-RPC, and MCP from 2026-07-28 on (the last two).
_INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMS, _PARSE_ERROR = -32600, -32601, -32602, -32700
_HEADER_MISMATCH, _UNSUPPORTED_VERSION = -32020, -32022
# Headers of the request that are about its body, or about an answer that the client has.
_NOT_PASSED_ON = ("CONTENT_", "HTTP_IF_", "HTTP_ACCEPT", "HTTP_MCP_")


class _RpcError(Exception):
    """An error of the protocol, as opposed to one of a tool."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


class McpView(ApiView):
    """One JSON-RPC message of a client of the Model Context Protocol."""

    name = "Model Context Protocol"
    needs = {"POST": reading("instruments.view_instrument")}
    renderer_classes = [FastJSONRenderer]

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        _refuse_foreign_origin(request._request)
        try:
            message: Any = request.data
        except ParseError as error:
            return _refuse(None, _RpcError(_PARSE_ERROR, str(error)), HTTPStatus.BAD_REQUEST)
        try:
            _check_message(message)
        except _RpcError as error:
            return _refuse(_get_id(message), error, HTTPStatus.BAD_REQUEST)
        if "id" not in message or "method" not in message:  # a notification, or an answer
            return Response(status=HTTPStatus.ACCEPTED)
        version = request.headers.get("MCP-Protocol-Version", "")
        try:
            result = _answer(request._request, message, version)
        except _RpcError as error:
            status = HTTPStatus.BAD_REQUEST if version in _STATELESS else HTTPStatus.OK
            if error.code == _UNSUPPORTED_VERSION:
                status = HTTPStatus.BAD_REQUEST
            elif error.code == _METHOD_NOT_FOUND and version in _STATELESS:
                status = HTTPStatus.NOT_FOUND
            return _refuse(message["id"], error, status)
        return Response({"jsonrpc": "2.0", "id": message["id"], "result": result})


def _refuse_foreign_origin(request: HttpRequest) -> None:
    """Refuse scripts of other sites than those of the settings, as the specification demands."""
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.get_host()}"
    if origin is not None and origin not in (own, *settings.CORS_ALLOWED_ORIGINS):
        host = urlsplit(origin).netloc or origin
        raise PermissionDenied(f"Scripts of {host[:100]!r} are not permitted to use this service.")


def _check_message(message: Any) -> None:
    """Raise _RpcError if a body is not one message of JSON-RPC as MCP has them."""
    problem = None
    if isinstance(message, list):
        problem = "Send one message at a time: batches are not supported."
    elif not isinstance(message, dict):
        problem = "A message is an object."
    elif message.get("jsonrpc") != "2.0":
        problem = '`jsonrpc` must be "2.0".'
    elif "id" in message and _get_id(message) is None:
        problem = "`id` must be a text or a whole number."
    elif not isinstance(message.get("method", ""), str):
        problem = "`method` must be a text."
    elif not {"method", "result", "error"} & message.keys():
        problem = "The message has no `method`."
    if problem is not None:
        raise _RpcError(_INVALID_REQUEST, problem)
    if not isinstance(message.get("params", {}), dict):
        raise _RpcError(_INVALID_PARAMS, "`params` must be an object.")


def _get_id(message: Any) -> str | int | None:
    """Return the id of a message; None if there is none of a valid type."""
    value = message.get("id") if isinstance(message, dict) else None
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def _refuse(message_id: Any, error: _RpcError, status: HTTPStatus) -> Response:
    described = {"code": error.code, "message": str(error)}
    if error.data is not None:
        described["data"] = error.data
    return Response({"jsonrpc": "2.0", "id": message_id, "error": described}, status=status)


def _answer(request: HttpRequest, message: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the result of a request. Raises _RpcError."""
    method, params = message.get("method", ""), message.get("params", {})
    if version and version not in (*_WITH_HANDSHAKE, *_STATELESS):
        supported = {"supported": [*_WITH_HANDSHAKE, *_STATELESS], "requested": version}
        raise _RpcError(_UNSUPPORTED_VERSION, f"Unsupported version {version!r}.", supported)
    if version in _STATELESS:
        _check_headers(request, method, params, version)
    match method:
        case "initialize":
            requested = params.get("protocolVersion")
            agreed = requested if requested in _WITH_HANDSHAKE else _WITH_HANDSHAKE[-1]
            return {"protocolVersion": agreed, **_describe_server()}
        case "server/discover" if version in _STATELESS:
            discovered = {"supportedVersions": [*_WITH_HANDSHAKE, *_STATELESS]}
            return _complete(discovered | _describe_server(), version, is_kept=True)
        case "ping":
            return _complete({}, version)
        case "tools/list":
            tools = {"tools": [tool.describe() for tool in TOOLS.values()]}
            return _complete(tools, version, is_kept=True)
        case "tools/call":
            return _complete(_call(request, *_read_call(params)), version)
    raise _RpcError(_METHOD_NOT_FOUND, f"There is no method {method[:100]!r}.")


def _check_headers(request: HttpRequest, method: str, params: dict[str, Any], version: str) -> None:
    """Compare the headers with the message, as the specification of 2026-07-28 demands."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or f"{_META}protocolVersion" not in meta:
        raise _RpcError(_INVALID_PARAMS, f"`params._meta` lacks {_META}protocolVersion.")
    expected: dict[str, tuple[str | None, Any]]
    expected = {"MCP-Protocol-Version": (version, meta[f"{_META}protocolVersion"])}
    expected["Mcp-Method"] = (request.headers.get("Mcp-Method"), method)
    if method == "tools/call":
        expected["Mcp-Name"] = (request.headers.get("Mcp-Name"), params.get("name"))
    for header, (value, value_of_body) in expected.items():
        if value != value_of_body:
            problem = f"The header {header} is {value!r}, and the message has {value_of_body!r}."
            raise _RpcError(_HEADER_MISMATCH, problem)


def _describe_server() -> dict[str, Any]:
    server = {
        "name": "marketdata",
        "title": "MarketData",
        "version": settings.GIT_COMMIT or "unknown",
    }
    return {
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": server,
        "instructions": _INSTRUCTIONS,
    }


def _complete(result: dict[str, Any], version: str, *, is_kept: bool = False) -> dict[str, Any]:
    """Return a result with what a version adds to it."""
    if version not in _STATELESS:
        return result
    kept = {"ttlMs": _TOOLS_KEPT_MILLISECONDS, "cacheScope": "private"} if is_kept else {}
    return {**result, "resultType": "complete", **kept}


def _read_call(params: dict[str, Any]) -> tuple[Tool, dict[str, Any]]:
    """Return the tool that is called, and its arguments. Raises _RpcError."""
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str) or name not in TOOLS:
        raise _RpcError(_INVALID_PARAMS, describe_unknown(str(name), list(TOOLS), "tool"))
    if arguments is not None and not isinstance(arguments, dict):
        known = ", ".join(TOOLS[name].properties)
        problem = f"`arguments` must be an object with names of: {known}."
        raise _RpcError(_INVALID_PARAMS, problem)
    return TOOLS[name], arguments or {}


def _call(request: HttpRequest, tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of the API, or its error, as the result of a tool."""
    try:
        path_arguments, query = tool.prepare(arguments)
    except InvalidQuery as error:
        return _describe_error(f"{error.parameter}: {error}")
    response = _get(request, tool.url_name, path_arguments, query)
    answer = json.loads(response.content)
    if response.status_code != HTTPStatus.OK:
        wait = response.headers.get("Retry-After")
        hint = f" Try again in {format_count(int(wait), 'second')}." if wait else ""
        return _describe_error(f"{answer['title']}: {answer['detail']}{hint}")
    text = {"type": "text", "text": response.content.decode()}
    return {"content": [text], "structuredContent": answer, "isError": False}


def _describe_error(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _get(
    request: HttpRequest, url_name: str, path_arguments: dict[str, str], query: dict[str, str]
) -> Any:
    """Return the response of a view of the API to a GET of the same client.

    The view authenticates the request again. It is not counted again, since it has been counted as this one.
    """
    inner = copy.copy(request)
    for name in ("headers", "accepted_types", "content_params"):  # derived from the former headers
        inner.__dict__.pop(name, None)
    path = unquote(reverse(url_name, kwargs=path_arguments))
    # Not by the path itself: "changes" is no ISIN, and has a view of its own.
    match = resolve(reverse(url_name, kwargs=dict.fromkeys(path_arguments, "-")))
    inner.method, inner.path, inner.path_info, inner.resolver_match = "GET", path, path, match
    inner.GET = QueryDict(urlencode(query))
    inner.META = {
        name: value for name, value in request.META.items() if not name.startswith(_NOT_PASSED_ON)
    } | {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": urlencode(query),
        "HTTP_ACCEPT": "application/json",
    }
    response = match.func(inner, **{**match.kwargs, **path_arguments})
    return response.render() if hasattr(response, "render") else response
