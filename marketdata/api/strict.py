"""Bodies of requests that refuse what they do not know."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError


class StrictSerializer(serializers.Serializer[Any]):
    """A field that is not asked for is a mistake, or an attempt: 400, and not silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(set(data) - writable):
                reason = f"cannot be given here; there are {', '.join(sorted(writable))}"
                raise ValidationError({str(name): [reason] for name in unknown})
        return super().to_internal_value(data)
