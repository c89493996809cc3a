"""Who did what, when, from where, and to what: written once, never changed."""

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
    """One thing done. Names are kept as text: they stay true when what they name is gone."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=50, db_index=True, help_text="as in user.deactivated")
    actor = models.CharField(
        max_length=150, blank=True, db_index=True, help_text="user name; empty: unknown"
    )
    via = models.CharField(
        max_length=100, blank=True, help_text="session, token, entra, key ..., or command"
    )
    address = models.GenericIPAddressField(null=True, blank=True)
    object_type = models.CharField(max_length=50, blank=True)
    object_id = models.CharField(max_length=200, blank=True, db_index=True)
    old = models.JSONField(null=True, blank=True)
    new = models.JSONField(null=True, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly
