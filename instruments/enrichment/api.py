"""Requests for enrichment in the API."""

from collections.abc import Collection
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from audit import trail
from esma_files.api.serializers import RunSerializer
from esma_files.models import Run
from instruments import path_parameters
from instruments.enrichment import steps
from instruments.listings.lookup import get_instrument
from marketdata.api.parameters import StrictSerializer
from marketdata.api.views import ApiView
from marketdata.common.numbers import format_count
from marketdata.web.access import holding

_RULE = holding("instruments.enrich_instrument", costly=True)
_DESCRIPTION = (
    "A worker asks the outside services; the request waits for none of them. Follow the run at the address in"
    " the header Location: its `report` has the outcome of each ISIN and LEI."
)


class EnrichSerializer(StrictSerializer):
    """The instruments to enrich."""

    isins = serializers.ListField(
        child=serializers.CharField(max_length=100),
        min_length=1,
        max_length=steps.MAX_ISINS,
        help_text=f"1 to {steps.MAX_ISINS:,} ISINs, FIGIs or tickers of instruments in the database",
    )


def _accept(request: Request, isins: Collection[str], about: Any) -> Response:
    run: Run = steps.request(isins, requested_by=request.user.get_username())
    trail.record("instruments.enrich", request=request, about=about, new={"isins": len(isins)})
    run.refresh_from_db()
    location = reverse("run-detail", args=[run.pk], request=request)
    serializer = RunSerializer(run, context={"request": request})
    return Response(serializer.data, status=202, headers={"Location": location})


class EnrichInstrumentView(ApiView):
    """Ask outside services for data of one instrument."""

    name = "Enrich"
    needs = {"POST": _RULE}

    @extend_schema(
        operation_id="instruments_enrich",
        summary="Ask OpenFIGI and GLEIF for the FIGIs and the issuer of an instrument again",
        description=_DESCRIPTION,
        parameters=[path_parameters.IDENTIFIER],
        request=None,
        responses={202: RunSerializer},
    )
    def post(self, request: Request, isin: str) -> Response:
        instrument = get_instrument(isin)
        return _accept(request, [instrument.isin], instrument)


class EnrichView(ApiView):
    """Ask outside services for data of a list of instruments."""

    name = "Enrich"
    needs = {"POST": _RULE}

    @extend_schema(
        operation_id="instruments_enrich_list",
        summary="Ask OpenFIGI and GLEIF for the FIGIs and issuers of a list of instruments again",
        description=f"{_DESCRIPTION} A list with a malformed or unknown ISIN is refused.",
        request=EnrichSerializer,
        responses={202: RunSerializer},
    )
    def post(self, request: Request) -> Response:
        isins = self.read_body(EnrichSerializer)["isins"]
        return _accept(request, isins, format_count(len(isins), "instrument"))
