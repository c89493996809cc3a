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
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import set_response_etag
from django.utils.http import http_date
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import data_versions
from instruments.data_versions import DataSubject
from marketdata.api.views import ApiView

JSON = "application/json"
METHODS = ("GET", "HEAD")
# What Django finds the host of links in.
_HOST = (
    "HTTP_HOST",
    "HTTP_X_FORWARDED_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_X_FORWARDED_PORT",
)
_KEPT_SECONDS = 3_600
_MAX_BYTES = 65_536  # larger answers are not kept
# While one request makes an answer, others for the same one wait for it, but not for longer than this.
_WAIT_SECONDS = 2
_PAUSE_SECONDS = 0.01
# A time in HTTP is in seconds: a second change may follow within the same one.
_SETTLED_AFTER = dt.timedelta(seconds=2)


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
        if request.accepted_renderer.media_type == JSON and (
            place := self._find_place(request, media_type)
        ):
            method = str(request.method).lower()
            setattr(self, method, _Answering(place, getattr(self, method)).answer)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if (restore := getattr(request, "restore_kept", None)) is None:
            return super().dispatch(request, *args, **kwargs)
        return self._answer_kept(request, restore)

    def _answer_kept(
        self, request: HttpRequest, restore: Callable[[], HttpResponseBase]
    ) -> HttpResponseBase:
        """Return what `KeptAnswersMiddleware` has for a request; raise an error if it is not to have it.

        The user is found, checked and counted by the same methods as for a new answer.
        """
        self.request = self.initialize_request(request, *self.args, **self.kwargs)
        self.perform_authentication(self.request)
        self.check_permissions(self.request)
        self.check_throttles(self.request)
        return restore()

    def _find_place(self, request: Request, media_type: str) -> "Place | None":
        """Return the place of the answer to a request; None for one that is not kept."""
        subjects = self.subjects_of(getattr(self, "action", None), str(request.method))
        return find_place(request._request, subjects, media_type) if subjects else None

    @classmethod
    def subjects_of(cls, action: str | None, method: str) -> Collection[DataSubject]:
        """Return the subjects that an answer is made from; none if it is not kept."""
        return cls.answers_from.get(action or method, ()) if method in METHODS else ()


def find_place(
    request: HttpRequest, subjects: Collection[DataSubject], media_type: str
) -> "Place | None":
    """Return the place of the answer to a request, kept on the request.

    None within a transaction: what is not committed may be rolled back.
    """
    if connection.in_atomic_block:
        return None
    place: Place | None = getattr(request, "place_of_answer", None)
    if place is None or place.media_type != media_type:
        place = Place(request, subjects, media_type)
        request.place_of_answer = place  # type: ignore[attr-defined]
    return place


class Place:
    """The place where the answer to one request is kept, for as long as its data do not change.

    `is_kept` says that there is one, found or made by this request.
    """

    def __init__(
        self, request: HttpRequest, subjects: Collection[DataSubject], media_type: str
    ) -> None:
        self.media_type, self.is_kept = media_type, False
        self._subjects = subjects
        self._version, self._changed_at = data_versions.read(subjects)
        self._today = dt.datetime.now(dt.UTC).date()
        # The host was checked when the answer was made.
        host = (str(request.META.get(name)) for name in _HOST)
        address = (str(request.scheme), *host, request.get_full_path())
        self._parts = (settings.GIT_COMMIT, self._version, str(self._today), media_type, *address)
        self._key = _digest(*self._parts)
        self._cache = caches["answers"]

    def read(self) -> Any:
        """Return what is kept: content and headers; None if there is nothing."""
        kept = self._cache.get(self._key)
        self.is_kept = kept is not None
        return kept

    def restore(self, kept: Any) -> HttpResponseBase:
        """Return the answer that was kept."""
        content, headers = kept
        response = HttpResponse(content, content_type=JSON, headers=headers)
        self.add_headers(response)
        return response

    def read_response(self, variant: str) -> Any:
        """Return what `keep_response` has kept of a variant, such as one coding; None if there is nothing."""
        return self._cache.get(_digest(*self._parts, variant))

    def keep_response(self, variant: str, response: Any) -> None:
        """Keep something beside the answer, made from it, for as long as the answer."""
        self._cache.set(_digest(*self._parts, variant), response, timeout=_KEPT_SECONDS)

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
        if is_small and data_versions.read(self._subjects)[0] == self._version:
            headers["ETag"] = response.headers["ETag"]
            self._cache.set(self._key, (response.content, headers), timeout=_KEPT_SECONDS)
            self.is_kept = True
        self.release()

    def add_headers(self, response: HttpResponseBase) -> None:
        """Have clients ask each time whether their answer is still right."""
        response.headers["Cache-Control"] = "private, no-cache"
        changed_at = self._changed_at
        if changed_at is None or dt.datetime.now(dt.UTC) - changed_at < _SETTLED_AFTER:
            return
        response.headers["Last-Modified"] = _last_modified(changed_at, self._today)


def _digest(*parts: str) -> str:
    """Return a key of 32 characters: Django's cache in memory looks at each of them."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


@functools.lru_cache(maxsize=100)
def _last_modified(changed_at: dt.datetime, day: dt.date) -> str:
    """Return the header for data of a time: the effective status depends on the day, too."""
    midnight = dt.datetime.combine(day, dt.time.min, tzinfo=dt.UTC)
    return http_date(max(changed_at, midnight).timestamp())


class _Answering:
    """The answer to one request: a kept one, or a new one that is kept."""

    def __init__(self, place: Place, make: Callable[..., HttpResponseBase]) -> None:
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
