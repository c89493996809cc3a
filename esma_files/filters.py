"""Filters of the lists of files and runs."""

import django_filters
from django.db.models import QuerySet

from esma_files.datasets import Dataset
from esma_files.models import KIND_CHOICES, EsmaFile, RejectedRecord, Run
from marketdata.common.filters import (
    AnyCaseChoiceFilter,
    AnyCaseMultipleChoiceFilter,
    CodeFilter,
    TrueFalseFilter,
)
from marketdata.web.access import may_see_user_name


class EsmaFileFilterSet(django_filters.FilterSet):
    name = django_filters.CharFilter("name", "istartswith", label="Name, or the start of one")
    dataset = AnyCaseChoiceFilter(choices=Dataset.choices, label="Dataset, as esma_firds")
    kind = AnyCaseChoiceFilter(choices=KIND_CHOICES, label="Kind of file, as FULINS")
    category = CodeFilter("category", label="CFI category, as E", max_length=1)
    result_group = CodeFilter(
        "result_group",
        "startswith",
        label="Group of transparency results by sub-class, or the start of one, as NYAR or NYAR_EQD",
        max_length=12,
    )
    day = django_filters.DateFilter("published_on", label="Day of publication")
    since = django_filters.DateFilter("published_on", "gte", label="Published on this day or later")
    until = django_filters.DateFilter(
        "published_on", "lte", label="Published on this day or before"
    )
    state = AnyCaseMultipleChoiceFilter(choices=EsmaFile.State, label="State")
    tier = AnyCaseChoiceFilter(choices=EsmaFile.Tier.choices, label="Tier of the stored copy")
    location = AnyCaseChoiceFilter(
        choices=EsmaFile.Location.choices, label="Where the stored copy is"
    )
    kept = TrueFalseFilter(label="Exempt from the retention policy: true or false")
    selected = TrueFalseFilter(
        method="filter_selected", label="Selected for download by the settings: true or false"
    )

    class Meta:
        model = EsmaFile
        fields: list[str] = []

    def filter_selected(
        self, queryset: QuerySet[EsmaFile], name: str, value: bool
    ) -> QuerySet[EsmaFile]:
        selected = EsmaFile.objects.selected().values("pk")
        return queryset.filter(pk__in=selected) if value else queryset.exclude(pk__in=selected)


class RunFilterSet(django_filters.FilterSet):
    kind = AnyCaseChoiceFilter(choices=Run.Kind.choices, label="Kind of run, as load")
    file = django_filters.CharFilter("file__name", "iexact", label="Name of the file")
    since = django_filters.DateFilter(
        "requested_at", "date__gte", label="Requested on this day or later"
    )
    state = AnyCaseMultipleChoiceFilter(choices=Run.State, label="State")

    requested_by = django_filters.CharFilter(
        method="filter_requested_by",
        label="User name; only the own one without the right to view users",
    )

    class Meta:
        model = Run
        fields: list[str] = []

    def filter_requested_by(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        """Return no run if the caller may not see the user name, which its number would reveal."""
        if self.request is not None and not may_see_user_name(self.request.user, value):
            return queryset.none()
        return queryset.filter(requested_by=value)


class RejectedRecordFilterSet(django_filters.FilterSet):
    file = django_filters.CharFilter("file__name", "iexact", label="Name of the file")
    dataset = AnyCaseChoiceFilter(
        "file__dataset", choices=Dataset.choices, label="Dataset of the file"
    )
    isin = django_filters.CharFilter(
        "isin", "exact", label="ISIN of the record as published, valid or not"
    )
    mic = django_filters.CharFilter(
        "mic", "exact", label="MIC of the record as published, valid or not"
    )
    field = django_filters.CharFilter(
        "field", "exact", label="Path of the invalid element, as FinInstrmGnlAttrbts/Id"
    )

    class Meta:
        model = RejectedRecord
        fields: list[str] = []
