"""Lists of instruments, look-ups, and the questions about one instrument."""

import functools
import json
from collections.abc import Sequence
from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.api_cache import CachedAnswers
from instruments.listings import corrections, descriptions, facets, history, included, lookup
from instruments.listings.api.included_parts import ListedInstrumentSerializer
from instruments.listings.api.instrument_pages import InstrumentPages
from instruments.listings.api.parameters import (
    ListSerializer,
    RegisterSerializer,
    ReportabilityQuerySerializer,
    SnapshotSerializer,
)
from instruments.listings.api.serializers import (
    InstrumentDetailSerializer,
    InstrumentSerializer,
    LookupResultSerializer,
    RecordSerializer,
    ReportabilitySerializer,
    VersionSerializer,
)
from instruments.listings.filters import ListFilterSet
from instruments.listings.reportability import get_reportability
from instruments.models import DataSubject, Instrument, Listing
from marketdata.api.pagination import NumberedPages
from marketdata.api.parameters import StrictSerializer
from marketdata.common.errors import NotPermitted
from marketdata.web.access import is_met, reading


class LookupQuerySerializer(StrictSerializer):
    """A list of ISINs."""

    isins = serializers.ListField(
        child=serializers.CharField(max_length=50, allow_blank=True),
        min_length=1,
        max_length=lookup.MAX_ISINS,
        help_text=f"1 to {lookup.MAX_ISINS:,} ISINs, FIGIs or tickers, in upper or lower case",
    )


class _BodyWithAnyItems(LookupQuerySerializer):
    """The body; each of its items is checked for itself."""

    isins = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=lookup.MAX_ISINS
    )

    def validate_isins(self, items: Sequence[Any]) -> list[str]:
        """Return the items as texts, which a look-up answers each."""
        return [item if isinstance(item, str) else json.dumps(item) for item in items]


class LookupAnswerSerializer(LookupResultSerializer):
    """The outcome for one ISIN, with the instrument if it was found."""

    instrument = InstrumentSerializer(allow_null=True, help_text="null if it was not found")


class LookupAnswersSerializer(serializers.Serializer[Any]):
    """The outcome for each ISIN, in the order of the request."""

    results = LookupAnswerSerializer(many=True)


