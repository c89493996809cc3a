"""Filters of legal entities, defined once for the API and the commands."""

import django_filters

from instruments.fields import BIC
from instruments.models import EntityBic, LegalEntity, LegalEntityQuerySet
from instruments.served_values import ServedCodeFilter
from marketdata.common.filters import LEI_VALIDATOR, CodeFilter, code_validator

_WORD = code_validator("[A-Z_]{1,50}", "A code of GLEIF has letters and underscores.")


class LegalEntityFilterSet(django_filters.FilterSet):
    q = django_filters.CharFilter(
        max_length=200,
        method="filter_q",
        label="An LEI, a BIC, or words of a name in any of its forms: legal, former, trading, transliterated",
    )
    lei = CodeFilter(validators=[LEI_VALIDATOR], label="LEI")
    bic = CodeFilter(
        method="filter_bic",
        validators=[code_validator(BIC, "A BIC has 8 or 11 letters and digits.")],
        label="BIC (ISO 9362) of 8 or 11 characters; 8 are the same as with XXX behind them",
    )
    country = ServedCodeFilter(
        field_name="legal_address_country",
        validators=[code_validator("[A-Z]{2}", "A country code has two letters.")],
        label="Country of the legal address, as DE (ISO 3166)",
    )
    jurisdiction = ServedCodeFilter(
        validators=[
            code_validator(
                "[A-Z]{2}(?:-[A-Z0-9]{1,3})?", "A jurisdiction is a code as DE or US-DE."
            )
        ],
        label="Legal jurisdiction, as DE or US-DE (ISO 3166)",
    )
    category = ServedCodeFilter(
        validators=[_WORD], label="Category, as GENERAL, FUND, BRANCH or SOLE_PROPRIETOR"
    )
    entity_status = ServedCodeFilter(
        validators=[_WORD], label="Status of the entity: ACTIVE or INACTIVE"
    )
    registration_status = ServedCodeFilter(
        validators=[_WORD], label="Status of the registration, as ISSUED, LAPSED, RETIRED or MERGED"
    )
    legal_form = ServedCodeFilter(
        validators=[code_validator("[A-Z0-9]{4}", "A legal form has four letters or digits.")],
        label="Legal form (ISO 20275)",
    )
    managing_lou = ServedCodeFilter(
        validators=[LEI_VALIDATOR],
        label="LEI of the issuer of the LEI (managing LOU)",
    )

    class Meta:
        model = LegalEntity
        fields: list[str] = []

    def filter_q(self, queryset: LegalEntityQuerySet, name: str, value: str) -> LegalEntityQuerySet:
        return queryset.search(value)

    def filter_bic(
        self, queryset: LegalEntityQuerySet, name: str, value: str
    ) -> LegalEntityQuerySet:
        bics = EntityBic.objects.of_bic(value).order_by()
        return queryset.filter(lei__in=bics.values("entity_id"))
