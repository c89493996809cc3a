"""Metrics for Prometheus, of all processes of this machine: /metrics.

Processes share their numbers by files in METRICS_DIR (prometheus-client's multiprocess mode).
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily

from esma_files.models import Run
from marketdata.common.telemetry import RUN_COUNTERS, Call, Gauge, Operation
from monitoring.telemetry.gauges import read_gauges

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class ByLabels(dict[tuple[Any, ...], Any]):
    """The series of a metric by its labels; `labels` of the library takes as long as counting does."""

    def __init__(self, metric: Counter | Histogram) -> None:
        super().__init__()
        self.metric = metric

    def __missing__(self, labels: tuple[Any, ...]) -> Any:
        series = self[labels] = self.metric.labels(*labels)
        return series


class Prometheus:
    """An exporter that keeps numbers for /metrics."""

    def __init__(self) -> None:
        settings.METRICS_DIR.mkdir(parents=True, exist_ok=True)
        requests = Histogram(
            "marketdata_request_seconds",
            "Duration of requests",
            ["route", "status"],
            buckets=_SECONDS,
        )
        queries = Histogram(
            "marketdata_request_queries",
            "Database queries of a request",
            ["route"],
            buckets=(0, 1, 2, 5, 10, 20, 50, 100, 500),
        )
        self._tasks = Histogram(
            "marketdata_task_seconds", "Duration of tasks", ["task", "ok"], buckets=_SECONDS
        )
        calls = Histogram(
            "marketdata_call_seconds",
            "Duration of calls of the database, other services and the storage",
            ["kind", "target", "ok"],
            buckets=_SECONDS,
        )
        cache_reads = Counter("marketdata_cache_reads", "Reads of caches", ["cache", "hit"])
        self._stage_seconds = Counter(
            "marketdata_load_stage_seconds", "Duration of the stages of loads", ["stage"]
        )
        self._runs = Counter("marketdata_runs", "Runs that have ended", ["kind", "state"])
        self._run_seconds = Counter("marketdata_run_seconds", "Duration of ended runs", ["kind"])
        self._records = Counter(
            "marketdata_records", "Records of ended runs by outcome", ["kind", "outcome"]
        )
        self._requests, self._queries = ByLabels(requests), ByLabels(queries)
        self._calls, self._cache_reads = ByLabels(calls), ByLabels(cache_reads)

    def operation(self, operation: Operation) -> None:
        if operation.kind == "task":
            self._tasks.labels(operation.name, operation.is_ok).observe(operation.seconds)
            return
        self._requests[operation.name, operation.status].observe(operation.seconds)
        self._queries[(operation.name,)].observe(operation.counts.get("database", 0))

    def call(self, call: Call) -> None:
        self._calls[call.kind, call.target, call.is_ok].observe(call.seconds)
        if call.is_hit is not None:
            self._cache_reads[call.target, call.is_hit].inc()

    def stage(self, name: str, seconds: float) -> None:
        self._stage_seconds.labels(name).inc(seconds)

    def gauge(self, gauge: Gauge) -> None:
        """Ignore it: `exposition` reads the gauges when Prometheus asks."""

    def run(self, run: Run) -> None:
        self._runs.labels(run.kind, run.state).inc()
        self._run_seconds.labels(run.kind).inc(run.seconds)
        for name in RUN_COUNTERS:
            self._records.labels(run.kind, name).inc(getattr(run, name))


class _DatabaseGauges:
    """Gauges read from the database when Prometheus asks."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for gauge in read_gauges():
            name = "marketdata_" + gauge.name.replace(".", "_")
            labels = [gauge.label] if gauge.label else []
            family = GaugeMetricFamily(name, gauge.description, labels=labels)
            for value, number in gauge.numbers.items():
                family.add_metric([value] if gauge.label else [], number)
            yield family


def exposition() -> bytes:
    """Return the numbers of all processes in Prometheus' text format."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(settings.METRICS_DIR))  # type: ignore[no-untyped-call]
    registry.register(_DatabaseGauges())
    return generate_latest(registry)
