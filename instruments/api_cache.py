"""Answers that are kept until the data that they were made from change.

The key of an answer includes the versions of its data. After a load the versions differ, so older answers
are not used any more, and need not be deleted. Sign-in, permissions, limits and the names of parameters are
checked before.
"""

import datetime as dt
import hashlib
import time
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import set_response_etag
from django.utils.http import http_date
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.data_versions import DataSubject
from instruments.models import DataVersion
from marketdata.api.views import ApiView

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
    not depend on the user, or on anything else but the address, the data and the day.
    """

    answers_from: Mapping[str, Collection[DataSubject]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the request; then let a kept answer take the place of the method."""
        super().initial(request, *args, **kwargs)
        subjects = self.answers_from.get(getattr(self, "action", None) or str(request.method))
        if (
            subjects
            and request.method in ("GET", "HEAD")
            and request.accepted_renderer.media_type == "application/json"
            and not connection.in_atomic_block  # what is not committed may be rolled back
        ):
            _Answering(self, request, subjects).replace_method()


class _Answering:
    """The answer to one request: a kept one, or a new one that is kept."""

    def __init__(
        self, view: CachedAnswers, request: Request, subjects: Collection[DataSubject]
    ) -> None:
        self._view, self._request, self._subjects = view, request, subjects
        self._method = str(request.method).lower()
        self._make = getattr(view, self._method)
        self._version, self._changed_at = DataVersion.objects.read(subjects)
        self._today = dt.datetime.now(dt.UTC).date()
        address = request.build_absolute_uri()
        media_type = request.accepted_media_type
        parts = (settings.GIT_COMMIT, self._version, str(self._today), media_type, address)
        self._key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        self._cache = caches["answers"]

    def replace_method(self) -> None:
        setattr(self._view, self._method, self._answer)

    def _answer(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        kept = self._cache.get(self._key)
        if kept is None and not self._cache.add(f"{self._key}.making", 1, timeout=_WAIT_SECONDS):
            kept = self._wait()
        if kept is not None:
            content, headers = kept
            response: HttpResponseBase = HttpResponse(
                content, content_type="application/json", headers=headers
            )
        else:
            response = self._make_new(request, *args, **kwargs)
        self._add_headers(response)
        return response

    def _make_new(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        try:
            response = self._make(request, *args, **kwargs)
        finally:
            if isinstance(response, Response) and response.status_code == 200:
                response.add_post_render_callback(self._keep)
            else:  # an error, for which nobody waits
                self._cache.delete(f"{self._key}.making")
        return response

    def _wait(self) -> Any:
        """Return the answer that another request is making; None if it takes too long, or fails."""
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end and self._cache.get(f"{self._key}.making"):
            time.sleep(_PAUSE_SECONDS)
        return self._cache.get(self._key)

    def _keep(self, response: Response) -> None:
        """Keep an answer, unless the data were changed while it was made."""
        headers = {name: response.headers[name] for name in ("Link",) if name in response.headers}
        set_response_etag(response)
        is_small = len(response.content) <= _MAX_BYTES
        if is_small and DataVersion.objects.read(self._subjects)[0] == self._version:
            headers["ETag"] = response.headers["ETag"]
            self._cache.set(self._key, (response.content, headers), timeout=_KEPT_SECONDS)
        self._cache.delete(f"{self._key}.making")

    def _add_headers(self, response: HttpResponseBase) -> None:
        """Have clients ask each time whether their answer is still right."""
        response.headers["Cache-Control"] = "private, no-cache"
        changed_at = self._changed_at
        if changed_at is None or dt.datetime.now(dt.UTC) - changed_at < _SETTLED_AFTER:
            return
        # The effective status depends on the day, too.
        midnight = dt.datetime.combine(self._today, dt.time.min, tzinfo=dt.UTC)
        response.headers["Last-Modified"] = http_date(max(changed_at, midnight).timestamp())
