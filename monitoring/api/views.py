import json
from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.views import ApiView
from marketdata.web.access import PUBLIC, holding, is_met, reading
from monitoring import stats
from monitoring.api.serializers import HealthSerializer, ServicesHealthSerializer, StatsSerializer
from monitoring.health.checks import Status
from monitoring.health.report import Report, recent


class StatsView(ApiView):
    """Counts of instruments, listings and files by category and status, and the size of the database."""

    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(summary="Statistics of the database", responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        return Response(StatsSerializer(stats.collect()).data)


class PlainTextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        return data if isinstance(data, bytes) else json.dumps(data).encode()


_DETAILS = holding("monitoring.view_checkresult")
_UNHEALTHY = "A part of the service has failed."
_SERVICES = ("database", "openfigi", "gleif", "storage")
_SERVICE_STATES = {Status.OK: "connected", Status.WARNING: "connected", Status.UNKNOWN: "unknown"}


class HealthView(ApiView):
    """Health of the service: all checks, with reasons for those who may see them."""

    needs = {"GET": PUBLIC}

    @extend_schema(
        summary="Health of the service",
        responses={200: HealthSerializer, 503: OpenApiResponse(HealthSerializer, _UNHEALTHY)},
    )
    def get(self, request: Request) -> Response:
        report = recent.get(for_readiness_only=False)
        content = {
            "status": report.status,
            "timestamp": report.timestamp,
            "version": report.version,
            "commit": "",
            "checks": [],
        }
        if is_met(_DETAILS, request.user):
            content |= {"commit": settings.GIT_COMMIT, "checks": report.results}
        is_healthy = report.status != "unhealthy"
        return _uncached(HealthSerializer(content).data, is_healthy=is_healthy)


class ServicesHealthView(ApiView):
    """Health in the form of the migration plan: the database, the storage and outside services."""

    needs = {"GET": PUBLIC}

    @extend_schema(
        summary="Health of the service in brief",
        operation_id="health_in_brief",
        responses={
            200: ServicesHealthSerializer,
            503: OpenApiResponse(ServicesHealthSerializer, _UNHEALTHY),
        },
    )
    def get(self, request: Request) -> Response:
        report = recent.get(for_readiness_only=False)
        content = {
            "status": "healthy" if report.is_ready else "unhealthy",
            "timestamp": report.timestamp,
            "services": {name: _service_state(report, name) for name in _SERVICES},
            "version": report.version,
        }
        return _uncached(ServicesHealthSerializer(content).data, is_healthy=report.is_ready)


def _service_state(report: Report, name: str) -> str:
    status = report.status_of(name) or Status.UNKNOWN
    return _SERVICE_STATES.get(Status(status), "unavailable")


def _uncached(content: Any, *, is_healthy: bool) -> Response:
    status = HTTPStatus.OK if is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(content, status=status, headers={"Cache-Control": "no-store"})


class MetricsView(ApiView):
    """Metrics in Prometheus' text format; there are none unless TELEMETRY contains `prometheus`."""

    needs = {"GET": holding("monitoring.view_checkresult")}
    schema = None  # not part of the API
    renderer_classes = (PlainTextRenderer,)

    def get(self, request: Request) -> Response:
        if "prometheus" not in settings.TELEMETRY:
            raise NotFound("There are no metrics: TELEMETRY does not contain prometheus.")
        from monitoring.telemetry.prometheus import exposition  # noqa: PLC0415  # only if configured

        return Response(exposition(), headers={"Cache-Control": "no-store"})
