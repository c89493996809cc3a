from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.problems import documented
from marketdata.common.access import reading
from monitoring import stats
from monitoring.api.serializers import StatsSerializer

_PROBLEMS = documented(
    {401: "Reading needs a sign-in here.", 403: "Your roles do not include reading."}
)


class StatsView(APIView):
    """Counts by category and status, files, coverage and the size of the database."""

    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(summary="What is in the database", responses={200: StatsSerializer, **_PROBLEMS})
    def get(self, request: Request) -> Response:
        return Response(StatsSerializer(stats.collect()).data)
