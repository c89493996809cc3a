"""Run the health checks and sum up their results."""

import dataclasses
import datetime as dt
import threading
import time
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from marketdata import __version__
from marketdata.settings import masking
from monitoring.health import services
from monitoring.health.changes import Changes, log_change
from monitoring.health.checks import CHECKS, Check, Outcome, Result, Status
from monitoring.models import CheckResult

# Seconds for which a process repeats its last report instead of running the checks again.
_REPEAT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Report:
    """The results of all checks."""

    results: list[Result]
    timestamp: dt.datetime
    version: str = __version__

    @property
    def is_ready(self) -> bool:
        return all(r.status != Status.FAILED for r in self.results if r.for_readiness)

    @property
    def status(self) -> str:
        """healthy, degraded (something needs attention) or unhealthy (a part of this service has failed)."""
        own_statuses = [result.status for result in self.results if not result.is_outside]
        if Status.FAILED in own_statuses:
            return "unhealthy"
        statuses = {result.status for result in self.results}
        return "healthy" if statuses <= {Status.OK, Status.UNKNOWN} else "degraded"

    def status_of(self, name: str) -> str | None:
        return next((result.status for result in self.results if result.name == name), None)


def run_check(check: Check) -> Result:
    """Run a check. Of an error, only its kind becomes the reason."""
    start, raised = time.perf_counter(), ""
    try:
        outcome = check.run()
    except Exception as error:  # noqa: BLE001  # whatever is wrong, the report says that it is
        raised = masking.mask(repr(error))
        outcome = Outcome(Status.FAILED, f"{type(error).__name__}; the log has the details")
        if isinstance(error, (DatabaseError, InterfaceError)):
            connection.close()
    milliseconds = (time.perf_counter() - start) * 1000
    return Result(
        check.name,
        outcome.status,
        outcome.reason,
        milliseconds,
        for_readiness=check.for_readiness,
        error=raised,
    )


def run_checks(*, for_readiness_only: bool = False) -> Report:
    """Run the checks now. The full report includes the recorded results of outside services."""
    checks = [check for check in CHECKS if check.for_readiness or not for_readiness_only]
    results = [run_check(check) for check in checks]
    if not for_readiness_only:
        try:
            results = _with_records(results)
        except (DatabaseError, InterfaceError):
            connection.close()  # the check of the database has the reason
    return Report(results, timezone.now())


def record(results: Sequence[Result]) -> None:
    """Save results, each with the time since which its status has been the same, and log changes."""
    now = timezone.now()
    records = CheckResult.objects.in_bulk([r.name for r in results], field_name="name")
    for result in results:
        row = records.get(result.name) or CheckResult(name=result.name, since=now)
        log_change(result, before=row.status or Status.OK)
        if row.status != result.status:
            row.since = now
        row.status, row.reason, row.checked_at = result.status, result.reason, now
        row.milliseconds = result.milliseconds
        row.save()


def _with_records(results: list[Result]) -> list[Result]:
    """Add when each status began, and the recorded results of outside services."""
    records = {row.name: row for row in CheckResult.objects.all()}
    dated = []
    for result in results:
        row = records.get(result.name)
        since = row.since if row is not None and row.status == result.status else None
        dated.append(dataclasses.replace(result, since=since))
    return [*dated, *(_outside_result(name, records.get(name)) for name in services.names())]


def _outside_result(name: str, row: CheckResult | None) -> Result:
    if row is None:
        return Result(name, Status.UNKNOWN, "not checked yet", 0.0, is_outside=True)
    status, reason = row.status, row.reason
    age = timezone.now() - row.checked_at
    if age > services.OUTDATED_AFTER:
        status, reason = Status.UNKNOWN, f"last checked at {row.checked_at:%Y-%m-%d %H:%M} UTC"
    return Result(name, status, reason, row.milliseconds, row.since, is_outside=True)


class _Recent:
    """Reports of the last seconds, so that frequent requests for them cost little."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = Changes()
        self._reports: dict[bool, tuple[float, Report]] = {}

    def get(self, *, for_readiness_only: bool) -> Report:
        with self._lock:
            made_at, report = self._reports.get(for_readiness_only, (float("-inf"), None))
            if report is None or time.monotonic() - made_at > _REPEAT_SECONDS:
                report = run_checks(for_readiness_only=for_readiness_only)
                self._changes.log(report.results)
                self._reports[for_readiness_only] = (time.monotonic(), report)
            return report

    def forget(self) -> None:
        """Run the checks anew when they are asked for; the statuses that were logged stay known."""
        self._reports.clear()


recent = _Recent()
