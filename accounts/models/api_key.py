import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import models
from django.utils import timezone

# What a key looks like: so that one in a log, or in an address, is recognized.
PATTERN = r"md_([0-9a-f]{12})_([A-Za-z0-9_-]{43})"
# Known to this: to write each use down would make every read wait for whoever writes.
LAST_USED_WITHIN = dt.timedelta(minutes=10)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        """Keys that have not expired or been revoked, of users who are active."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now(), owner__is_active=True)


class ApiKey(models.Model):
    """A key for a machine of its owner's: a part of what the owner may do, until a day.

    Only its SHA-256 is kept. Its secret has 256 random bits: there is nothing to guess that a slow hash
    would have to protect.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=100, help_text="what it is for")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    hashed = models.CharField(max_length=64, editable=False)
    permissions = models.ManyToManyField(Permission, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    is_api_key = True  # as Rule.by_key asks

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]
        permissions = [("manage_apikey", "Can see and revoke the API keys of everybody")]

    def __str__(self) -> str:
        return f"{self.name} (md_{self.prefix}_...)"

    @property
    def via(self) -> str:
        """How the audit trail names it."""
        return f"key {self.prefix} {self.name}"[:100]

    @property
    def limit(self) -> str:
        """The row of the table of limits that counts for keys."""
        return "key"

    @property
    def state(self) -> str:
        """One of usable, revoked, expired."""
        if self.revoked_at:
            return "revoked"
        return "usable" if self.expires_at > timezone.now() else "expired"

    def set_secret(self) -> str:
        """Give the key a new secret, and return the key as it is shown this once."""
        self.prefix = secrets.token_hex(6)
        key = f"md_{self.prefix}_{secrets.token_urlsafe(32)}"
        self.hashed = digest(key)
        return key

    def note_use(self) -> None:
        """Remember when it was last used, to ten minutes."""
        now = timezone.now()
        if self.last_used_at is None or self.last_used_at < now - LAST_USED_WITHIN:
            type(self).objects.filter(pk=self.pk).update(last_used_at=now)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
