"""Filters of the list of corrections."""

import django_filters

from instruments.models import Correction, Register
from marketdata.common.filters import AnyCaseChoiceFilter, CodeFilter


class CorrectionFilterSet(django_filters.FilterSet):
    isin = CodeFilter("isin", label="ISIN", max_length=12)
    register = AnyCaseChoiceFilter(choices=Register.choices, label="Register: ESMA or FCA")
    mic = CodeFilter("mic", label="MIC of a correction of one venue", max_length=4)
    field = django_filters.CharFilter("field", label="Column of a listing, as full_name")
    state = django_filters.MultipleChoiceFilter(choices=Correction.State, label="State")

    class Meta:
        model = Correction
        fields: list[str] = []
