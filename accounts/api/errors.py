"""Errors of the accounts app as problem details of the API."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core import exceptions as django
from rest_framework.exceptions import PermissionDenied, ValidationError

from accounts.errors import (
    NotAllowed,
    PermissionsNotHeld,
    RoleExists,
    ScopeTooWide,
    UnknownRole,
)


@contextmanager
def errors_as_problems() -> Iterator[None]:
    """Convert domain errors to DRF's exceptions, which name the invalid field."""
    try:
        yield
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except UnknownRole as error:
        raise ValidationError({"roles": [str(error)]}) from error
    except RoleExists as error:
        raise ValidationError({"name": [str(error)]}) from error
    except (ScopeTooWide, PermissionsNotHeld) as error:
        raise ValidationError({"permissions": [str(error)]}) from error
    except django.ValidationError as error:
        by_field = getattr(error, "message_dict", None) or {"password": error.messages}
        raise ValidationError(by_field) from error
