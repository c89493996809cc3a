"""What instruments can be asked by: the one definition, for the API and for commands."""

import re

import django_filters
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from instruments.isin import problem_of
from instruments.models import CATEGORIES, Instrument, InstrumentQuerySet, Status
from marketdata.api.filters import CodeFilter, CommaOrAgain


def _check_isins(text: str) -> None:
    for isin in text.upper().split(","):
        if problem := problem_of(isin.strip()):
            # As parameters, because what was given may hold a percent sign.
            said = {"isin": isin.strip(), "problem": problem}
            raise ValidationError("%(isin)s: %(problem)s.", params=said)


def _code(pattern: str, message: str) -> RegexValidator:
    return RegexValidator(f"^(?:{pattern})$", message, flags=re.IGNORECASE)


class InstrumentFilterSet(django_filters.FilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[_check_isins],
        widget=CommaOrAgain,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    category = django_filters.ChoiceFilter(
        method="filter_category",
        choices=list(CATEGORIES.items()),
        label="CFI category, the first letter of the CFI code",
    )
    cfi = django_filters.CharFilter(
        method="filter_cfi",
        validators=[_code("[A-Z]{1,6}", "A CFI code has one to six letters.")],
        label="CFI code, or the start of one",
    )
    currency = CodeFilter(
        "notional_currency",
        validators=[_code("[A-Z]{3}", "A currency code has three letters.")],
        label="Notional currency, as EUR",
    )
    issuer = CodeFilter(
        "issuer_lei",
        validators=[_code("[A-Z0-9]{20}", "A LEI has 20 letters and digits.")],
        label="LEI of the issuer (of the venue's operator for exchange-traded derivatives)",
    )
    mic = django_filters.CharFilter(
        method="filter_mic",
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="MIC of a venue with a listing, whatever its status",
    )
    status = django_filters.ChoiceFilter(choices=Status.choices, label="Status of the instrument")
    q = django_filters.CharFilter(
        max_length=100,
        method="filter_q",
        label="Words of the full or short name, an ISIN or the start of one",
    )

    class Meta:
        model = Instrument
        fields: list[str] = []

    def filter_isin(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.filter(pk__in=[isin.strip() for isin in value.upper().split(",")])

    def filter_category(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.of_category(value)

    def filter_cfi(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        return queryset.cfi_starting(value.upper())

    def filter_mic(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        return queryset.traded_on(value.upper())

    def filter_q(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        return queryset.search(value)
