"""Where the API begins."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from marketdata.common.access import reading

_BEGINNINGS = {
    "instruments": "instrument-list",
    "changes": "instrument-changes",
    "files": "file-list",
    "runs": "run-list",
    "storage": "storage",
    "venues": "venue-list",
    "transparency": "transparency-list",
    "transparency_of_sub_classes": "subclass-transparency-list",
    "volume_cap": "volume-cap-list",
    "cfi": "cfi-list",
    "reconciliations": "reconciliation-list",
    "stats": "stats",
    "schema": "schema",
    "docs": "docs",
}


class RootView(APIView):
    """Reference data of every instrument tradable in the EU, from ESMA's FIRDS."""

    name = "API"
    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(
            {what: reverse(name, request=request) for what, name in _BEGINNINGS.items()}
        )
