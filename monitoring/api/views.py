from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.views import ApiView
from marketdata.common.access import reading
from monitoring import stats
from monitoring.api.serializers import StatsSerializer


class StatsView(ApiView):
    """Counts of instruments, listings and files by category and status, and the size of the database."""

    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(summary="Statistics of the database", responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        return Response(StatsSerializer(stats.collect()).data)
