from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.problems import documented
from marketdata.common.access import reading
from monitoring import stats
from monitoring.api.serializers import StatsSerializer

_PROBLEMS = documented(
    {401: "Authentication is required.", 403: "Your roles do not include reading instruments."}
)


class StatsView(APIView):
    """Counts of instruments, listings and files by category and status, and the size of the database."""

    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(
        summary="Statistics of the database", responses={200: StatsSerializer, **_PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        return Response(StatsSerializer(stats.collect()).data)