@extend_schema_view(
    list=extend_schema(
        summary="List, filter and search instruments",
        responses={200: ListedInstrumentSerializer(many=True)},
    ),
    retrieve=extend_schema(
        summary="Get one instrument with its terms and all its listings",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: InstrumentDetailSerializer},
    ),
)
class InstrumentViewSet(CachedAnswers, viewsets.ReadOnlyModelViewSet[Instrument]):
    """Instruments tradable in the EU and in the UK, as ESMA and the FCA publish them."""

    title = "Instruments"
    needs = dict.fromkeys(
        ("list", "retrieve", "listings", "history", "reportable", "look_up"),
        reading("instruments.view_instrument"),
    )
    query_serializers = {
        "list": ListSerializer,
        "retrieve": SnapshotSerializer,
        "history": RegisterSerializer,
        "listings": RegisterSerializer,
        "reportable": ReportabilityQuerySerializer,
    }
    # An ISIN may be given as a FIGI or ticker; the venues tell operators from issuers.
    answers_from = {
        "list": tuple(DataSubject),
        **dict.fromkeys(
            ("listings", "history", "reportable"),
            (DataSubject.LISTINGS, DataSubject.VENUES, DataSubject.FIGIS),
        ),
        # The issuer is compared with that of GLEIF.
        "retrieve": (
            DataSubject.LISTINGS,
            DataSubject.VENUES,
            DataSubject.FIGIS,
            DataSubject.ENTITIES,
        ),
    }
    queryset = Instrument.objects.all()
    serializer_class = ListedInstrumentSerializer
    filterset_class = ListFilterSet
    pagination_class = InstrumentPages
    lookup_field = "isin"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Instrument:
        """Return the instrument. Raises InvalidQuery, NotInDatabase."""
        return lookup.get_instrument(self.kwargs["isin"])

    @functools.cached_property
    def _parts(self) -> Sequence[str]:
        """The parts that a list is asked to include. Raises InvalidQuery."""
        if getattr(self, "action", None) != "list":
            return ()
        return included.parse(self.request.query_params.get("include", ""))

    def check_permissions(self, request: Request) -> None:
        """Check the parts to include, too: a kept answer does not depend on the user."""
        super().check_permissions(request)
        for name in self._parts:
            permission = included.PARTS[name]
            if not is_met(reading(permission), request.user):
                raise NotPermitted(f"To include {name} requires the permission {permission}.")

    def get_serializer_context(self) -> dict[str, Any]:
        with_corrections = self.query.get("corrections", "on") == "on"
        context = {"with_corrections": with_corrections, "include": self._parts}
        return {**super().get_serializer_context(), **context}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if self._parts:
            pages = cast(InstrumentPages, self.paginator)
            pages.max_page_size, pages.kept_fields = included.MAX_ROWS, self._parts
        response = super().list(request, *args, **kwargs)
        if isins := ",".join(request.query_params.getlist("isin")):
            matching: Any = self.filter_queryset(self.get_queryset())
            results = lookup.look_up(lookup.split_isins(isins), matching)
            response.data["lookup"] = [descriptions.describe_lookup(result) for result in results]
        if names := facets.parse(request.query_params.get("facets", "")):
            filters = {
                name: request.query_params[name]
                for name in self.filterset_class.base_filters
                if request.query_params.get(name)
            }
            rows: Any = self.filter_queryset(self.get_queryset())
            counted = facets.count_in_time(names, rows, filters)
            response.data["facets"] = {name: facet.describe() for name, facet in counted.items()}
        return response

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        query = self.query
        with_corrections = query.pop("corrections") == "on"
        instrument, applied = corrections.get_served(
            self.get_object(), with_corrections=with_corrections, **query
        )
        query.pop("register", None)
        return Response(descriptions.describe_instrument(instrument, applied=applied, **query))

    @extend_schema(
        operation_id="instruments_lookup",
        summary="Look up a list of ISINs, FIGIs or tickers",
        description="Every ISIN has its own outcome: a wrong or unknown one does not affect the others."
        " A FIGI or a ticker stands for its instrument, if only one has it.",
        request=LookupQuerySerializer,
        responses={200: LookupAnswersSerializer},
        filters=False,
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="lookup",
        filterset_class=None,
        pagination_class=None,
    )
    def look_up(self, request: Request) -> Response:
        results = lookup.look_up(self.read_body(_BodyWithAnyItems)["isins"])
        known = {result.instrument_isin for result in results if result.instrument_isin}
        rows = descriptions.describe_instruments(Instrument.objects.filter(pk__in=known))
        by_isin = {row["isin"]: row for row in rows}
        answers = [
            {
                **descriptions.describe_lookup(result),
                "instrument": by_isin.get(result.instrument_isin),
            }
            for result in results
        ]
        return Response({"results": answers})

    @extend_schema(
        operation_id="instruments_reportable",
        summary="Answer whether an instrument was reportable on a day, on which venues, and why",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: ReportabilitySerializer},
        filters=False,
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def reportable(self, request: Request, isin: str) -> Response:
        answer = get_reportability(self.get_object().isin, **self.query)
        return Response(descriptions.describe_reportability(answer))

    @extend_schema(
        summary="List every record of each listing, and what it changed",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: VersionSerializer(many=True)},
        filters=False,
    )
    @action(
        detail=True,
        filterset_class=None,
        pagination_class=NumberedPages,
        serializer_class=VersionSerializer,
    )
    def history(self, request: Request, isin: str) -> Response:
        instrument = self.get_object()
        versions: Any = list(history.read_versions(instrument.isin, **self.query))
        page: Any = self.paginate_queryset(versions)
        approved = corrections.read_approved(instrument.isin)
        rows = [descriptions.describe_version(version, approved) for version in page]
        return self.get_paginated_response(rows)

    @extend_schema(
        summary="List the listings with every published field",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: RecordSerializer(many=True)},
        filters=False,
    )
    @action(
        detail=True,
        filterset_class=None,
        pagination_class=NumberedPages,
        serializer_class=RecordSerializer,
    )
    def listings(self, request: Request, isin: str) -> Response:
        listings: QuerySet[Any] = Listing.objects.of(self.get_object().isin).filter(**self.query)
        page: Any = self.paginate_queryset(listings.select_related("source_file", "dropped_by"))
        return self.get_paginated_response([descriptions.describe_record(row) for row in page])
