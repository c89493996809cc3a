"""Filters of the lists of corrections and of problems."""

from typing import Any

import django_filters

from curation.models import Problem
from instruments.models import Correction, Register
from marketdata.common.filters import (
    AnyCaseChoiceFilter,
    AnyCaseMultipleChoiceFilter,
    CodeFilter,
    TrueFalseFilter,
)


class CorrectionFilterSet(django_filters.FilterSet):
    isin = CodeFilter("isin", label="ISIN", max_length=12)
    register = AnyCaseChoiceFilter(choices=Register.choices, label="Register: ESMA or FCA")
    mic = CodeFilter("mic", label="MIC of a correction of one venue", max_length=4)
    field = django_filters.CharFilter("field", label="Column of a listing, as full_name")
    state = AnyCaseMultipleChoiceFilter(choices=Correction.State, label="State")

    class Meta:
        model = Correction
        fields: list[str] = []


class ProblemFilterSet(django_filters.FilterSet):
    isin = CodeFilter("isin", label="ISIN", max_length=12)
    register = AnyCaseChoiceFilter(choices=Register.choices, label="Register: ESMA or FCA")
    mic = CodeFilter("mic", label="MIC", max_length=4)
    category = CodeFilter("category", label="CFI category", max_length=1)
    suggested = TrueFalseFilter(
        method="filter_suggested", label="true: only those with a suggested value; false: without"
    )

    class Meta:
        model = Problem
        fields: list[str] = []

    def filter_suggested(self, rows: Any, name: str, value: bool) -> Any:
        return rows.exclude(suggested="") if value else rows.filter(suggested="")
