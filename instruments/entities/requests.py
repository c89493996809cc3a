"""Questions to GLEIF's API about LEIs, as rows that workers claim."""

from collections.abc import Collection

from django.db import models
from django.utils import timezone

from marketdata.common.batches import in_batches
from marketdata.services.requests import ServiceRequest, ServiceRequestQuerySet


class EntityRequestQuerySet(ServiceRequestQuerySet["EntityRequest"]):
    def claim(
        self, subject: str, size: int, *, leis: Collection[str] | None = None
    ) -> "list[EntityRequest]":
        """Claim and return up to `size` due requests of a subject; about these LEIs only, if given."""
        of_leis = {} if leis is None else {"lei__in": leis}
        return self.claim_due(size, subject=subject, **of_leis)

    def add(self, leis: Collection[str], *, again: bool = False) -> None:
        """Add requests for the records of LEIs that have none; with `again`, make all others due now too."""
        now = timezone.now()
        for batch in in_batches(sorted(set(leis))):
            rows = self.filter(lei__in=batch, subject=EntityRequest.Subject.RECORD)
            known = set(rows.values_list("lei", flat=True))
            if again:
                rows.exclude(due_at__lte=now).update(due_at=now)
            new = [EntityRequest(lei=lei, due_at=now) for lei in batch if lei not in known]
            self.bulk_create(new)


class EntityRequest(ServiceRequest):
    """The state of the question to GLEIF's API for the record of an LEI, or for its relationships.

    The record says which relationships and exceptions there are. Their paths are in `links` of the second.
    """

    class Subject(models.TextChoices):
        RECORD = "record", "Record"
        GROUP = "group", "Relationships and exceptions"

    class State(models.TextChoices):
        PENDING = "pending", "Not asked yet"
        KNOWN = "known", "Has an answer"
        UNKNOWN = "unknown", "GLEIF does not know the LEI"
        FAILED = "failed", "To be asked again"

    lei = models.CharField(max_length=20)
    subject = models.CharField(max_length=10, choices=Subject, default=Subject.RECORD)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    links = models.JSONField(null=True, blank=True)

    objects = EntityRequestQuerySet.as_manager()

    class Meta:
        ordering = ["lei", "subject"]
        verbose_name = "GLEIF request"
        constraints = [
            models.UniqueConstraint(fields=["lei", "subject"], name="entity_request_of_lei")
        ]
        indexes = [
            models.Index(fields=["subject", "due_at", "lei"], name="entity_request_due_idx"),
            models.Index(fields=["claim"], name="entity_request_claim_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.lei} {self.subject}"
