"""Query parameters of the questions about instruments."""

from rest_framework import serializers

from instruments.listings import facets, included
from instruments.models import Register
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer


class RegisterSerializer(QuerySerializer):
    """The register whose listings count."""

    register = AnyCaseChoiceField(
        choices=Register.choices,
        required=False,
        help_text="Only listings in this register: ESMA (EU) or FCA (UK). Default: both",
    )


class CorrectionsSerializer(QuerySerializer):
    """Corrected values or published ones."""

    corrections = AnyCaseChoiceField(
        choices=["on", "off"],
        default="on",
        help_text="off: values as published, without corrections. Filters and search use corrected values"
        " in any case",
    )


class ListSerializer(CorrectionsSerializer):
    """Corrected values or published ones, and the parts that a list has beside the instruments."""

    include = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Parts to add to each instrument, separated by commas: listings; issuer (name and status"
        " by GLEIF); figis (current ones); transparency (liquidity today, by ESMA); venue (of the reference"
        f" listing). Then `per_page` is at most {included.MAX_ROWS}",
    )

    facets = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Codes whose values are counted among all instruments that match, separated by commas:"
        f" {', '.join(facets.FACETS)}. The counts are in `facets` of the answer",
    )

    def validate_include(self, text: str) -> list[str]:
        return included.parse(text)

    def validate_facets(self, text: str) -> list[str]:
        return facets.parse(text)


class SnapshotSerializer(RegisterSerializer, CorrectionsSerializer):
    """The days on which the records of an instrument were valid and known."""

    as_of = serializers.DateField(
        required=False, help_text="As the register read on this day. Default: the newest records"
    )
    known_on = serializers.DateField(
        required=False, help_text="Use only what had been published by the end of this day"
    )


class ReportabilityQuerySerializer(RegisterSerializer):
    """The day of a trade, and the day of knowledge."""

    on = serializers.DateField(required=False, help_text="Day of the trade. Default: today (UTC)")
    known_on = serializers.DateField(
        required=False, help_text="Use only what had been published by the end of this day"
    )
