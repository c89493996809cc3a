"""Filters of volume cap results, defined once for the API and the commands."""

import datetime as dt
from typing import Any

import django_filters
from django.core.validators import DecimalValidator
from django.db.models import Q

from instruments.listings.filters import check_list
from instruments.listings.lookup import find_isins
from instruments.models import ResultQuerySet, VolumeCap, VolumeCapVenue
from marketdata.common.filters import MIC_VALIDATOR, CommaSeparatedInput, TrueFalseFilter

# The digits that the columns hold: a number with a large exponent would be written out digit by digit.
DIGITS = DecimalValidator(max_digits=35, decimal_places=17)


class VolumeCapFilterSet(django_filters.FilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_list],
        widget=CommaSeparatedInput,
        label="One ISIN, FIGI or ticker, or several, with commas between or the parameter repeated",
    )
    mic = django_filters.CharFilter(
        method="filter_venues",
        validators=[MIC_VALIDATOR],
        label="MIC of a venue of the result",
    )
    period_end = django_filters.DateFilter(
        "reported_period_to", label="Last day of the reporting period, as 2024-12-31"
    )
    day = django_filters.DateFilter(
        method="filter_day", label="A day of the reporting period, as 2024-06-30"
    )
    above = django_filters.NumberFilter(
        "percentage",
        "gt",
        validators=[DIGITS],
        label="Results with more than this percentage under waivers, as 7",
    )
    above_on_venue = django_filters.NumberFilter(
        method="filter_venues",
        validators=[DIGITS],
        label="Results with more than this percentage on a venue (that of mic, if given), as 4",
    )
    superseded = TrueFalseFilter(
        method="filter_superseded",
        label="true: only results that later ones have replaced; default: only current ones",
    )

    class Meta:
        model = VolumeCap
        fields: list[str] = []

    def filter_isin(self, queryset: ResultQuerySet, name: str, value: str) -> ResultQuerySet:
        return queryset.filter(isin__in=find_isins(value))

    def filter_day(self, queryset: ResultQuerySet, name: str, value: dt.date) -> ResultQuerySet:
        return queryset.filter(
            Q(reported_period_from__lte=value, reported_period_to__gte=value)
            | Q(reported_from__lte=value)
            | Q(reported_to__gte=value)
            | Q(reported_on=value)
        )

    def filter_superseded(self, queryset: ResultQuerySet, name: str, value: bool) -> ResultQuerySet:
        return queryset.filter(superseded=value)

    def filter_venues(self, queryset: ResultQuerySet, name: str, value: Any) -> ResultQuerySet:
        return queryset  # `filter_queryset` applies both conditions to the same venue

    def filter_queryset(self, queryset: Any) -> Any:
        filters = self.form.cleaned_data
        if filters.get("superseded") in ("", None):
            queryset = queryset.current()
        conditions: dict[str, Any] = {}
        if filters.get("mic"):
            conditions["mic"] = filters["mic"].upper()
        if filters.get("above_on_venue") is not None:
            conditions["percentage__gt"] = filters["above_on_venue"]
        if conditions:
            venues = VolumeCapVenue.objects.filter(**conditions)
            queryset = queryset.filter(pk__in=venues.order_by().values("volume_cap"))
        return super().filter_queryset(queryset)
