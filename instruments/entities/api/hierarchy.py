"""The hierarchy of an entity in the API."""

from typing import Any

from rest_framework import serializers

from instruments.api_fields import text
from instruments.entities.hierarchy import Hierarchy, Node
from instruments.models import ReportingException
from marketdata.api.parameters import QuerySerializer


class HierarchyQuerySerializer(QuerySerializer):
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


class EntityNodeSerializer(serializers.Serializer[Node]):
    """An entity above or below the one asked for."""

    lei = serializers.CharField()
    legal_name = text(help_text="null if no loaded record has the LEI")
    level = serializers.IntegerField(help_text="steps from the entity asked for")
    of = serializers.CharField(help_text="LEI of the entity that the relationship is with")
    type = serializers.CharField(source="relationship.type")
    status = text("relationship.status")
    started_at = serializers.DateTimeField(source="relationship.started_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="relationship.ended_at", allow_null=True)
    registration_status = text("relationship.registration_status")
    validation_sources = text("relationship.validation_sources")
    last_updated_at = serializers.DateTimeField(source="relationship.last_updated_at")


class ReportingExceptionSerializer(serializers.ModelSerializer[ReportingException]):
    """The reason why no parent is reported."""

    reasons = serializers.SerializerMethodField()
    references = serializers.SerializerMethodField()

    class Meta:
        model = ReportingException
        fields = ("category", "reasons", "references")
        read_only_fields = fields

    def get_reasons(self, exception: ReportingException) -> list[str]:
        """Return the reasons, as NO_KNOWN_PERSON or NON_CONSOLIDATING."""
        reasons = (exception.reason, exception.second_reason, exception.third_reason)
        return [reason for reason in reasons if reason]

    def get_references(self, exception: ReportingException) -> list[str]:
        """Return the references that explain the reasons."""
        references = (exception.reference, exception.second_reference, exception.third_reference)
        return [reference for reference in references if reference]


class HierarchySerializer(serializers.Serializer[Hierarchy]):
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
