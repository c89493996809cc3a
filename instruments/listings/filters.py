"""Filters of instruments and reconciliations, defined once for the API and the commands."""

import datetime as dt
import difflib
import re
from typing import cast

import django_filters
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.db.models import Q, Value

from instruments.classification import cfi
from instruments.entities.hierarchy import read_group
from instruments.fields import LEI
from instruments.figis.models import FIGI_PATTERN
from instruments.isin import PATTERN, problem_of
from instruments.listings import dates, lookup, search, with_entity, with_figi
from instruments.listings.models.instrument import ORDERED_BY
from instruments.listings.status import EffectiveStatus, filter_by_effective_status, today
from instruments.listings.underlying_issuers import filter_by_issuers_of_underlyings
from instruments.models import (
    Figi,
    Instrument,
    InstrumentQuerySet,
    Register,
    Status,
    Venue,
)
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.filters import (
    LEI_VALIDATOR,
    MIC_VALIDATOR,
    AnyCaseChoiceFilter,
    CommaSeparatedInput,
    MomentFilter,
    SemicolonSeparatedInput,
    TrueFalseFilter,
    code_validator,
)


def check_isins(text: str) -> None:
    """Raise ValidationError if a comma-separated text contains anything but ISINs."""
    for isin in text.upper().split(","):
        if problem := problem_of(isin.strip()):
            # As parameters, because the value may contain a percent sign.
            parameters = {"isin": isin.strip(), "problem": problem}
            raise ValidationError("%(isin)s: %(problem)s.", params=parameters)


def check_list(text: str) -> None:
    """Raise ValidationError for a single code that is no ISIN, FIGI or ticker, or for too many codes.

    In a list of several, an invalid ISIN is reported for itself (`instruments.listings.lookup`). A ticker is
    one that an instrument has.
    """
    isins = lookup.split_isins(text)
    if len(isins) == 1 and not FIGI_PATTERN.fullmatch(isins[0]) and not lookup.find_isins(text):
        check_isins(isins[0])
    if len(isins) > lookup.MAX_ISINS:
        raise ValidationError(f"At most {lookup.MAX_ISINS:,} ISINs; these are {len(isins):,}.")


def _check_underlying(text: str) -> None:
    """Raise ValidationError for an ISIN with a wrong check digit. Other codes are looked up."""
    code = text.strip().upper()
    if not re.fullmatch(LEI, code) and PATTERN.fullmatch(code) and not FIGI_PATTERN.fullmatch(code):
        check_isins(code)


def _check_pattern(text: str) -> None:
    try:
        cfi.pattern_of(text)
    except cfi.BadCfi as problem:
        raise ValidationError("CFI code: %(problem)s.", params={"problem": problem}) from None


def _check_meanings(text: str) -> None:
    for meaning in text.split(";"):
        if not cfi.attribute_patterns(meaning):
            close = difflib.get_close_matches(meaning.strip().capitalize(), cfi.meanings(), n=3)
            hint = f" Similar ones: {', '.join(close)}." if close else ""
            parameters = {"meaning": meaning.strip(), "hint": hint}
            raise ValidationError(
                "No attribute of ISO 10962 has the meaning '%(meaning)s'.%(hint)s /api/v1/cfi/ES/"
                " shows the attributes of a group.",
                params=parameters,
            )


def _begin_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, dt.UTC)


