"""What accounts refuse, as the API says it."""

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
def as_problems() -> Iterator[None]:
    """Errors of the domain become problems that name the field."""
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
