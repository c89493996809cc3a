"""Application Insights, by Microsoft's exporter for OpenTelemetry.

Requests, tasks, slow or failed calls, exceptions and log lines from WARNING up are sent in the background;
numbers every minute. While the service cannot be reached they are kept on disk and sent later. The statistics
about itself that the exporter would send to Microsoft are switched off.
"""

import logging
import os
import traceback
from typing import Any

# Before the import of the exporter, which reads them.
for _variable in (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
):
    os.environ.setdefault(_variable, "true")

from azure.monitor.opentelemetry.exporter import (  # noqa: E402
    AzureMonitorLogExporter,
    AzureMonitorMetricExporter,
    AzureMonitorTraceExporter,
)
from django.conf import settings  # noqa: E402
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler  # noqa: E402
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: E402
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: E402

from marketdata import __version__  # noqa: E402
from marketdata.common import logs  # noqa: E402
from marketdata.common.telemetry import RUN_COUNTERS, Call, Gauge, Operation  # noqa: E402
from marketdata.settings import masking  # noqa: E402

# The exporter's own lines must not be exported again. Django's lines about requests and refusals quote
# what a client has sent, and the requests themselves are exported anyway.
_LOGGERS_LEFT_OUT = (
    "azure.",
    "opentelemetry.",
    "urllib3.",
    "django.request",
    "django.security",
    "axes",
)
_METRICS_MILLISECONDS = 60_000


class _MaskingHandler(LoggingHandler):
    """Exports the message of a log line, with its traceback, its request and its run, without secrets.

    Whatever else a line carries (`extra`), such as the request itself, stays here.
    """

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            message += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        place = (record.name, record.levelno, record.pathname, record.lineno)
        masked = logging.LogRecord(*place, masking.mask(message), (), None, record.funcName)
        masked.created = record.created
        masked.request_id, masked.run_id = logs.request_id.get(), logs.run_id.get() or 0
        super().emit(masked)


def _describe(error: BaseException) -> dict[str, str]:
    """Return the attributes of an exception in OpenTelemetry's conventions, without secrets."""
    return {
        "exception.type": type(error).__qualname__,
        "exception.message": masking.mask(str(error)),
        "exception.stacktrace": masking.mask("".join(traceback.format_exception(error))),
    }


class ApplicationInsights:
    """An exporter to Application Insights."""

    def __init__(self, connection_string: str) -> None:
        options: dict[str, Any] = {
            "connection_string": str(connection_string),
            "storage_directory": str(settings.TELEMETRY_DIR),
        }
        interval = settings.TELEMETRY_SECONDS * 1000
        resource = Resource.create({"service.name": "marketdata", "service.version": __version__})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=True)
        exporter = AzureMonitorTraceExporter(**options, tracer_provider=self._traces)
        self._traces.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=interval)
        )
        self._tracer = self._traces.get_tracer("marketdata")
        reader = PeriodicExportingMetricReader(
            AzureMonitorMetricExporter(**options), export_interval_millis=_METRICS_MILLISECONDS
        )
        self._metrics = MeterProvider([reader], resource=resource)
        self._meter = meter = self._metrics.get_meter("marketdata")
        self._seconds = meter.create_histogram("request.seconds", unit="s")
        self._queries = meter.create_histogram("request.queries")
        self._records = meter.create_counter("run.records")
        self._stage_seconds = meter.create_histogram("load.stage.seconds", unit="s")
        self._cache_reads = meter.create_counter("cache.reads")
        self._call_seconds = meter.create_histogram("call.seconds", unit="s")
        self._run_seconds = meter.create_histogram("run.seconds", unit="s")
        self._logs = LoggerProvider(resource=resource)
        self._logs.add_log_record_processor(
            BatchLogRecordProcessor(
                AzureMonitorLogExporter(**options), schedule_delay_millis=interval
            )
        )
        self._handler = _MaskingHandler(level=logging.WARNING, logger_provider=self._logs)
        self._handler.addFilter(lambda record: not record.name.startswith(_LOGGERS_LEFT_OUT))
        logging.getLogger().addHandler(self._handler)

    def operation(self, operation: Operation) -> None:
        is_request = operation.kind == "request"
        attributes: dict[str, Any] = {f"count.{k}": v for k, v in operation.counts.items()}
        attributes |= {f"seconds.{k}": v for k, v in operation.sums.items()}
        if is_request:
            method, _, route = operation.name.partition(" ")
            attributes |= {
                "http.request.method": method,
                "http.route": route,
                "url.path": route,  # never the address: it may hold a token
                "http.response.status_code": operation.status,
                "request_id": operation.identifier,
            }
            labels = {"route": operation.name, "status": str(operation.status)}
            self._seconds.record(operation.seconds, labels)
            self._queries.record(operation.counts.get("database", 0), {"route": operation.name})
        kind = SpanKind.SERVER if is_request else SpanKind.CONSUMER
        span = self._tracer.start_span(
            operation.name, kind=kind, attributes=attributes, start_time=operation.start
        )
        context = set_span_in_context(span)
        for call in operation.calls:
            self._send_call(call, context)
        if operation.error is not None:
            span.add_event("exception", _describe(operation.error))
        if not operation.is_ok:
            span.set_status(Status(StatusCode.ERROR))
        span.end(operation.start + int(operation.seconds * 1e9))

    def _send_call(self, call: Call, context: Any) -> None:
        attributes = {"server.address": call.target, "peer.service": call.target}
        attributes["db.system" if call.kind == "database" else "rpc.system"] = call.kind
        span = self._tracer.start_span(
            f"{call.kind} {call.name}",
            context,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=call.start,
        )
        span.set_status(Status(StatusCode.OK if call.is_ok else StatusCode.ERROR))
        span.end(call.start + int(call.seconds * 1e9))

    def call(self, call: Call) -> None:
        """Record a call of another service. Those of the database are sums of their operation.

        Calls that were slow or failed are also sent one by one with their operation.
        """
        if call.kind in ("http", "storage"):
            labels = {"kind": call.kind, "target": call.target, "ok": str(call.is_ok)}
            self._call_seconds.record(call.seconds, labels)
        if call.is_hit is not None:
            self._cache_reads.add(1, {"cache": call.target, "hit": str(call.is_hit)})

    def stage(self, name: str, seconds: float) -> None:
        self._stage_seconds.record(seconds, {"stage": name})

    def run(self, run: Any) -> None:
        self._run_seconds.record(run.seconds, {"kind": run.kind, "state": run.state})
        for name in RUN_COUNTERS:
            if number := getattr(run, name):
                self._records.add(number, {"kind": run.kind, "outcome": name})

    def gauge(self, gauge: Gauge) -> None:
        instrument = self._meter.create_gauge(gauge.name, description=gauge.description)
        for value, number in gauge.numbers.items():
            instrument.set(number, {gauge.label: value} if gauge.label else {})

    def flush(self) -> None:
        """Send what is waiting."""
        self._traces.force_flush()
        self._logs.force_flush()
        self._metrics.force_flush()

    def close(self) -> None:
        """Send what is waiting, and end the background threads."""
        logging.getLogger().removeHandler(self._handler)
        self._traces.shutdown()
        self._logs.shutdown()
        self._metrics.shutdown()
