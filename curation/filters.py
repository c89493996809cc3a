"""Filters of the lists of corrections, problems, notes and tags."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from curation.models import Note, Problem, Subject, Tag
from instruments.correctable import CorrectionSubject
from instruments.listings.filters import check_list
from instruments.listings.lookup import find_isins
from instruments.models import Correction, Register
from marketdata.common.filters import (
    LEI_VALIDATOR,
    MIC_VALIDATOR,
    AnyCaseChoiceFilter,
    AnyCaseMultipleChoiceFilter,
    CodeFilter,
    TrueFalseFilter,
)


class IsinFilter(django_filters.CharFilter):
    """Rows of an instrument, by its ISIN, or by a FIGI or ticker."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(isin__in=find_isins(value)) if value else queryset


class CorrectionFilterSet(django_filters.FilterSet):
    subject = AnyCaseChoiceFilter(
        choices=[(subject.value, subject.value) for subject in CorrectionSubject],
        label="instrument, entity or venue",
    )
    isin = IsinFilter("isin", validators=[check_list], label="ISIN, FIGI or ticker", max_length=100)
    register = AnyCaseChoiceFilter(choices=Register.choices, label="Register: ESMA or FCA")
    lei = CodeFilter("lei", validators=[LEI_VALIDATOR], label="LEI of an entity")
    mic = CodeFilter(
        "mic", validators=[MIC_VALIDATOR], label="MIC of a venue, or of a correction of one listing"
    )
    field = django_filters.CharFilter("field", label="Column, as full_name or legal_name")
    state = AnyCaseMultipleChoiceFilter(choices=Correction.State, label="State")

    class Meta:
        model = Correction
        fields: list[str] = []


class ProblemFilterSet(django_filters.FilterSet):
    isin = IsinFilter("isin", validators=[check_list], label="ISIN, FIGI or ticker", max_length=100)
    register = AnyCaseChoiceFilter(choices=Register.choices, label="Register: ESMA or FCA")
    mic = CodeFilter("mic", validators=[MIC_VALIDATOR], label="MIC")
    category = CodeFilter("category", label="CFI category", max_length=1)
    suggested = TrueFalseFilter(
        method="filter_suggested", label="true: only those with a suggested value; false: without"
    )

    class Meta:
        model = Problem
        fields: list[str] = []

    def filter_suggested(self, rows: Any, name: str, value: bool) -> Any:
        return rows.exclude(suggested="") if value else rows.filter(suggested="")


class NoteFilterSet(django_filters.FilterSet):
    subject = AnyCaseChoiceFilter(choices=Subject.choices, label="instrument, venue or entity")
    code = CodeFilter("code", label="ISIN, MIC or LEI", max_length=20)
    q = django_filters.CharFilter(
        "text", lookup_expr="icontains", label="Part of the text", max_length=100
    )

    class Meta:
        model = Note
        fields: list[str] = []


class TagFilterSet(django_filters.FilterSet):
    subject = AnyCaseChoiceFilter(choices=Subject.choices, label="instrument, venue or entity")
    code = CodeFilter("code", label="ISIN, MIC or LEI", max_length=20)
    name = django_filters.CharFilter("name", label="Tag", max_length=40)

    class Meta:
        model = Tag
        fields: list[str] = []
