"""The model of API keys."""

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import models
from django.utils import timezone

# Precision of the time of last use. Storing every use would make reads wait for the database's writer.
LAST_USE_PRECISION = dt.timedelta(minutes=10)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        """Keys that are neither expired nor revoked and belong to active users."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now(), owner__is_active=True)


class ApiKey(models.Model):
    """A key for a machine, with a part of its owner's permissions and a date of expiry.

    Only the SHA-256 of its text is stored. The secret has 256 random bits, so a slow hash would add nothing.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=100, help_text="Purpose of the key.")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    permissions = models.ManyToManyField(Permission, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    is_api_key = True  # tells access rules that `request.auth` is an API key
    limit_name = "key"  # key in settings.LIMITS

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]
        permissions = [("manage_apikey", "Can view and revoke the API keys of all users")]

    def __str__(self) -> str:
        return f"{self.name} (md_{self.prefix}_...)"

    @property
    def via(self) -> str:
        """Way of authentication, as recorded in the audit trail."""
        return f"key {self.prefix} {self.name}"[:100]

    @property
    def state(self) -> str:
        """One of "usable", "revoked" and "expired"."""
        if self.revoked_at:
            return "revoked"
        return "usable" if self.expires_at > timezone.now() else "expired"

    def set_secret(self) -> str:
        """Give the key a new secret, and return the text of the key."""
        self.prefix = secrets.token_hex(6)
        text = f"md_{self.prefix}_{secrets.token_urlsafe(32)}"
        self.digest = key_digest(text)
        return text

    def record_use(self) -> None:
        """Store the time of last use, unless one of the last ten minutes is stored already."""
        now = timezone.now()
        if self.last_used_at is None or self.last_used_at < now - LAST_USE_PRECISION:
            type(self).objects.filter(pk=self.pk).update(last_used_at=now)


def key_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
