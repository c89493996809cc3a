"""Numbers read from the database, for every exporter. Each is one query on an index or a small table."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from esma_files import usage
from esma_files.models import EsmaFile, Heartbeat, Run
from marketdata import __version__
from marketdata.common.telemetry import Gauge
from marketdata.services.models import RequestBudget
from monitoring.models import CheckResult


def read_gauges() -> Iterator[Gauge]:
    yield Gauge("info", "Version", {__version__: 1}, "version")
    checks = CheckResult.objects.values_list("name", "status")
    failed = {name: int(status == CheckResult.Status.FAILED) for name, status in checks}
    yield Gauge("check.failed", "1 if the health check has failed", failed, "check")
    yield Gauge("files", "Files by state", _count(EsmaFile.objects.all(), "state"), "state")
    runs = {"queued": 0.0, "running": 0.0} | _count(Run.objects.open(), "state")
    yield Gauge("runs.open", "Runs that are queued or running", runs, "state")
    alive = _count(Heartbeat.objects.recent(), "role")
    yield Gauge("processes", "Workers and schedules", alive, "role")
    loaded = EsmaFile.objects.ever_loaded().order_by("-sequence").first()
    if loaded is not None:
        age = (timezone.localdate() - loaded.published_on).days
        yield Gauge("data.age.days", "Days since the newest loaded file", {"": age})
    now = timezone.now()
    remaining = {
        budget.service: budget.remaining if budget.resets_at > now else budget.requests
        for budget in RequestBudget.objects.all()
    }
    name, description = "service.requests.left", "Requests left in this window of time"
    yield Gauge(name, description, remaining, "service")
    yield Gauge("storage.bytes", "Bytes of stored files", {"": usage.bytes_used()})
    budget = settings.STORAGE_BUDGET_BYTES
    yield Gauge("storage.budget.bytes", "STORAGE_BUDGET_BYTES", {"": budget})


def _count(queryset: Any, field: str) -> dict[str, float]:
    rows = queryset.order_by().values_list(field).annotate(Count("pk"))
    return {str(value): float(number) for value, number in rows}
