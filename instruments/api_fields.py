"""Parts of records as nested answers: each is there where the record says any of it."""

from typing import Any

from rest_framework import serializers


class Section(serializers.Serializer[Any]):
    """Fields of one record; None as a whole where the record has none of them."""

    def to_representation(self, instance: Any) -> Any:
        values = super().to_representation(instance)
        return values if any(value not in (None, []) for value in values.values()) else None


def section(base: type[Section], **options: Any) -> Any:
    return base(source="*", allow_null=True, read_only=True, **options)


def text(column: str | None = None, **options: Any) -> serializers.CharField:
    return serializers.CharField(source=column, allow_null=True, read_only=True, **options)


def decimal(column: str | None = None, **options: Any) -> serializers.Field[Any, Any, Any, Any]:
    return ExactDecimal(source=column, allow_null=True, read_only=True, **options)


def date(column: str | None = None) -> serializers.DateField:
    return serializers.DateField(source=column, allow_null=True, read_only=True)


class ExactDecimal(serializers.DecimalField):
    """A decimal as the digits that ESMA published, in a string: JSON numbers are floats for most."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, **options)

    def to_representation(self, value: Any) -> str:
        return format(value, "f")
