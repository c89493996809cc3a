"""Webhooks: addresses to which the changes of listings are sent, and what was sent."""

from django.db import models
from django.utils import timezone


class Webhook(models.Model):
    """An address that follows the changes feed.

    Its secret is derived from `salt` and `secret_number`, and not stored.
    """

    MAX_OF_USER = 10

    owner = models.CharField(max_length=150)
    url = models.CharField(max_length=500)
    with_record = models.BooleanField(default=False, help_text="send all published fields")
    filter = models.JSONField(
        default=dict, blank=True, help_text="conditions of the changes that are sent; empty: all"
    )
    is_active = models.BooleanField(default=True)
    cursor = models.CharField(max_length=60, help_text="place in the feed up to which it was sent")
    salt = models.CharField(max_length=32)
    secret_number = models.PositiveIntegerField(default=0, help_text="secrets before this one")
    secret_changed_at = models.DateTimeField(
        null=True, help_text="when the secret replaced an earlier one"
    )
    failures = models.PositiveIntegerField(default=0, help_text="attempts since the last success")
    next_attempt_at = models.DateTimeField(default=timezone.now)
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        default_permissions = ("view",)
        permissions = [("keep_webhook", "Can keep webhooks")]

    def __str__(self) -> str:
        return f"webhook {self.pk}"


class Delivery(models.Model):
    """One attempt to send changes to a webhook."""

    KEPT = 100  # of a webhook

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=60)
    sent_at = models.DateTimeField(default=timezone.now)
    changes = models.PositiveIntegerField()
    cursor = models.CharField(max_length=60, help_text="place in the feed after these changes")
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status; null: no answer")
    milliseconds = models.PositiveIntegerField()
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-pk"]
        default_permissions = ()
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.message_id}: {self.status or self.problem}"
