from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring import stats
from monitoring.api.serializers import StatsSerializer


class StatsView(APIView):
    """Counts by category and status, files, coverage and the size of the database."""

    @extend_schema(summary="What is in the database", responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        return Response(StatsSerializer(stats.collect()).data)
