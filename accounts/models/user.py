"""The user model."""

import hmac
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property

from accounts.roles import ROLES

# The characters of user names of Entra ID (UPN) and Django that are ASCII, so that no letter of another
# script passes for one of them. A name begins with a letter or digit: "." and ".." cannot be used in
# addresses.
USERNAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@+'#!^~-]*\Z"
USERNAME_FORM = (
    "Enter a valid user name: letters, digits and ._@+'#!^~- of ASCII, beginning with a letter or"
    " digit."
)
_LOOK_ALIKES = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"))


class User(AbstractUser):
    """Django's user. All sessions can be ended at once, and an API key can narrow the permissions."""

    username = models.CharField(
        max_length=150,
        unique=True,
        help_text=(
            "At most 150 letters, digits and ._@+'#!^~- of ASCII. The first is a letter or digit."
        ),
        validators=[
            RegexValidator(
                USERNAME_PATTERN,
                USERNAME_FORM,
            )
        ],
        error_messages={"unique": "A user with this name already exists."},
    )
    session_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Increased to end all sessions and tokens of the user.",
    )
    entra_id = models.CharField(
        max_length=100,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text="Tenant and object id in Microsoft Entra ID, for users who sign in there.",
    )

    # Permissions of the API key that the current request uses; None without a key. Never stored.
    key_permissions: frozenset[str] | None = None

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the user, and the API key if there is one, has a permission.

        Django reads the permissions of a user once, but asks every backend each time: what it has answered is
        remembered.
        """
        if self.key_permissions is not None and perm not in self.key_permissions:
            return False
        if obj is not None or not self.is_active:
            return super().has_perm(perm, obj)
        if perm not in self._known_permissions:
            self._known_permissions[perm] = super().has_perm(perm)
        return self._known_permissions[perm]

    @cached_property
    def _known_permissions(self) -> dict[str, bool]:
        """By permission, whether the roles have it."""
        return {}

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        permissions = super().get_all_permissions(obj)
        return permissions if self.key_permissions is None else permissions & self.key_permissions

    @property
    def roles(self) -> list[str]:
        """Names of the user's groups: built-in roles in ascending order, then custom roles."""
        names = {group.name for group in self.groups.all()}
        return [*(name for name in ROLES if name in names), *sorted(names - set(ROLES))]

    @cached_property
    def limit_name(self) -> str:
        """Key in settings.LIMITS: the highest role that has limits of its own, else "client".

        Asked several times in a request, so the groups are read once.
        """
        names = [role for role in self.roles if role in settings.LIMITS]
        return names[-1] if names else "client"

    def get_session_auth_hash(self) -> str:
        """Return the value that sessions and tokens carry.

        A new password or session version changes it, which ends all sessions and tokens.
        """
        return self._session_hash(None)

    def get_session_auth_fallback_hash(self) -> Iterable[str]:
        """Return the same value under each of the secret keys that are being retired."""
        return (self._session_hash(secret) for secret in settings.SECRET_KEY_FALLBACKS)

    def _session_hash(self, secret: str | bytes | None) -> str:
        value = f"{self.password}:{self.session_version}"
        return salted_hmac("accounts.User", value, secret=secret, algorithm="sha256").hexdigest()

    def matches_session_hash(self, value: str) -> bool:
        return hmac.compare_digest(value.encode(), self.get_session_auth_hash().encode())

    def clean(self) -> None:
        """Refuse a new name that looks like another user's, as BOB, b0b and bob do."""
        super().clean()
        names = dict(type(self).objects.values_list("pk", "username"))
        is_new_name = names.pop(self.pk, None) != self.username
        if is_new_name and looks_taken(self.username, names.values()):
            raise ValidationError({"username": "This name looks like that of another user."})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and end all sessions and tokens if the account is inactive."""
        update_fields = kwargs.get("update_fields")
        if not self.is_active and (update_fields is None or "is_active" in update_fields):
            self.session_version += 1
            if update_fields is not None:
                kwargs["update_fields"] = {*update_fields, "session_version"}
        super().save(*args, **kwargs)


def looks_taken(name: str, names: Iterable[str]) -> bool:
    """Return True if one of the names looks like `name`, but is not the same."""
    appearance = _appearance(name)
    return any(other != name and _appearance(other) == appearance for other in names)


def _appearance(name: str) -> str:
    """Return a form that names have in common if people can mistake them for each other."""
    name = name.casefold()
    for text, replacement in _LOOK_ALIKES:
        name = name.replace(text, replacement)
    return name
