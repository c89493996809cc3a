"""Middleware that answers from kept responses, for clients without a session.

A response is kept as it was sent, with all its headers, beside the answer of the view that it was made from
(`instruments/api_cache.py`) and for as long as that. So a request for it needs none of the middleware
between, and no database: only who asks, what he may see and how often is found out each time, by the methods
of the view.
"""

import functools
from collections.abc import Callable, Collection
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase, ResponseHeaders
from django.urls import ResolverMatch, resolve
from django.utils.http import parse_etags
from rest_framework.exceptions import APIException

from instruments.api_cache import JSON, METHODS, CachedAnswers, Place, find_place
from instruments.data_versions import DataSubject
from marketdata.common.errors import MarketDataError
from marketdata.web import compression, limits
from marketdata.web.middleware import ConditionalGet

# Values of the header Accept for which content negotiation chooses plain JSON.
_ACCEPTS_JSON = ("", "*/*", JSON)
_SCHEMES = ("api-key", "bearer")
_MAX_PATHS = 1_000  # whose views are remembered
# Headers of a request that ask for a 304 or a 412.
_NONE_MATCH = "HTTP_IF_NONE_MATCH"
_OTHER_CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
# Headers that each response has of its own, and those that describe a content, which a 304 has not.
_OF_EACH_RESPONSE = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Last-Modified")
_OF_CONTENT = ("Content-Type", "Content-Length", "Content-Encoding", "Allow", "Link")
# Why a client gets no kept response: the ordinary way meets the same refusal or fault, and answers it.
_REFUSALS = (
    APIException,
    MarketDataError,
    Http404,
    PermissionDenied,
    SuspiciousOperation,
    DatabaseError,
)


class KeptAnswersMiddleware:
    """Answer requests without a session from kept responses, without the rest of the way to a view.

    The address was checked when its answer was made; the user is checked each time, by the view. A request
    without a kept response, and one that is refused, goes on to the ordinary way. That one says why, and
    does not count it a second time.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = _find(request) if _may_be_kept(request) else None
        if asked is None:
            return self._get_response(request)
        kept = asked.answer()
        if kept is not None:
            return kept
        response = self._get_response(request)
        asked.keep(response)
        return response


def _may_be_kept(request: HttpRequest) -> bool:
    """Return True for GET and HEAD of JSON, with an API key or token, or by anybody where all may read.

    A cookie may be that of a session, and then who asks is for the middleware of sessions to find out.
    """
    headers = request.META
    scheme = headers.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower()
    is_signed_out = not scheme and not headers.get("HTTP_COOKIE")
    return (
        request.method in METHODS
        and headers.get("HTTP_ACCEPT", "") in _ACCEPTS_JSON
        and (scheme in _SCHEMES or (is_signed_out and settings.ANONYMOUS_READ))
        and (request.is_secure() or not settings.SECURE_SSL_REDIRECT)  # which needs no database
    )


def _find(request: HttpRequest) -> "_Asked | None":
    """Return what a request asks for; None if its responses are not kept."""
    try:
        match, subjects = _find_view(request.path_info, settings.ROOT_URLCONF)
        place = find_place(request, subjects, JSON) if subjects else None
    except _REFUSALS:
        return None
    return None if place is None else _Asked(request, match, place)


@functools.lru_cache(maxsize=_MAX_PATHS)
def _find_view(path: str, urlconf: str) -> tuple[ResolverMatch, Collection[DataSubject]]:
    """Return the view of a path, and the subjects that its answers are made from: none if they are not kept.

    It is remembered, for Django compares a path with some fifty patterns. Raises Resolver404.
    """
    match = resolve(path, urlconf)
    view_class = getattr(match.func, "cls", None)
    if view_class is None or not issubclass(view_class, CachedAnswers):
        return match, ()
    action = (getattr(match.func, "actions", None) or {}).get("get")
    return match, view_class.subjects_of(action, "GET")


class _Asked:
    """A request for a response that may be kept."""

    def __init__(self, request: HttpRequest, match: ResolverMatch, place: Place) -> None:
        self._request, self._match, self._place = request, match, place
        coding = _choose_coding(request.META.get("HTTP_ACCEPT_ENCODING", ""))
        origin = request.META.get("HTTP_ORIGIN", "")  # which the headers of CORS depend on
        is_signed_in = "HTTP_AUTHORIZATION" in request.META  # others get "Vary: Cookie"
        self._variant = f"{coding} {origin} {is_signed_in}"

    def answer(self) -> HttpResponse | None:
        """Return the kept response; None if there is none, or the client may not have it."""
        kept = self._place.read_response(self._variant)
        if kept is None:
            return None
        request: Any = self._request
        request.restore_kept = functools.partial(_restore, request, *kept)
        try:
            response: HttpResponse = self._match.func(
                request, *self._match.args, **self._match.kwargs
            )
        except _REFUSALS:
            return None
        finally:
            request.restore_kept = None
        request.resolver_match = self._match
        self._place.add_headers(response)
        limits.add_headers(response, request)
        return _meet_other_conditions(request, response)

    def keep(self, response: HttpResponseBase) -> None:
        """Keep the response that the ordinary way has made of the kept answer."""
        if (
            not self._place.is_kept
            or response.status_code != 200
            or response.cookies
            or not isinstance(response, HttpResponse)
        ):
            return
        headers = ResponseHeaders(dict(response.items()))
        for name in _OF_EACH_RESPONSE:
            headers.pop(name, None)
        self._place.keep_response(self._variant, (response.content, headers))


def _restore(request: HttpRequest, content: bytes, headers: ResponseHeaders) -> HttpResponse:
    """Return the kept response, or a 304 if the client has it.

    The headers are of this response alone: a cache gives a copy to each request.
    """
    if not _is_known(request, headers["ETag"]):
        response = HttpResponse(content, content_type=JSON)
        response.headers = headers
        return response
    return _make_unchanged(headers)


def _make_unchanged(headers: ResponseHeaders) -> HttpResponse:
    """Return a 304 with the headers of a response but those of its content."""
    unchanged = HttpResponseNotModified()
    for name in _OF_CONTENT:
        headers.pop(name, None)
    unchanged.headers = headers
    return unchanged


def _is_known(request: HttpRequest, tag: str) -> bool:
    """Return True if a request names the ETag in If-None-Match, and has no other condition."""
    named = request.META.get(_NONE_MATCH)
    if not named or any(request.META.get(name) for name in _OTHER_CONDITIONS):
        return False
    tags = parse_etags(named)
    return "*" in tags or _strip(tag) in map(_strip, tags)


def _meet_other_conditions(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the 304 or 412 that other conditions of a request ask for, else the response itself."""
    if response.status_code == 304 or not any(map(request.META.get, _OTHER_CONDITIONS)):
        return response
    compared = ConditionalGet(lambda request: response).process_response(request, response)
    if compared.status_code == 304:
        return _make_unchanged(response.headers)
    return cast(HttpResponse, compared)


def _strip(tag: str) -> str:
    """Return an ETag for a weak comparison, as If-None-Match asks for (RFC 9110, 13.1.2)."""
    return tag.removeprefix("W/")


@functools.lru_cache(maxsize=1_000)
def _choose_coding(accepted: str) -> str | None:
    """Return the coding of an answer for a header Accept-Encoding: few clients differ in it."""
    return compression.choose(accepted, compression.CODINGS)
