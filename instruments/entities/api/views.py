"""Legal entities: list, search, one with its whole record, and its instruments."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_view,
)
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.entities import descriptions
from instruments.entities.api import examples
from instruments.entities.api.hierarchy import (
    GroupQuerySerializer,
    HierarchyQuerySerializer,
    HierarchySerializer,
)
from instruments.entities.api.serializers import EntityDetailSerializer, EntitySerializer
from instruments.entities.filters import LegalEntityFilterSet
from instruments.entities.hierarchy import read_group_instruments, read_hierarchy
from instruments.entities.questions import get_entity, read_instruments
from instruments.listings.api.parameters import CorrectionsSerializer
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.models import LegalEntity
from marketdata.api.pagination import KeysetPages
from marketdata.api.views import ApiView
from marketdata.web.access import reading


@extend_schema_view(
    list=extend_schema(
        summary="List, filter and search legal entities",
        responses={200: EntitySerializer(many=True)},
    ),
    retrieve=extend_schema(
        summary="Get one legal entity with everything of its record and its successors",
        parameters=[path_parameters.LEI],
        responses={200: EntityDetailSerializer},
        examples=[OpenApiExample("An entity", value=examples.ENTITY, response_only=True)],
    ),
)
class LegalEntityViewSet(ApiView, viewsets.ReadOnlyModelViewSet[LegalEntity]):
    """Legal entities with an LEI, as GLEIF publishes them (level 1 data)."""

    title = "Legal entities"
    needs = dict.fromkeys(
        ("list", "retrieve", "instruments", "hierarchy"), reading("instruments.view_legalentity")
    )
    query_serializers = {
        "list": CorrectionsSerializer,
        "retrieve": CorrectionsSerializer,
        "hierarchy": HierarchyQuerySerializer,
        "instruments": GroupQuerySerializer,
    }
    queryset = LegalEntity.objects.order_by("lei")
    serializer_class = EntitySerializer
    filterset_class = LegalEntityFilterSet
    pagination_class = KeysetPages
    lookup_field = "lei"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> LegalEntity:
        """Return the entity. Raises InvalidQuery, NotInDatabase."""
        return get_entity(self.kwargs["lei"])

    def get_serializer_context(self) -> dict[str, Any]:
        with_corrections = self.query.get("corrections", "on") == "on"
        return {**super().get_serializer_context(), "with_corrections": with_corrections}

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with_corrections = self.query["corrections"] == "on"
        entity = get_entity(self.kwargs["lei"], with_corrections=with_corrections)
        described = descriptions.describe_entity_details(entity, with_corrections=with_corrections)
        return Response(described)

    @extend_schema(
        operation_id="entities_hierarchy",
        summary="Show the entities above and below an entity, and why a parent is not reported",
        parameters=[path_parameters.LEI],
        responses={200: HierarchySerializer},
        filters=False,
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def hierarchy(self, request: Request, lei: str) -> Response:
        query = self.query
        with_corrections = query.pop("corrections") == "on"
        hierarchy = read_hierarchy(lei, **query, with_corrections=with_corrections)
        return Response(descriptions.describe_hierarchy(hierarchy))

    @extend_schema(
        operation_id="entities_instruments_list",
        summary="List the instruments whose published issuer is the entity, or one of its group",
        parameters=[path_parameters.LEI],
        responses={200: InstrumentSerializer(many=True)},
        filters=False,
    )
    @action(detail=True, filterset_class=None, serializer_class=InstrumentSerializer)
    def instruments(self, request: Request, lei: str) -> Response:
        entity = self.get_object()
        listed: QuerySet[Any] = read_instruments(entity)
        if self.query["group"]:
            listed = read_group_instruments(entity.lei)
        page: Any = self.paginate_queryset(listed)
        return self.get_paginated_response(InstrumentSerializer(page, many=True).data)
