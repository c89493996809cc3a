"""Filters of transparency results, defined once for the API and the commands."""

import datetime as dt
from typing import Any

import django_filters

from instruments.listings.filters import check_list
from instruments.listings.lookup import find_isins
from instruments.models import (
    Register,
    ResultQuerySet,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.transparency.application_periods import year_applying
from marketdata.common.filters import (
    AnyCaseChoiceFilter,
    CodeFilter,
    CommaSeparatedInput,
    TrueFalseFilter,
    code_validator,
)

_CODE4 = code_validator("[A-Z0-9]{4}", "A code has four letters or digits.")


class ResultFilterSet(django_filters.FilterSet):
    classification = CodeFilter(
        validators=[_CODE4], label="Kind of instrument, as SHRS, ETFS, BOND or DERV"
    )
    subject = AnyCaseChoiceFilter(
        choices=Subject.choices, label="The sections that a result contains"
    )
    liquid = TrueFalseFilter(label="Liquid or not, as published")
    superseded = TrueFalseFilter(
        method="filter_superseded",
        label="true: only results that later ones have replaced; default: only current ones",
    )

    def filter_superseded(self, queryset: ResultQuerySet, name: str, value: bool) -> ResultQuerySet:
        return queryset.filter(superseded=value)

    def filter_queryset(self, queryset: Any) -> Any:
        if self.form.cleaned_data.get("superseded") in ("", None):
            queryset = queryset.current()
        return super().filter_queryset(queryset)


class TransparencyFilterSet(ResultFilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_list],
        widget=CommaSeparatedInput,
        label="One ISIN, FIGI or ticker, or several, with commas between or the parameter repeated",
    )
    methodology = CodeFilter(validators=[_CODE4], label="YEAR, SINT, ESTM or FFWK; of equity only")
    relevant_market = CodeFilter(validators=[_CODE4], label="MIC of the most relevant market")
    period_end = django_filters.DateFilter(
        "reported_period_to", label="Last day of the reporting period, as 2024-12-31"
    )
    register = AnyCaseChoiceFilter(
        choices=Register.choices, label="The authority that published the result"
    )

    class Meta:
        model = TransparencyResult
        fields: list[str] = []

    def filter_isin(self, queryset: ResultQuerySet, name: str, value: str) -> ResultQuerySet:
        return queryset.filter(isin__in=find_isins(value))


class SubclassFilterSet(ResultFilterSet):
    asset_class = CodeFilter(validators=[_CODE4], label="As BOND, EQDV or IRDV")
    q = django_filters.CharFilter(
        "sub_class", "icontains", max_length=100, label="Words of the description"
    )
    applies_on = django_filters.DateFilter(
        method="filter_applies_on",
        label="Yearly results that apply on this day, by the June application period",
    )

    class Meta:
        model = SubclassTransparency
        fields: list[str] = []

    def filter_applies_on(
        self, queryset: ResultQuerySet, name: str, value: dt.date
    ) -> ResultQuerySet:
        year = year_applying(value, month=6)
        if year is None:
            return queryset.none()
        return queryset.filter(
            reported_period_from=dt.date(year, 1, 1), reported_period_to=dt.date(year, 12, 31)
        )
