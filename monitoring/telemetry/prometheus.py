"""Metrics for Prometheus, of all processes of this machine: /metrics.

Processes share their numbers by files in METRICS_DIR (prometheus-client's multiprocess mode). Writing one
number takes as long as a small query, so a request only queues them: a thread writes them each second,
those of one series together (decision 95).
"""

import atexit
import bisect
import collections
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
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
from marketdata.common import telemetry
from marketdata.common.logs import REPEATED
from marketdata.common.telemetry import RUN_COUNTERS, Call, Gauge, Operation
from monitoring.telemetry.gauges import read_gauges

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_WRITE_SECONDS = 1
# Numbers that may wait to be written, many times those of a second: beyond, the oldest are lost.
_MAX_WAITING = 100_000
# A metric and the values of its labels.
_Series = tuple[Any, ...]

logger = logging.getLogger(__name__)


class BatchHistogram(Histogram):
    """A histogram that takes many observations of one series at once."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Count the amounts; the same as `observe` for each, with one write a bucket."""
        numbers = collections.Counter(
            bisect.bisect_left(self._upper_bounds, amount) for amount in amounts
        )
        self._sum.inc(sum(amounts))
        for bucket, number in numbers.items():
            self._buckets[bucket].inc(number)


class Prometheus:
    """An exporter that keeps numbers for /metrics."""

    def __init__(self) -> None:
        settings.METRICS_DIR.mkdir(parents=True, exist_ok=True)
        self._requests = BatchHistogram(
            "marketdata_request_seconds",
            "Duration of requests",
            ["route", "status"],
            buckets=_SECONDS,
        )
        self._queries = BatchHistogram(
            "marketdata_request_queries",
            "Database queries of a request",
            ["route"],
            buckets=(0, 1, 2, 5, 10, 20, 50, 100, 500),
        )
        self._tasks = BatchHistogram(
            "marketdata_task_seconds", "Duration of tasks", ["task", "ok"], buckets=_SECONDS
        )
        self._calls = BatchHistogram(
            "marketdata_call_seconds",
            "Duration of calls of the database, other services and the storage",
            ["kind", "target", "ok"],
            buckets=_SECONDS,
        )
        self._cache_reads = Counter("marketdata_cache_reads", "Reads of caches", ["cache", "hit"])
        self._stage_seconds = Counter(
            "marketdata_load_stage_seconds", "Duration of the stages of loads", ["stage"]
        )
        self._runs = Counter("marketdata_runs", "Runs that have ended", ["kind", "state"])
        self._run_seconds = Counter("marketdata_run_seconds", "Duration of ended runs", ["kind"])
        self._records = Counter(
            "marketdata_records", "Records of ended runs by outcome", ["kind", "outcome"]
        )
        self._waiting: collections.deque[Operation | Call] = collections.deque(maxlen=_MAX_WAITING)
        self._writing = threading.Lock()
        self._has_thread = False
        os.register_at_fork(after_in_child=self._begin_anew)
        atexit.register(self.flush)

    def operation(self, operation: Operation) -> None:
        self._waiting.append(operation)
        if not self._has_thread:
            self._start_thread()

    def call(self, call: Call) -> None:
        self._waiting.append(call)
        if not self._has_thread:
            self._start_thread()

    def _get_numbers(self, ended: Operation | Call) -> Iterator[tuple[_Series, float]]:
        """Yield the numbers of what has ended, each with its series."""
        if isinstance(ended, Call):
            yield (self._calls, ended.kind, ended.target, ended.is_ok), ended.seconds
            if ended.is_hit is not None:
                yield (self._cache_reads, ended.target, ended.is_hit), 1
        elif ended.kind == "task":
            yield (self._tasks, ended.name, ended.is_ok), ended.seconds
        else:
            yield (self._requests, ended.name, ended.status), ended.seconds
            yield (self._queries, ended.name), ended.counts.get("database", 0)

    def _start_thread(self) -> None:
        if not self._has_thread:
            self._has_thread = True
            threading.Thread(target=self._write_each_second, daemon=True, name="metrics").start()

    def _begin_anew(self) -> None:
        """Forget, in a process that has just been forked, what its parent will write."""
        self._waiting.clear()
        self._writing = threading.Lock()
        self._has_thread = False

    def _write_each_second(self) -> None:
        while True:
            time.sleep(_WRITE_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Write the numbers that wait. Those of a series that cannot be written are lost, and logged."""
        with self._writing:
            numbers = collections.defaultdict(list)
            for _ in range(len(self._waiting)):
                for series, number in self._get_numbers(self._waiting.popleft()):
                    numbers[series].append(number)
            for (metric, *labels), amounts in numbers.items():
                try:
                    if isinstance(metric, BatchHistogram):
                        metric.labels(*labels).observe_all(amounts)
                    else:
                        metric.labels(*labels).inc(sum(amounts))
                except Exception:  # of one series, or of the disk: requests and later numbers go on
                    logger.exception("A metric cannot be written.", extra=REPEATED)

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
    """Return the numbers of all processes in Prometheus' text format.

    Those of the last second of other processes may be missing.
    """
    for exporter in telemetry.exporters:
        if isinstance(exporter, Prometheus):
            exporter.flush()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(settings.METRICS_DIR))  # type: ignore[no-untyped-call]
    registry.register(_DatabaseGauges())
    return generate_latest(registry)
