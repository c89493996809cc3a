"""The page of health: checks, workers and what waits for them, for those who may see the reasons."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from esma_files.models import Heartbeat, Run
from marketdata.web.access import GuardedView, holding
from monitoring.health.report import recent
from monitoring.models import CheckResult

_NAMES = {"esma_register": "ESMA's register", "gleif": "GLEIF", "openfigi": "OpenFIGI"}
# Where to look at what a check has found, and to act on it.
_PAGES = {
    "failed_files": ("files", "?state=failed"),
    "held_files": ("files", "?state=held"),
    "gaps": ("files-calendar", ""),
    "storage_budget": ("files-storage", ""),
}
_STYLES = {"ok": "active", "warning": "cancelled", "failed": "cancelled"}
_TITLES = {
    "healthy": "Everything works",
    "degraded": "Something needs attention",
    "unhealthy": "A part of the service has failed",
}


class StatusView(GuardedView):
    """The checks of `/health/` with their reasons, the processes that report, and the open runs."""

    needs = holding("monitoring.view_checkresult")

    def get(self, request: HttpRequest) -> HttpResponse:
        report = recent.get(for_readiness_only=False)
        order = ("failed", "warning", "unknown", "ok")
        results = sorted(report.results, key=lambda result: order.index(result.status))
        alive = {heartbeat.pk for heartbeat in Heartbeat.objects.alive()}
        queued = Run.objects.filter(state=Run.State.QUEUED)
        running = Run.objects.filter(state=Run.State.RUNNING).select_related("file")
        context = {
            "title": _TITLES[report.status],
            "report": report,
            "results": [
                {
                    "name": _NAMES.get(result.name, result.name.replace("_", " ")),
                    "address": _find_page(result.name),
                    "status": CheckResult.Status(result.status).label,
                    "style": _STYLES.get(result.status, ""),
                    "reason": result.reason,
                    "since": result.since,
                    "milliseconds": None if result.status == "unknown" else result.milliseconds,
                }
                for result in results
            ],
            "processes": [
                {"heartbeat": heartbeat, "is_alive": heartbeat.pk in alive}
                for heartbeat in Heartbeat.objects.all()
            ],
            "queued": queued.count(),
            "oldest": queued.order_by("requested_at").first(),
            "running": running.order_by("started_at"),
        }
        return render(request, "monitoring/status.html", context)


def _find_page(check: str) -> str:
    """Return the address of the page about a check; "" if there is none."""
    name, query = _PAGES.get(check, ("", ""))
    return f"{reverse(name)}{query}" if name else ""
