"""Full sets beside what was built before them, over HTTP."""

from typing import Any

import django_filters
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.listings.api.serializers import ChangeSerializer
from instruments.models import Difference, FullFile, Reconciliation, Register
from marketdata.api.problems import documented
from marketdata.common.access import reading

_PROBLEMS = documented(
    {
        404: "No such reconciliation, or page.",
    }
)


class ReconciliationSerializer(serializers.ModelSerializer[Reconciliation]):
    """A full set in numbers of listings."""

    files = serializers.SerializerMethodField(help_text="the parts that have been loaded")
    by_field = serializers.DictField(
        child=serializers.IntegerField(), help_text="differences by field"
    )

    class Meta:
        model = Reconciliation
        fields = (
            "id",
            "register",
            "category",
            "published_on",
            "parts",
            "files",
            "compared",
            "completed_at",
            "listed",
            "same",
            "missed",
            "different",
            "late",
            "extra",
            "by_field",
        )
        read_only_fields = fields

    def get_files(self, of: Reconciliation) -> list[str]:
        return sorted(full.file.name for full in of.files.all())


class DifferenceSerializer(serializers.ModelSerializer[Difference]):
    """One listing; `changes` has what was there (old) and what the full set says (new)."""

    changes = serializers.DictField(child=ChangeSerializer())

    class Meta:
        model = Difference
        fields = ("kind", "isin", "mic", "changes")
        read_only_fields = fields


class ReconciliationFilterSet(django_filters.FilterSet):
    register = django_filters.ChoiceFilter(choices=Register.choices, label="Register")
    category = django_filters.CharFilter(label="CFI category", max_length=1, lookup_expr="iexact")
    published_from = django_filters.DateFilter(
        "published_on", "gte", label="Sets of this day and later"
    )
    published_to = django_filters.DateFilter("published_on", "lte", label="Sets up to this day")

    class Meta:
        model = Reconciliation
        fields: list[str] = []


class DifferenceFilterSet(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(choices=Difference.Kind.choices, label="Kind of difference")

    class Meta:
        model = Difference
        fields: list[str] = []


@extend_schema_view(
    list=extend_schema(
        summary="Full sets, and how what was built from deltas compares",
        responses={200: ReconciliationSerializer(many=True), **_PROBLEMS},
    ),
    retrieve=extend_schema(
        summary="One full set in numbers",
        responses={200: ReconciliationSerializer, **_PROBLEMS},
    ),
)
class ReconciliationViewSet(viewsets.ReadOnlyModelViewSet[Reconciliation]):
    """Each full set of the register beside the listings as they were before it was loaded."""

    title = "Reconciliations"
    lookup_value_regex = "[0-9]{1,18}"
    needs = dict.fromkeys(
        ("list", "retrieve", "differences"), reading("instruments.view_reconciliation")
    )
    # Without the bitmaps of the files.
    queryset = Reconciliation.objects.prefetch_related(
        Prefetch("files", FullFile.objects.select_related("file").defer("listings"))
    )
    serializer_class = ReconciliationSerializer
    filterset_class = ReconciliationFilterSet

    @extend_schema(
        summary="The listings that a full set and those before it do not agree on",
        description="The first thousand of each file and kind; the numbers count all.",
        responses={200: DifferenceSerializer(many=True), **_PROBLEMS},
    )
    @action(detail=True, filterset_class=DifferenceFilterSet)
    def differences(self, request: Request, pk: str) -> Response:
        of = get_object_or_404(Reconciliation, pk=pk)
        differences: Any = of.differences.all()
        page: Any = self.paginate_queryset(self.filter_queryset(differences))
        return self.get_paginated_response(DifferenceSerializer(page, many=True).data)