class InstrumentFilterSet(django_filters.FilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_list],
        widget=CommaSeparatedInput,
        label="One ISIN, FIGI or ticker, or up to 1,000 separated by commas or by repeating the parameter;"
        " the answer has the outcome for each",
    )
    figi = django_filters.CharFilter(
        method="filter_figi",
        validators=[code_validator("[A-Z0-9]{12}", "A FIGI has 12 letters and digits.")],
        label="FIGI of the instrument: of an exchange, of a country (composite) or of the share class",
    )
    ticker = django_filters.CharFilter(
        method="filter_ticker", max_length=100, label="Ticker on any exchange, as IBM"
    )
    # The next three come before the codes, because they leave fewer instruments than these do.
    underlying = django_filters.CharFilter(
        method="filter_underlying",
        validators=[_check_underlying],
        max_length=100,
        label="ISIN, FIGI or ticker of an underlying, or LEI of an issuer that is one; members of baskets"
        " included",
    )
    underlying_group = django_filters.CharFilter(
        method="filter_underlying_group",
        validators=[LEI_VALIDATOR],
        label="LEI of a legal entity: instruments with an underlying that it, or an entity below it in its"
        " group, has issued; members of baskets included",
    )
    # These leave fewer instruments than codes, too.
    maturity_after = django_filters.DateFilter(
        method="filter_maturity",
        label="Maturity date of the reference listing after this day; with maturity_before, between them",
    )
    maturity_before = django_filters.DateFilter(
        method="filter_maturity", label="Maturity date of the reference listing before this day"
    )
    first_trade_after = django_filters.DateFilter(
        method="filter_first_trade",
        label="First trade on the venue of the reference listing after this day (UTC)",
    )
    first_trade_before = django_filters.DateFilter(
        method="filter_first_trade",
        label="First trade on the venue of the reference listing before this day (UTC)",
    )
    expiry_after = django_filters.DateFilter(
        method="filter_expiry",
        label="Expiry date of the reference listing of a derivative after this day; with expiry_before,"
        " between them",
    )
    expiry_before = django_filters.DateFilter(
        method="filter_expiry",
        label="Expiry date of the reference listing of a derivative before this day",
    )
    has_figi = TrueFalseFilter(
        method="filter_has_figi", label="OpenFIGI has a FIGI, in its latest answer"
    )
    has_entity = TrueFalseFilter(
        method="filter_has_entity", label="GLEIF's record of the published LEI has been loaded"
    )
    changed_since = MomentFilter(
        method="filter_changed_since",
        label="A listing was loaded or changed here at this time or later: a day, or a time in ISO 8601",
    )
    # Words and the codes in `q`, which may leave few instruments too.
    q = django_filters.CharFilter(
        max_length=100,
        method="filter_q",
        label="Words of the full or short name or beginnings of words, an ISIN, the start of one, or a FIGI",
    )
    effective_status = AnyCaseChoiceFilter(
        method="filter_effective_status",
        choices=EffectiveStatus.choices,
        label="Effective status today: unlike the published one, it considers the termination, expiry"
        " and maturity dates",
    )
    category = AnyCaseChoiceFilter(
        method="filter_category",
        choices=list(cfi.category_names().items()),
        label="CFI category, the first letter of the CFI code",
    )
    type = AnyCaseChoiceFilter(
        method="filter_type",
        choices=[(name, name.replace("_", " ")) for name in cfi.BUSINESS_TYPES],
        label="Kind of instrument: equity, bond, fund, option, swap, ...",
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
        label="Meaning of an attribute of the CFI code, as voting, or form: registered; several are separated"
        " by semicolons or by repeating the parameter",
    )
    currency = django_filters.CharFilter(
        method="filter_currency",
        validators=[code_validator("[A-Z]{3}", "A currency code has three letters.")],
        label="Notional currency, as EUR",
    )
    issuer = django_filters.CharFilter(
        method="filter_issuer",
        validators=[LEI_VALIDATOR],
        label="LEI published in RTS 23 field 5: the issuer, or for exchange-traded derivatives the"
        " operator of the venue",
    )
    issuer_group = django_filters.CharFilter(
        method="filter_issuer_group",
        validators=[LEI_VALIDATOR],
        label="LEI of a legal entity: instruments of it, or of an entity below it in its group",
    )
    mic = django_filters.CharFilter(
        method="filter_mic",
        validators=[MIC_VALIDATOR],
        label="MIC of a venue with a listing of any status; an operating MIC includes its segments",
    )
    mic_exact = django_filters.CharFilter(
        method="filter_mic_exact",
        validators=[MIC_VALIDATOR],
        label="MIC of a venue with a listing of any status, without its segments",
    )
    register = AnyCaseChoiceFilter(
        method="filter_register",
        choices=Register.choices,
        label="Register with a listing: ESMA (EU) or FCA (UK); with mic, a listing there in it",
    )
    status = AnyCaseChoiceFilter(
        method="filter_status",
        choices=Status.choices,
        label="Published status of the instrument",
    )

    class Meta:
        model = Instrument
        fields: list[str] = []

    def filter_queryset(self, queryset: InstrumentQuerySet) -> InstrumentQuerySet:
        """Return the instruments that match all filters."""
        matching: InstrumentQuerySet = super().filter_queryset(queryset)
        return cast(InstrumentQuerySet, search.compare_keys(matching))

    def filter_maturity(
        self, queryset: InstrumentQuerySet, name: str, value: dt.date
    ) -> InstrumentQuerySet:
        return self._filter_range(queryset, "maturity", "maturity_date", name)

    def filter_expiry(
        self, queryset: InstrumentQuerySet, name: str, value: dt.date
    ) -> InstrumentQuerySet:
        return self._filter_range(queryset, "expiry", "expiry_date", name)

    def filter_has_figi(
        self, queryset: InstrumentQuerySet, name: str, value: bool
    ) -> InstrumentQuerySet:
        return with_figi.filter_by_figi(queryset, has_figi=value)

    def filter_has_entity(
        self, queryset: InstrumentQuerySet, name: str, value: bool
    ) -> InstrumentQuerySet:
        return with_entity.filter_by_entity(queryset, has_entity=value)

    def filter_first_trade(
        self, queryset: InstrumentQuerySet, name: str, value: dt.date
    ) -> InstrumentQuerySet:
        return self._filter_range(queryset, "first_trade", "first_trade_at", name)

    def _filter_range(
        self, queryset: InstrumentQuerySet, prefix: str, column: str, name: str
    ) -> InstrumentQuerySet:
        """Apply both ends of a range at once, when the first of them is applied."""
        if self.form.cleaned_data.get(f"{prefix}_after") and name.endswith("_before"):
            return queryset
        condition = self._get_range(prefix, column, is_time=column.endswith("_at"))
        own = {f"{prefix}_after", f"{prefix}_before", "ordering"}
        return dates.filter_by_reference(queryset, condition, is_alone=not self._get_used() - own)

    def _get_used(self) -> set[str]:
        """Return the names of the filters that have a value, of which `false` is one."""
        return {name for name, value in self.form.cleaned_data.items() if value not in EMPTY_VALUES}

    def _get_range(self, prefix: str, column: str, *, is_time: bool) -> Q:
        after = self.form.cleaned_data.get(f"{prefix}_after")
        before = self.form.cleaned_data.get(f"{prefix}_before")
        condition = Q()
        if after and is_time:
            end = dt.datetime.combine(after, dt.time.max, dt.UTC)
            condition &= Q((f"{column}__gt", end))
        elif after:
            condition &= Q((f"{column}__gt", after))
        if before:
            condition &= Q((f"{column}__lt", _begin_of(before) if is_time else before))
        return condition

    def filter_changed_since(
        self, queryset: InstrumentQuerySet, name: str, value: dt.datetime
    ) -> InstrumentQuerySet:
        return dates.filter_changed_since(queryset, value)

    def filter_isin(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        isins = lookup.find_isins(value)
        keys = Instrument.objects.filter(pk__in=isins).order_by().values("isin")
        return cast(InstrumentQuerySet, search.among(queryset, keys, len(isins)))

    def filter_figi(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.with_figi(value.upper())

    def filter_ticker(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        figis = Figi.objects.filter(ticker=value.strip().upper(), is_current=True)
        keys = figis.order_by().values("isin")
        return cast(InstrumentQuerySet, search.among(queryset, keys, search.HARDLY_ANY))

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
        # Equal meanings are used once: SQL Server takes 2,100 parameters, and one meaning may need 332.
        alternatives = dict.fromkeys(tuple(cfi.attribute_patterns(m)) for m in value.split(";"))
        for patterns in alternatives:
            queryset = queryset.classified(*patterns)
        return queryset

    def filter_mic(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        [mics] = Venue.objects.read_covered([value.upper()]).values()
        return self._filter_mics(queryset, *sorted(mics))

    def filter_mic_exact(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return self._filter_mics(queryset, value.upper())

    def _filter_mics(self, queryset: InstrumentQuerySet, *mics: str) -> InstrumentQuerySet:
        return queryset.traded_on(*mics, register=self.form.cleaned_data.get("register", ""))

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

    def filter_issuer_group(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.issued_by(*read_group(value))

    def filter_status(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return queryset.with_status(value)

    def filter_effective_status(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return filter_by_effective_status(queryset, value, today())

    def filter_underlying(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        code = value.strip().upper()
        if re.fullmatch(LEI, code):
            return queryset.derived_from(code)
        try:
            return queryset.derived_from(lookup.resolve_isin(code))
        except NotInDatabase as error:
            raise InvalidQuery(name, str(error)) from None

    def filter_underlying_group(
        self, queryset: InstrumentQuerySet, name: str, value: str
    ) -> InstrumentQuerySet:
        return filter_by_issuers_of_underlyings(queryset, read_group(value))

    def filter_q(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        return queryset.search(value)


class ListFilterSet(InstrumentFilterSet):
    """The filters of instruments, and the order of the list."""

    ordering = AnyCaseChoiceFilter(
        method="keep",
        choices=list(dates.ORDERINGS.items()),
        label="Order: by ISIN (default), or by a date of the reference listing; instruments without that date"
        " are left out",
    )

    def filter_queryset(self, queryset: InstrumentQuerySet) -> InstrumentQuerySet:
        """Return the instruments that match all filters, in the order that is asked for."""
        ordering = self.form.cleaned_data.get("ordering")
        matching: InstrumentQuerySet = super().filter_queryset(queryset)
        if not ordering or ordering == "isin":
            return matching
        if self._get_used() == {"ordering"}:
            return dates.order(matching, None, ordering)
        unfiltered = super().filter_queryset(queryset.alias(**{search.FEW: Value(True)}))
        column = ordering.removeprefix("-")
        prefix = {"maturity_date": "maturity", "first_trade_at": "first_trade"}.get(column)
        bounds = prefix and self._get_range(prefix, ORDERED_BY, is_time=column.endswith("_at"))
        return dates.order(matching, unfiltered, ordering, bounds=bounds or None)

    def keep(self, queryset: InstrumentQuerySet, name: str, value: str) -> InstrumentQuerySet:
        """Return all instruments: `filter_queryset` puts them in order after the other filters."""
        return queryset


class DerivativeFilterSet(InstrumentFilterSet):
    """The filters of instruments without `underlying`, for the derivatives of one underlying."""

    underlying = None  # This is how django-filter leaves out an inherited filter.
