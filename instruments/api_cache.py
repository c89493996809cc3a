"""Answers that are kept until the data that they were made from change.

The key of an answer includes the versions of its data. After a load the versions differ, so older answers
are not used any more, and need not be deleted. Sign-in, permissions and limits are checked before; so are
the names of parameters, which are in the key as part of the address.
"""

import datetime as dt
import functools
import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve
from django.utils.cache import set_response_etag
from django.utils.http import http_date
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.data_versions import DataSubject
from instruments.models import DataVersion
from marketdata.api.views import ApiView
from marketdata.common.errors import MarketDataError
from marketdata.web import limits

_KEPT_SECONDS = 3_600
_MAX_BYTES = 65_536  # larger answers are not kept
# While one request makes an answer, others for the same one wait for it, but not for longer than this.
_WAIT_SECONDS = 2
_PAUSE_SECONDS = 0.01
# A time in HTTP is in seconds: a second change may follow within the same one.
_SETTLED_AFTER = dt.timedelta(seconds=2)
_METHODS = ("GET", "HEAD")
_JSON = "application/json"
# Values of the header Accept for which content negotiation chooses plain JSON.
_ACCEPTS_JSON = ("", "*/*", _JSON)
_WITH_KEY = "api-key "
_MAX_PATHS = 1_000  # whose views are remembered


