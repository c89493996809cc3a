"""Serializer fields that several parts of the API share."""

from typing import Any

from rest_framework import serializers


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
