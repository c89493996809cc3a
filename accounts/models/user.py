import hmac
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.crypto import salted_hmac

from accounts.roles import ROLES


class User(AbstractUser):
    """Django's user, who can be signed out everywhere, and whose permissions a key can narrow."""

    sign_outs = models.PositiveIntegerField(
        default=0, editable=False, help_text="counts up to end all sessions and tokens"
    )
    entra_id = models.CharField(
        max_length=100,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text="tenant and object id, for who signs in by Entra ID",
    )

    # What an API key may do: its own permissions, of those its owner has. For one request only.
    only: frozenset[str] | None = None

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return (self.only is None or perm in self.only) and super().has_perm(perm, obj)

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        held = super().get_all_permissions(obj)
        return held if self.only is None else held & self.only

    @property
    def roles(self) -> list[str]:
        """Names of the groups, in the order of what they may do; groups of one's own come last."""
        held = {group.name for group in self.groups.all()}
        return [*(name for name in ROLES if name in held), *sorted(held - set(ROLES))]

    @property
    def limit(self) -> str:
        """The row of the table of limits that counts for this user: that of the highest role."""
        known = [role for role in self.roles if role in settings.LIMITS]
        return known[-1] if known else "client"

    def get_session_auth_hash(self) -> str:
        """What sessions and tokens carry; another password or one more sign-out ends them all."""
        return self._mark(None)

    def get_session_auth_fallback_hash(self) -> Iterable[str]:
        """The same under secret keys that are being retired."""
        return (self._mark(secret) for secret in settings.SECRET_KEY_FALLBACKS)

    def _mark(self, secret: str | bytes | None) -> str:
        value = f"{self.password}:{self.sign_outs}"
        return salted_hmac("accounts.User", value, secret=secret, algorithm="sha256").hexdigest()

    def carries_mark(self, mark: str) -> bool:
        return hmac.compare_digest(mark.encode(), self.get_session_auth_hash().encode())

    def clean(self) -> None:
        """No two names that differ in case only: one would pass for the other."""
        super().clean()
        same = type(self).objects.filter(username__iexact=self.username).exclude(pk=self.pk)
        if same.exclude(username=self.username).exists():
            raise ValidationError({"username": "A user with that name in other case exists."})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """An account that is switched off loses its sessions and tokens, for good."""
        changed = kwargs.get("update_fields")
        if not self.is_active and (changed is None or "is_active" in changed):
            self.sign_outs += 1
            if changed is not None:
                kwargs["update_fields"] = {*changed, "sign_outs"}
        super().save(*args, **kwargs)
