"""Telemetry as one writes it first: a middleware that calls the library itself. Kept to compare with.

Both middlewares report less than the service: nothing of caches, and spans have no numbers of their queries.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

_providers: list[Any] = []  # of OpenTelemetry, in this process


def flush() -> None:
    """Send what is waiting."""
    for provider in _providers:
        provider.force_flush()


def _get_route(request: HttpRequest) -> str:
    match = request.resolver_match
    return f"{request.method} {match.route if match else ''}"


class PlainMetrics:
    """Counts each request and its queries by prometheus-client."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        from prometheus_client import Histogram

        self._get_response = get_response
        self._requests = Histogram("plain_request_seconds", "Requests", ["route", "status"])
        self._queries = Histogram("plain_request_queries", "Queries of a request", ["route"])
        self._calls = Histogram("plain_call_seconds", "Queries", ["database", "ok"])

    def __call__(self, request: HttpRequest) -> HttpResponse:
        queries = 0

        def measure(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            nonlocal queries
            queries += 1
            began, is_ok = time.perf_counter(), False
            try:
                result = execute(sql, *arguments)
                is_ok = True
                return result
            finally:
                self._calls.labels("default", is_ok).observe(time.perf_counter() - began)

        began = time.perf_counter()
        with connection.execute_wrapper(measure):
            response = self._get_response(request)
        route = _get_route(request)
        self._requests.labels(route, response.status_code).observe(time.perf_counter() - began)
        self._queries.labels(route).observe(queries)
        return response


class PlainSpans:
    """Sends a span of each request by Microsoft's exporter, with its default settings otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        # Before the import of the exporter, which would report to Microsoft about itself.
        for name in ("STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED"):
            os.environ[f"APPLICATIONINSIGHTS_{name}"] = "true"
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._get_response = get_response
        provider = TracerProvider()
        exporter = AzureMonitorTraceExporter(disable_offline_storage=True)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = provider.get_tracer("plain")
        _providers.append(provider)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        from opentelemetry.trace import SpanKind

        with self._tracer.start_as_current_span("request", kind=SpanKind.SERVER) as span:
            response = self._get_response(request)
            span.update_name(_get_route(request))
            span.set_attribute("http.request.method", request.method or "")
            span.set_attribute("http.route", _get_route(request))
            span.set_attribute("http.response.status_code", response.status_code)
            return response
