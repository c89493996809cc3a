"""The audit trail: events that are written once and never changed."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from audit.errors import AppendOnly


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **values: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class Event(models.Model):
    """An event of the audit trail: who did what, when, from where, and to which object.

    Users and objects are stored by name, so that the event stays readable after they have been deleted.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True, help_text="Time of the event.")
    action = models.CharField(
        max_length=50, db_index=True, help_text="Name of the action, as in user.deactivated."
    )
    actor = models.CharField(
        max_length=150, blank=True, db_index=True, help_text="User name; empty if unknown."
    )
    via = models.CharField(
        max_length=100,
        blank=True,
        help_text=(
            "Way of authentication: session, token, entra, key with prefix and name, or command."
        ),
    )
    address = models.GenericIPAddressField(
        null=True, blank=True, help_text="IP address of the client; null for commands."
    )
    object_type = models.CharField(
        max_length=50, blank=True, help_text="Type of the object, as in accounts.user."
    )
    object_id = models.CharField(
        max_length=200, blank=True, db_index=True, help_text="Name of the object."
    )
    old = models.JSONField(null=True, blank=True, help_text="Values before the action, or null.")
    new = models.JSONField(null=True, blank=True, help_text="Values after the action, or null.")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["address"], name="audit_event_address_idx")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly
