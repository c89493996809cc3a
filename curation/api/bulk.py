"""Serializers of the parts of `/corrections/` that are no single correction: preview, bulk and debt."""

from typing import Any

from rest_framework import serializers

from curation.bulk import MAX_CORRECTIONS
from marketdata.api.parameters import StrictSerializer


class PreviewedListingSerializer(serializers.Serializer[Any]):
    """A listing that a correction concerns."""

    mic = serializers.CharField()
    published = serializers.JSONField(allow_null=True, help_text="The published value")
    changes = serializers.BooleanField(help_text="The correction changes what is served for it")


class PreviewedRecordSerializer(serializers.Serializer[Any]):
    """The legal entity or the venue that a correction is about."""

    code = serializers.CharField(help_text="LEI or MIC")
    published = serializers.JSONField(allow_null=True, help_text="The published value")
    changes = serializers.BooleanField(help_text="The correction changes what is served for it")


class PreviewSerializer(serializers.Serializer[Any]):
    """Where a correction would change what is served."""

    value = serializers.JSONField(allow_null=True, help_text="The value to be served")
    record = PreviewedRecordSerializer(
        allow_null=True, help_text="The entity or venue; null for a correction of an instrument"
    )
    listings = PreviewedListingSerializer(many=True, help_text="At most 10")
    more = serializers.IntegerField(help_text="Number of the other listings")
    in_lists = serializers.BooleanField(
        help_text="Lists, search, filters and exports use the value: it is of an entity or a venue, or the"
        " reference listing is one of these"
    )


class NumbersSerializer(StrictSerializer):
    """Corrections by number."""

    numbers = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        min_length=1,
        max_length=MAX_CORRECTIONS,
    )


class OutcomeSerializer(serializers.Serializer[Any]):
    """The outcome for one correction of a request."""

    number = serializers.IntegerField(allow_null=True, help_text="null if it was left out")
    state = serializers.CharField(allow_null=True, help_text="State of a correction")
    problem = serializers.CharField(allow_null=True, help_text="The reason why it was left out")


class OutcomesSerializer(serializers.Serializer[Any]):
    """The outcomes in the order of the request."""

    results = OutcomeSerializer(many=True)


class CountedSerializer(serializers.Serializer[Any]):
    """The number of corrections with a value."""

    value = serializers.CharField(allow_null=True, help_text="null for owners who are not shown")
    corrections = serializers.IntegerField()


class DebtSummarySerializer(serializers.Serializer[Any]):
    """The corrections that replace published values, in numbers."""

    corrections = serializers.IntegerField()
    to_review = serializers.IntegerField(help_text="The register publishes a third value")
    unreported = serializers.IntegerField(help_text="The authority was not told")
    expiring = serializers.IntegerField(help_text="Those that end within 30 days")
    by_age = CountedSerializer(many=True)
    by_owner = CountedSerializer(many=True)
    by_field = CountedSerializer(many=True)


class DebtRowSerializer(serializers.Serializer[Any]):
    """A correction that replaces a published value."""

    number = serializers.IntegerField()
    subject = serializers.CharField(help_text="instrument, entity or venue")
    isin = serializers.CharField(allow_null=True)
    register = serializers.CharField(allow_null=True)
    lei = serializers.CharField(allow_null=True)
    mic = serializers.CharField(allow_null=True)
    field = serializers.CharField()
    state = serializers.CharField(help_text="in_force or to_review")
    owner = serializers.CharField(
        allow_null=True, help_text="Proposer; null for callers who may not see it"
    )
    days_since_approval = serializers.IntegerField(allow_null=True)
    reported_on = serializers.DateField(
        allow_null=True, help_text="Day on which the authority was told; null if it was not"
    )
    days_since_report = serializers.IntegerField(allow_null=True)
    days_left = serializers.IntegerField(allow_null=True, help_text="null without a last day")


class DebtSerializer(serializers.Serializer[Any]):
    """Override debt: the corrections that replace published values, the oldest first."""

    summary = DebtSummarySerializer()
    corrections = DebtRowSerializer(many=True, help_text="At most 1,000")
