"""Whether, and on which venues, an instrument was reportable on a day, over HTTP."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments.isin import problem_of
from instruments.listings import history
from instruments.listings.api.serializers import RegisterSerializer
from instruments.models import Instrument
from marketdata.api.problems import documented
from marketdata.common.access import reading

_PROBLEMS = documented(
    {
        404: "No such instrument.",
    }
)


class DaySerializer(RegisterSerializer):
    """The day asked for, what was known when, and the register."""

    on = serializers.DateField(required=False, help_text="day of the trade; today without")
    known_on = serializers.DateField(
        required=False, help_text="by what had been published by the end of this day"
    )


class ReportableVenueSerializer(serializers.Serializer[Any]):
    """A venue where it could be traded."""

    mic = serializers.CharField()
    venue_name = serializers.CharField(allow_null=True)
    register = serializers.CharField()
    first_trade_at = serializers.DateTimeField(allow_null=True)
    terminated_at = serializers.DateTimeField(allow_null=True)
    valid_from = serializers.DateField()
    source_file = serializers.CharField(source="source_file.name")


class ReportableSerializer(serializers.Serializer[Any]):
    """Whether an instrument was reportable on a day, and on which venues it was traded."""

    isin = serializers.CharField()
    on = serializers.DateField()
    known_on = serializers.DateField(allow_null=True)
    reportable = serializers.BooleanField()
    venues = ReportableVenueSerializer(many=True)


def reportable_of(text: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What `ReportableSerializer` shows. Raises ValidationError, NotFound."""
    isin = text.upper()
    if problem := problem_of(isin):
        raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
    asked = DaySerializer(data=parameters)
    asked.is_valid(raise_exception=True)
    if not Instrument.objects.filter(pk=isin).exists():
        raise exceptions.NotFound(f"No instrument with the ISIN {isin} is in the files loaded.")
    said = {"on": dt.datetime.now(dt.UTC).date(), **asked.validated_data}
    venues = history.reportable(isin, **said)
    return {
        "isin": isin,
        "on": said["on"],
        "known_on": said.get("known_on"),
        "reportable": bool(venues),
        "venues": venues,
    }


class ReportableView(APIView):
    """Whether an instrument was reportable on a day, and on which venues."""

    name = "Reportable"
    needs = {"GET": reading("instruments.view_instrument")}

    @extend_schema(
        operation_id="instruments_reportable",
        summary="Whether it was reportable on a day, and on which venues",
        parameters=[
            OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN"),
            DaySerializer,
        ],
        responses={200: ReportableSerializer, **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        offered = {*DaySerializer().fields, "format"}
        if unknown := sorted(set(request.query_params) - offered):
            there = ", ".join(sorted(DaySerializer().fields))
            raise exceptions.ValidationError(
                {name: [f"no such parameter; there are {there}"] for name in unknown}
            )
        return Response(ReportableSerializer(reportable_of(isin, request.query_params)).data)
