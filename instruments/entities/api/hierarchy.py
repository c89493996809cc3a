"""Parameters and serializers of hierarchies: the latter document `describe_hierarchy` for OpenAPI."""

from typing import Any

from rest_framework import serializers

from instruments.api_fields import text
from instruments.listings.api.parameters import CorrectionsSerializer
from marketdata.api.parameters import QuerySerializer


class HierarchyQuerySerializer(CorrectionsSerializer):
    """The day of a hierarchy."""

    on = serializers.DateField(
        required=False,
        help_text="As of this day, by the periods of the relationships. Default: now",
    )


class GroupQuerySerializer(QuerySerializer):
    """The entities whose instruments are listed."""

    group = serializers.BooleanField(
        required=False,
        default=False,
        help_text="true: also those of the entities below it, up to 1,000 of them",
    )


class EntityNodeSerializer(serializers.Serializer[Any]):
    """An entity above or below the one asked for."""

    lei = serializers.CharField()
    legal_name = text(help_text="null if no loaded record has the LEI")
    level = serializers.IntegerField(help_text="steps from the entity asked for")
    related_lei = serializers.CharField(help_text="LEI of the entity that the relationship is with")
    type = serializers.CharField()
    status = text()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    registration_status = text()
    validation_sources = text()
    last_updated_at = serializers.DateTimeField()


class ReportingExceptionSerializer(serializers.Serializer[Any]):
    """The reason why no parent is reported."""

    category = serializers.CharField(
        help_text="DIRECT_ or ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT"
    )
    description = serializers.CharField(help_text="the exception in words")
    reasons = serializers.ListField(
        child=serializers.CharField(), help_text="as NO_KNOWN_PERSON or NON_CONSOLIDATING"
    )
    references = serializers.ListField(
        child=serializers.CharField(), help_text="documents that explain the reasons"
    )


class HierarchySerializer(serializers.Serializer[Any]):
    """The entities above and below an entity."""

    lei = serializers.CharField()
    legal_name = text()
    on = serializers.DateField(allow_null=True, help_text="null: now")
    parents: Any = EntityNodeSerializer(
        many=True, help_text="the direct parent, its direct parent, and so on"
    )
    ultimate_parents: Any = EntityNodeSerializer(many=True)
    children: Any = EntityNodeSerializer(
        many=True, help_text="all entities below, level by level, up to 1,000"
    )
    others: Any = EntityNodeSerializer(
        many=True, help_text="the manager or umbrella of a fund, the head office of a branch"
    )
    exceptions: Any = ReportingExceptionSerializer(
        many=True, help_text="reasons why no direct or no ultimate parent is reported"
    )
    has_more = serializers.BooleanField(help_text="true if entities below were left out")