class CachedAnswers(ApiView):
    """Base of views that keep their JSON answers to GET.

    `answers_from` has, by action (view sets) or method, the subjects that an answer is made from. It must
    not depend on the user, or on anything else but the address, the data and the day. Whether a user may have
    it is for `check_permissions` to say, without anything that `initial` has prepared.
    """

    answers_from: Mapping[str, Collection[DataSubject]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the request; then let a kept answer take the place of the method."""
        super().initial(request, *args, **kwargs)
        media_type = request.accepted_media_type or ""
        if request.accepted_renderer.media_type == _JSON and (
            place := self._find_place(request, media_type)
        ):
            method = str(request.method).lower()
            setattr(self, method, _Answering(place, getattr(self, method)).answer)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "is_on_short_way", False):
            return self._answer_kept(request)
        return super().dispatch(request, *args, **kwargs)

    def _answer_kept(self, request: HttpRequest) -> HttpResponseBase:
        """Return the kept answer to a request that accepts JSON; raise an error if it is not to have one.

        The user is found, checked and counted by the same methods as for a new answer.
        """
        self.request = self.initialize_request(request, *self.args, **self.kwargs)
        self.headers = self.default_response_headers
        place = self._find_place(self.request, _JSON)
        kept = place.read() if place is not None else None
        if place is None or kept is None:
            raise _NotKept
        self.perform_authentication(self.request)
        self.check_permissions(self.request)
        self.check_throttles(self.request)
        response: Any = place.restore(kept)
        return self.finalize_response(self.request, response)

    def _find_place(self, request: Request, media_type: str) -> "_Place | None":
        """Return the place of the answer to a request; None for one that is not kept."""
        method = str(request.method)
        subjects = self.answers_from.get(getattr(self, "action", None) or method)
        # What is not committed may be rolled back.
        if not subjects or method not in _METHODS or connection.in_atomic_block:
            return None
        asked: Any = request._request
        place: _Place | None = getattr(asked, "place_of_answer", None)
        if place is None or place.media_type != media_type:
            place = asked.place_of_answer = _Place(asked, subjects, media_type)
        return place


class _NotKept(Exception):
    """There is no kept answer to a request."""


# Why a request has no kept answer: the ordinary way meets the same refusal or fault, and answers it.
_REFUSALS = (
    _NotKept,
    APIException,
    MarketDataError,
    Http404,
    PermissionDenied,
    SuspiciousOperation,
    DatabaseError,
)


class KeptAnswersMiddleware:
    """Answer requests with an API key from the kept answers, without the rest of the way to a view.

    The address was checked when its answer was made; the user is checked each time, by the view. A request
    without a kept answer, and one that is refused, goes on to the ordinary way. That one says why, and
    does not count it a second time.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = _find_kept(request) if _may_be_kept(request) else None
        return self._get_response(request) if response is None else response


def _may_be_kept(request: HttpRequest) -> bool:
    return (
        request.method in _METHODS
        and request.META.get("HTTP_AUTHORIZATION", "")[: len(_WITH_KEY)].lower() == _WITH_KEY
        and request.META.get("HTTP_ACCEPT", "") in _ACCEPTS_JSON
    )


def _find_kept(request: HttpRequest) -> HttpResponseBase | None:
    """Return the kept answer, None if there is none for this user."""
    request.is_on_short_way = True  # type: ignore[attr-defined]
    try:
        match = _resolve(request.path_info, settings.ROOT_URLCONF)
        if not issubclass(getattr(match.func, "cls", type(None)), CachedAnswers):
            return None
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    except _REFUSALS:
        return None
    finally:
        request.is_on_short_way = False  # type: ignore[attr-defined]
    request.resolver_match = match
    limits.add_headers(response, request)
    return response


@functools.lru_cache(maxsize=_MAX_PATHS)
def _resolve(path: str, urlconf: str) -> ResolverMatch:
    """Return the view of a path: Django compares it with some fifty patterns. Raises Resolver404."""
    return resolve(path, urlconf)


class _Place:
    """The place where the answer to one request is kept, for as long as its data do not change."""

    def __init__(
        self, request: HttpRequest, subjects: Collection[DataSubject], media_type: str
    ) -> None:
        self._subjects, self.media_type = subjects, media_type
        self._version, self._changed_at = DataVersion.objects.read(subjects)
        self._today = dt.datetime.now(dt.UTC).date()
        address = f"{request.scheme}://{request.get_host()}{request.get_full_path()}"
        parts = (settings.GIT_COMMIT, self._version, str(self._today), media_type, address)
        self._key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        self._cache = caches["answers"]

    def read(self) -> Any:
        """Return what is kept: content and headers; None if there is nothing."""
        return self._cache.get(self._key)

    def restore(self, kept: Any) -> HttpResponseBase:
        """Return the answer that was kept."""
        content, headers = kept
        response = HttpResponse(content, content_type=_JSON, headers=headers)
        self.add_headers(response)
        return response

    def reserve(self) -> bool:
        """Announce that this request makes the answer; return False if another one is making it."""
        return self._cache.add(f"{self._key}.making", 1, timeout=_WAIT_SECONDS)

    def release(self) -> None:
        self._cache.delete(f"{self._key}.making")

    def wait(self) -> Any:
        """Return the answer that another request is making; None if it takes too long, or fails."""
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end and self._cache.get(f"{self._key}.making"):
            time.sleep(_PAUSE_SECONDS)
        return self.read()

    def keep(self, response: HttpResponse) -> None:
        """Keep an answer, unless the data were changed while it was made."""
        headers = {name: response.headers[name] for name in ("Link",) if name in response.headers}
        set_response_etag(response)
        is_small = len(response.content) <= _MAX_BYTES
        if is_small and DataVersion.objects.read(self._subjects)[0] == self._version:
            headers["ETag"] = response.headers["ETag"]
            self._cache.set(self._key, (response.content, headers), timeout=_KEPT_SECONDS)
        self.release()

    def add_headers(self, response: HttpResponseBase) -> None:
        """Have clients ask each time whether their answer is still right."""
        response.headers["Cache-Control"] = "private, no-cache"
        changed_at = self._changed_at
        if changed_at is None or dt.datetime.now(dt.UTC) - changed_at < _SETTLED_AFTER:
            return
        response.headers["Last-Modified"] = _last_modified(changed_at, self._today)


@functools.lru_cache(maxsize=100)
def _last_modified(changed_at: dt.datetime, day: dt.date) -> str:
    """Return the header for data of a time: the effective status depends on the day, too."""
    midnight = dt.datetime.combine(day, dt.time.min, tzinfo=dt.UTC)
    return http_date(max(changed_at, midnight).timestamp())


class _Answering:
    """The answer to one request: a kept one, or a new one that is kept."""

    def __init__(self, place: _Place, make: Callable[..., HttpResponseBase]) -> None:
        self._place, self._make = place, make

    def answer(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Take the place of a view's method."""
        kept = self._place.read()
        if kept is None and not self._place.reserve():
            kept = self._place.wait()
        if kept is not None:
            return self._place.restore(kept)
        response = self._make_new(request, *args, **kwargs)
        self._place.add_headers(response)
        return response

    def _make_new(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        try:
            response = self._make(request, *args, **kwargs)
        finally:
            if isinstance(response, Response) and response.status_code == 200:
                response.add_post_render_callback(self._place.keep)
            else:  # an error, for which nobody waits
                self._place.release()
        return response
