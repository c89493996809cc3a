"""Validation errors of Django's models and passwords as problem details of the API."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core import exceptions as django
from rest_framework.exceptions import ValidationError


@contextmanager
def errors_as_problems() -> Iterator[None]:
    """Convert Django's ValidationError to DRF's. One without a field is that of a password."""
    try:
        yield
    except django.ValidationError as error:
        by_field = getattr(error, "message_dict", None) or {"password": error.messages}
        raise ValidationError(by_field) from error
