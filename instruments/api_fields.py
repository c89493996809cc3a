"""Serializer fields that several parts of the API share."""

from typing import Any

from rest_framework import serializers

from instruments.corrected_records import correct


class Section(serializers.Serializer[Any]):
    """Some fields of a record as a nested object; null as a whole if all of them are absent."""

    def to_representation(self, instance: Any) -> Any:
        values = super().to_representation(instance)
        return values if any(value not in (None, []) for value in values.values()) else None


def section(base: type[Section], **options: Any) -> Any:
    """Return a section of the same record."""
    return base(source="*", allow_null=True, read_only=True, **options)


def text(column: str | None = None, **options: Any) -> serializers.CharField:
    return serializers.CharField(source=column, allow_null=True, read_only=True, **options)


def decimal(column: str | None = None, **options: Any) -> serializers.Field[Any, Any, Any, Any]:
    return ExactDecimal(source=column, allow_null=True, read_only=True, **options)


def date(column: str | None = None) -> serializers.DateField:
    return serializers.DateField(source=column, allow_null=True, read_only=True)


class ExactDecimal(serializers.DecimalField):
    """A decimal as text with the published digits, because most readers turn JSON numbers into floats."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, **options)

    def to_representation(self, value: Any) -> str:
        return format(value, "f")


class PeriodSerializer(serializers.Serializer[Any]):
    """First and last day of a period, both included; null where it is open."""

    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)


class RecordCorrectionSerializer(serializers.Serializer[Any]):
    """A correction that applies: the published value beside the one that is served, when and why."""

    number = serializers.IntegerField(
        help_text="Its number: `/corrections/{number}/` has all of it"
    )
    field = serializers.CharField(help_text="Column of the listing, entity or venue")
    published = serializers.JSONField(allow_null=True, help_text="The published value")
    value = serializers.JSONField(allow_null=True, help_text="The corrected value, which is served")
    state = serializers.ChoiceField(
        choices=["in_force", "to_review"],
        help_text="to_review: a third value is published, and CORRECTIONS_IN_REVIEW is hold",
    )
    reason = serializers.CharField()
    evidence = serializers.CharField(allow_null=True, help_text="Address of a document")
    approved_at = serializers.DateTimeField()


class CorrectedListSerializer(serializers.ListSerializer[Any]):
    """Corrects the entities or venues of a page together, so that the number of queries is fixed."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        if self.context.get("with_corrections", True):
            correct(rows)
        return super().to_representation(rows)
