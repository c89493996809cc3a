"""What instruments can be asked by: the one definition, for the API and for commands."""

import difflib
import re

import django_filters
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from instruments.classification import cfi
from instruments.fields import LEI
from instruments.isin import problem_of
from instruments.models import Instrument, InstrumentQuerySet, Register, Status, Venue
from marketdata.api.filters import CommaSeparatedInput, SemicolonSeparatedInput


def check_isins(text: str) -> None:
    for isin in text.upper().split(","):
        if problem := problem_of(isin.strip()):
            # As parameters, because what was given may hold a percent sign.
            said = {"isin": isin.strip(), "problem": problem}
            raise ValidationError("%(isin)s: %(problem)s.", params=said)


def _check_underlying(text: str) -> None:
    code = text.strip().upper()
    if not re.fullmatch(LEI, code):
        check_isins(code)


def _check_pattern(text: str) -> None:
    try:
        cfi.pattern_of(text)
    except cfi.BadCfi as problem:
        raise ValidationError("A CFI code: %(problem)s.", params={"problem": problem}) from None


def _check_meanings(text: str) -> None:
    for wanted in text.split(";"):
        if not cfi.attribute_patterns(wanted):
            close = difflib.get_close_matches(wanted.strip().capitalize(), cfi.meanings(), n=3)
            hint = f"; near it there are {', '.join(close)}" if close else ""
            said = {"wanted": wanted.strip(), "hint": hint}
            raise ValidationError(
                "No attribute of ISO 10962 means %(wanted)s%(hint)s; /api/v1/cfi/ES/ shows a group's.",
                params=said,
            )


def _code(pattern: str, message: str) -> RegexValidator:
    return RegexValidator(f"^(?:{pattern})$", message, flags=re.IGNORECASE)


class InstrumentFilterSet(django_filters.FilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_isins],
        widget=CommaSeparatedInput,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    # First, because it leads to fewer than codes do.
    underlying = django_filters.CharFilter(
        method="filter_underlying",
        validators=[_check_underlying],
        label="ISIN of an underlying, or LEI of an issuer that is one; members of baskets too",
    )
    category = django_filters.ChoiceFilter(
        method="filter_category",
        choices=list(cfi.category_names().items()),
        label="CFI category, the first letter of the CFI code",
    )
    type = django_filters.ChoiceFilter(
        method="filter_type",
        choices=[(name, name.replace("_", " ")) for name in cfi.BUSINESS_TYPES],
        label="Kind of instrument, as equity, bond, fund, option or swap",
    )
    cfi = django_filters.CharFilter(
        method="filter_cfi",
        validators=[_check_pattern],
        label="CFI code, the start of one, or a pattern with * for any letter, as ESV***",
    )
    attribute = django_filters.CharFilter(
        max_length=200,
        method="filter_attribute",
        validators=[_check_meanings],
        widget=SemicolonSeparatedInput,
        label="What an attribute of the CFI code means, as voting, or form: registered; several"
        " with semicolons between or the parameter repeated",
    )
    currency = django_filters.CharFilter(
        method="filter_currency",
        validators=[_code("[A-Z]{3}", "A currency code has three letters.")],
        label="Notional currency, as EUR",
    )
    issuer = django_filters.CharFilter(
        method="filter_issuer",
        validators=[_code("[A-Z0-9]{20}", "A LEI has 20 letters and digits.")],
        label="LEI of the issuer (of the venue's operator for exchange-traded derivatives)",
    )
    mic = django_filters.CharFilter(
        method="filter_mic",
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="MIC of a venue with a listing of any status; an operating MIC covers its market segments",
    )
    mic_exact = django_filters.CharFilter(
        method="filter_mic_exact",
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="MIC of a venue with a listing of any status: this venue only",
    )
    register = django_filters.ChoiceFilter(
        method="filter_register",
        choices=Register.choices,
        label="Register with a listing of it: ESMA (EU) or FCA (UK); with mic, of that venue there",
    )
    status = django_filters.ChoiceFilter(
        method="filter_status", choices=Status.choices, label="Status of the instrument"
    )
    q = django_filters.CharFilter(
        max_length=100,
        method="filter_q",
        label="Words of the full or short name or the beginnings of words, an ISIN or the start of one",
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
        return queryset.classified(cfi.pattern_of(value))

    def filter_type(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.classified(*map(cfi.pattern_of, cfi.BUSINESS_TYPES[value]))

    def filter_attribute(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        # Each once, however it is written: SQL Server takes 2,100 parameters in all, and one may need 332.
        asked = dict.fromkeys(tuple(cfi.attribute_patterns(each)) for each in value.split(";"))
        for patterns in asked:
            queryset = queryset.classified(*patterns)
        return queryset

    def filter_mic(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        mics = Venue.objects.mics_at(value.upper())
        return queryset.traded_on(*mics, register=self.form.cleaned_data["register"])

    def filter_mic_exact(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.traded_on(value.upper(), register=self.form.cleaned_data["register"])

    def filter_register(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.in_register(value)

    def filter_currency(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.in_currency(value.upper())

    def filter_issuer(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.issued_by(value.upper())

    def filter_status(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.with_status(value)

    def filter_underlying(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.derived_from(value.strip().upper())

    def filter_q(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        return queryset.search(value)
