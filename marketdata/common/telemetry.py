"""The interface between the service and its telemetry: the service reports to it, and exporters pass it on.

Exporters (monitoring/telemetry) add themselves if they are configured. Without any, nothing is measured: the
middleware and the hooks of the database are not installed, and other calls are timed but not reported.

No value that a client has sent is reported: the route instead of the address, and the first word of a query.
"""

import contextvars
import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, Self, TypeVar

from django.http import HttpRequest, HttpResponse

from marketdata.common.logs import request_id

P = ParamSpec("P")
T = TypeVar("T")
_lock = threading.Lock()


class Call:
    """A call of something outside the process, made within `with`: it is reported at its end.

    kind is database, http, storage or cache. Each query makes one, so it sets nothing before it is needed.
    """

    __slots__ = ("_began", "is_hit", "is_ok", "kind", "name", "seconds", "start", "target")

    seconds: float
    is_ok: bool
    start: int  # nanoseconds since 1970, of a call that is reported individually

    def __init__(self, kind: str, target: str, name: str) -> None:
        self.kind = kind
        self.target = target  # the host, or the alias of a database
        self.name = name  # the first word of a query, or the method of a request
        self.is_hit: bool | None = None  # of a read from a cache

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if exporters:
            self.seconds = time.perf_counter() - self._began
            self.is_ok = kind is None
            if (operation := current.get()) is not None:
                operation.add(self)
            for exporter in exporters:
                exporter.call(self)


@dataclasses.dataclass(slots=True)
class Operation:
    """A request or a task, handled within `with`: it is reported at its end with the calls within it.

    `calls` are those that were slow or failed; `counts` and `sums` cover all.
    """

    kind: str  # request or task
    name: str  # method and route of a request, name of a task
    start: int = 0  # nanoseconds since 1970
    identifier: str = ""  # the id of the request
    seconds: float = 0.0
    status: int = 0  # of the response; 0 for a task
    is_ok: bool = True
    error: BaseException | None = None
    calls: list[Call] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    _began: float = dataclasses.field(default=0.0, repr=False)
    _token: "contextvars.Token[Operation | None] | None" = dataclasses.field(
        default=None, repr=False
    )

    def __enter__(self) -> Self:
        self.start, self._began = time.time_ns(), time.perf_counter()
        self._token = current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *raised: object
    ) -> None:
        self.seconds = time.perf_counter() - self._began
        if error is not None:
            self.is_ok, self.error = False, error
        if self._token is not None:
            current.reset(self._token)
        for exporter in exporters:
            exporter.operation(self)

    def add(self, call: Call) -> None:
        """Count a call, of any thread of this operation."""
        with _lock:
            self.counts[call.kind] = self.counts.get(call.kind, 0) + 1
            self.sums[call.kind] = self.sums.get(call.kind, 0.0) + call.seconds
            if (call.seconds >= _SLOW_SECONDS or not call.is_ok) and len(self.calls) < _MAX_CALLS:
                call.start = time.time_ns() - int(call.seconds * 1e9)
                self.calls.append(call)


@dataclasses.dataclass(frozen=True)
class Gauge:
    """A number at this moment, or one for each value of a label; without a label the only key is ""."""

    name: str  # words with dots between them
    description: str
    numbers: Mapping[str, float]
    label: str = ""


class Exporter(Protocol):
    """Receives operations, calls, runs and stages when they have ended; must be fast, and not raise."""

    def operation(self, operation: Operation) -> None: ...
    def call(self, call: Call) -> None: ...
    def run(self, run: Any) -> None: ...
    def stage(self, name: str, seconds: float) -> None: ...
    def gauge(self, gauge: Gauge) -> None: ...


# The counters of a run of esma_files that are reported, by their names there.
RUN_COUNTERS = (
    "read",
    "new",
    "changed",
    "ended",
    "dropped",
    "late",
    "unchanged",
    "rejected",
    "outside",
)
exporters: list[Exporter] = []
current: contextvars.ContextVar[Operation | None] = contextvars.ContextVar(
    "operation", default=None
)
# Calls that take longer are reported individually, up to _MAX_CALLS of an operation; others only as numbers.
_SLOW_SECONDS = 0.1
_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_MAX_CALLS = 50


def measured(kind: str, *, target: str, name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator: each call of the function is a call of a service."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def measure(*args: P.args, **options: P.kwargs) -> T:
            with Call(kind, target, name):
                return function(*args, **options)

        return measure

    return decorate


def measure_query(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
) -> Any:
    """Report a query; an `execute_wrapper` of Django."""
    with Call("database", context["connection"].alias, _first_word(sql[:20])):
        return execute(sql, params, many, context)


@functools.lru_cache(maxsize=1_000)
def _first_word(sql: str) -> str:
    return sql.split(maxsplit=1)[0].upper() if sql.strip() else ""


@functools.lru_cache(maxsize=1_000)
def _name_request(method: str | None, route: str | None) -> str:
    """Return the method and the route of a request; that of a regular expression without its ends."""
    named = "unknown" if route is None else f"/{route.removeprefix('^').removesuffix('$')}"
    return f"{method if method in _METHODS else 'OTHER'} {named}"


def report_run(run: Any) -> None:
    """Report a run that has ended, with its counts of records."""
    for exporter in exporters:
        exporter.run(run)


def report_stage(name: str, seconds: float) -> None:
    """Report the duration of one stage of a load: staging or merging."""
    for exporter in exporters:
        exporter.stage(name, seconds)


class TelemetryMiddleware:
    """Report each request. Only installed if there are exporters."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with Operation("request", "") as operation:
            response = self._get_response(request)
            match = request.resolver_match
            operation.name = _name_request(request.method, match and match.route)
            operation.identifier = request_id.get()
            operation.status = response.status_code
            operation.is_ok = response.status_code < 500
            operation.error = getattr(request, "unhandled_error", None)
            return response

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        request.unhandled_error = error  # type: ignore[attr-defined]
