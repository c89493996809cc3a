"""Instruments over HTTP."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.isin import problem_of
from instruments.listings import history
from instruments.listings.api.filters import InstrumentFilterSet
from instruments.listings.api.serializers import (
    InstrumentDetailSerializer,
    InstrumentSerializer,
    RecordSerializer,
    RegisterSerializer,
    VersionSerializer,
    WhenSerializer,
    today_of,
)
from instruments.models import Instrument, Listing
from marketdata.api.pagination import KeysetPages, NumberedPages
from marketdata.api.problems import documented
from marketdata.common.access import reading

_ISIN = OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN of the instrument")
_PROBLEMS = documented(
    {
        404: "No such instrument, or page.",
    }
)


@extend_schema_view(
    list=extend_schema(
        summary="List, filter and search instruments",
        responses={200: InstrumentSerializer(many=True), **_PROBLEMS},
    ),
    retrieve=extend_schema(
        summary="One instrument with its terms and all its listings",
        parameters=[_ISIN, WhenSerializer],
        responses={200: InstrumentDetailSerializer, **_PROBLEMS},
    ),
)
class InstrumentViewSet(viewsets.ReadOnlyModelViewSet[Instrument]):
    """Instruments tradable in the EU and in the UK, as ESMA and the FCA last published them."""

    title = "Instruments"
    needs = dict.fromkeys(
        ("list", "retrieve", "listings", "history"), reading("instruments.view_instrument")
    )
    queryset = Instrument.objects.all()
    serializer_class = InstrumentSerializer
    filterset_class = InstrumentFilterSet
    pagination_class = KeysetPages
    lookup_field = "isin"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Instrument:
        """The instrument; a 400 says what is wrong with an ISIN, a 404 that there is none."""
        isin = self.kwargs["isin"].upper()
        if problem := problem_of(isin):
            raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
        found = self.get_queryset().filter(pk=isin).first()
        if found is None:
            raise exceptions.NotFound(f"No instrument with the ISIN {isin} is in the files loaded.")
        return found

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        instrument: Instrument | None = self.get_object()
        if when := _asked(request, WhenSerializer):
            instrument = history.snapshot(self.get_object().isin, **when)
            if instrument is None:
                raise exceptions.NotFound(_nothing_then(**when))
        context = {"request": request, **today_of(when)}
        return Response(InstrumentDetailSerializer(instrument, context=context).data)

    @extend_schema(
        summary="Every record of each listing, and what it changed",
        parameters=[_ISIN, RegisterSerializer],
        responses={200: VersionSerializer(many=True), **_PROBLEMS},
        filters=False,
    )
    @action(detail=True, filterset_class=None, pagination_class=NumberedPages)
    def history(self, request: Request, isin: str) -> Response:
        versions: Any = list(
            history.versions(self.get_object().isin, **_asked(request, RegisterSerializer))
        )
        page: Any = self.paginate_queryset(versions)
        return self.get_paginated_response(VersionSerializer(page, many=True).data)

    @extend_schema(
        summary="Every field of RTS 23 of each listing",
        parameters=[_ISIN, RegisterSerializer],
        responses={200: RecordSerializer(many=True), **_PROBLEMS},
        filters=False,
    )
    @action(detail=True, filterset_class=None, pagination_class=NumberedPages)
    def listings(self, request: Request, isin: str) -> Response:
        listings: QuerySet[Any] = Listing.objects.of(self.get_object().isin)
        listings = listings.filter(**_asked(request, RegisterSerializer))
        page: Any = self.paginate_queryset(listings.select_related("source_file", "dropped_by"))
        return self.get_paginated_response(RecordSerializer(page, many=True).data)


def _asked(request: Request, serializer: type[RegisterSerializer]) -> dict[str, Any]:
    """The parameters of a question; raises ValidationError."""
    asked = serializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    found: dict[str, Any] = asked.validated_data
    return found


def _nothing_then(
    as_of: dt.date | None = None, known_on: dt.date | None = None, register: str = ""
) -> str:
    where = f" in the register of the {register}" if register else ""
    then = (
        f"It had no listing{where} that was valid on {as_of}"
        if as_of
        else f"No record of it was known{where}"
    )
    if register and not (as_of or known_on):
        return f"It has no listing{where}."
    return f"{then}, as far as was known on {known_on}." if known_on else f"{then}."
