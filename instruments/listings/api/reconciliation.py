"""Reconciliations in the API: full sets, compared with the listings before them."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.listings import reconciliation
from instruments.listings.api.serializers import ChangeSerializer
from instruments.listings.reconciliation_filters import DifferenceFilterSet, ReconciliationFilterSet
from instruments.models import Difference, Reconciliation
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class ReconciliationSerializer(serializers.ModelSerializer[Reconciliation]):
    """A full set in numbers of listings."""

    files = serializers.ListField(
        child=serializers.CharField(), help_text="names of the parts that have been loaded"
    )
    by_field = serializers.DictField(
        child=serializers.IntegerField(), help_text="differences by field"
    )

    class Meta:
        model = Reconciliation
        fields = reconciliation.COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: Reconciliation) -> Any:
        return reconciliation.describe_reconciliation(instance)


class DifferenceSerializer(serializers.ModelSerializer[Difference]):
    """A listing that differs: in `changes`, the value before (old) and that of the full set (new)."""

    changes = serializers.DictField(child=ChangeSerializer())

    class Meta:
        model = Difference
        fields = reconciliation.DIFFERENCE_COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: Difference) -> Any:
        return reconciliation.describe_difference(instance)


@extend_schema_view(
    list=extend_schema(
        summary="List full sets, compared with the listings built from deltas",
        responses={200: ReconciliationSerializer(many=True)},
    ),
    retrieve=extend_schema(
        summary="Get the comparison of one full set in numbers",
        responses={200: ReconciliationSerializer},
    ),
)
class ReconciliationViewSet(ApiView, viewsets.ReadOnlyModelViewSet[Reconciliation]):
    """Each full set of a register, compared with the listings as they were before it was loaded."""

    title = "Reconciliations"
    lookup_value_regex = "[0-9]{1,18}"
    needs = dict.fromkeys(
        ("list", "retrieve", "differences"), reading("instruments.view_reconciliation")
    )
    queryset = reconciliation.with_files()
    serializer_class = ReconciliationSerializer
    filterset_class = ReconciliationFilterSet

    def get_object(self) -> Reconciliation:
        """Return the reconciliation. Raises NotInDatabase."""
        return reconciliation.get_reconciliation(self.kwargs["pk"])

    @extend_schema(
        summary="List the listings on which a full set and the deltas before it disagree",
        description="The first 1,000 of each file and kind are kept; the numbers count all.",
        responses={200: DifferenceSerializer(many=True)},
    )
    @action(
        detail=True,
        queryset=Difference.objects.all(),
        filterset_class=DifferenceFilterSet,
        serializer_class=DifferenceSerializer,
    )
    def differences(self, request: Request, pk: str) -> Response:
        full_set = reconciliation.get_reconciliation(pk)
        differences: Any = Difference.objects.filter(reconciliation=full_set).order_by("pk")
        page: Any = self.paginate_queryset(self.filter_queryset(differences))
        return self.get_paginated_response(DifferenceSerializer(page, many=True).data)
