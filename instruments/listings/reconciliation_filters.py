"""Filters of reconciliations and their differences, defined once for the API and the commands."""

import django_filters

from instruments.models import Difference, Reconciliation, Register
from marketdata.common.filters import AnyCaseChoiceFilter


class ReconciliationFilterSet(django_filters.FilterSet):
    register = AnyCaseChoiceFilter(choices=Register.choices, label="Register")
    category = django_filters.CharFilter(label="CFI category", max_length=1, lookup_expr="iexact")
    published_from = django_filters.DateFilter(
        "published_on", "gte", label="Sets of this day and later"
    )
    published_to = django_filters.DateFilter("published_on", "lte", label="Sets up to this day")

    class Meta:
        model = Reconciliation
        fields: list[str] = []


class DifferenceFilterSet(django_filters.FilterSet):
    kind = AnyCaseChoiceFilter(choices=Difference.Kind.choices, label="Kind of difference")

    class Meta:
        model = Difference
        fields: list[str] = []
