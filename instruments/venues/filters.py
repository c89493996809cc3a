"""Filters of venues, defined once for the API and the commands."""

import django_filters
from django.db.models import Exists, OuterRef

from instruments.models import ListedVenue, Register, Venue, VenueQuerySet
from instruments.served_values import ServedCodeFilter
from marketdata.common.filters import (
    LEI_VALIDATOR,
    MIC_VALIDATOR,
    AnyCaseChoiceFilter,
    CodeFilter,
    TrueFalseFilter,
    code_validator,
)


class VenueFilterSet(django_filters.FilterSet):
    country = ServedCodeFilter(
        validators=[code_validator("[A-Z]{2}", "A country code has two letters.")],
        label="Country, as DE (ISO 3166)",
    )
    status = ServedCodeFilter(
        validators=[code_validator("[A-Z]{1,10}", "A status is one word.")],
        label="Status, as ACTIVE or EXPIRED",
    )
    category = ServedCodeFilter(
        validators=[code_validator("[A-Z]{4}", "A market category has four letters.")],
        label="Market category, as RMKT (regulated market), MLTF, OTFS or SINT",
    )
    kind = CodeFilter(
        validators=[code_validator("OPRT|SGMT", "OPRT or SGMT.")],
        label="OPRT (operating) or SGMT (segment)",
    )
    mic = CodeFilter(
        method="filter_mic",
        validators=[MIC_VALIDATOR],
        label="MIC: the venue, and for an operating MIC its market segments too",
    )
    mic_exact = CodeFilter(
        field_name="mic",
        validators=[MIC_VALIDATOR],
        label="MIC: this venue only",
    )
    operating_mic = CodeFilter(
        validators=[MIC_VALIDATOR],
        label="Operating MIC: its market segments, and itself",
    )
    lei = CodeFilter(
        validators=[LEI_VALIDATOR],
        label="LEI of the operator",
    )
    listed = TrueFalseFilter(
        method="filter_listed", label="true: venues that a loaded listing names; false: the others"
    )
    register = AnyCaseChoiceFilter(
        method="filter_register",
        choices=Register.choices,
        label="Venues with a listing in this register: ESMA (EU) or FCA (UK)",
    )
    q = django_filters.CharFilter(
        max_length=100,
        method="filter_q",
        label="MIC, or words of name, acronym, operator or city",
    )

    class Meta:
        model = Venue
        fields: list[str] = []

    def filter_mic(self, queryset: VenueQuerySet, name: str, value: str) -> VenueQuerySet:
        return queryset.at(value.upper())

    def filter_listed(self, queryset: VenueQuerySet, name: str, value: bool) -> VenueQuerySet:
        listed = Exists(ListedVenue.objects.filter(pk=OuterRef("pk")))
        return queryset.filter(listed if value else ~listed)

    def filter_register(self, queryset: VenueQuerySet, name: str, value: str) -> VenueQuerySet:
        counted = {f"{Register(value).counted_in}__gt": 0}
        return queryset.filter(Exists(ListedVenue.objects.filter(pk=OuterRef("pk"), **counted)))

    def filter_q(self, queryset: VenueQuerySet, name: str, value: str) -> VenueQuerySet:
        return queryset.search(value)
