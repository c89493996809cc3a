"""The model of networks that users have signed in from."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

KNOWN_FOR = dt.timedelta(days=90)
_PRECISION = dt.timedelta(days=1)  # storing every sign-in would add a write to each


class KnownNetworkQuerySet(models.QuerySet["KnownNetwork"]):
    def is_known(self, username: str, network: str) -> bool:
        """Return True if this user has signed in from this network in the last 90 days."""
        since = timezone.now() - KNOWN_FOR
        return self.filter(
            user__username=username, network=network, last_sign_in_at__gte=since
        ).exists()

    def remember(self, user: Any, network: str) -> None:
        """Store that a user has signed in from a network, and forget networks not used for 90 days."""
        now = timezone.now()
        recent = self.filter(user=user, network=network, last_sign_in_at__gte=now - _PRECISION)
        if not recent.exists():
            self.filter(user=user, last_sign_in_at__lt=now - KNOWN_FOR).delete()
            self.update_or_create(user=user, network=network, defaults={"last_sign_in_at": now})


class KnownNetwork(models.Model):
    """A network that a user has signed in from.

    Attempts from there have a reserve beyond the limit of attempts with one user name, so that an attack from
    many addresses does not lock the user out.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="known_networks"
    )
    network = models.GenericIPAddressField(
        help_text="An IPv4 address, or the first address of a /64 of IPv6."
    )
    last_sign_in_at = models.DateTimeField(default=timezone.now)

    objects = KnownNetworkQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "network"], name="unique_known_network")
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.network}"
