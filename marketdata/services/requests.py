"""Questions to outside services, as rows that workers claim."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

# A worker that has not given its requests back after this time has ended.
_CLAIMED_FOR = dt.timedelta(minutes=15)
_LONGEST_RETRY = dt.timedelta(days=1)

R = TypeVar("R", bound="ServiceRequest")


class ServiceRequestQuerySet(models.QuerySet[R]):
    def due(self) -> Self:
        """Requests to be sent now that no worker has claimed, the longest due first."""
        now = timezone.now()
        is_free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        return self.filter(is_free, due_at__lte=now).order_by(
            "due_at", *(self.model._meta.ordering or ())
        )

    def claim_due(self, size: int, **conditions: Any) -> list[R]:
        """Claim and return up to `size` due requests that meet conditions on their columns.

        Two workers never get the same request. The claim of a worker that has ended runs out.
        """
        due = self.due().filter(**conditions)
        keys = list(due.values_list("pk", flat=True)[:size])
        claim = uuid.uuid4()
        now = timezone.now()
        is_free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        self.filter(is_free, pk__in=keys).update(claim=claim, claimed_until=now + _CLAIMED_FOR)
        return list(self.filter(claim=claim, pk__in=keys).order_by("pk"))

    def give_back(self, requests: Sequence[R]) -> None:
        """Release claimed requests that were not answered; they stay due."""
        self.filter(
            pk__in=[request.pk for request in requests], claim__in={r.claim for r in requests}
        ).update(claim=None, claimed_until=None)


class ServiceRequest(models.Model):
    """The state of one question to an outside service. A subclass has the columns of the question."""

    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="time of the latest answer of the service"
    )
    due_at = models.DateTimeField(null=True, blank=True, help_text="empty: it is not asked again")
    attempts = models.PositiveIntegerField(
        default=0, help_text="answers in a row that were of no use"
    )
    problem = models.CharField(max_length=200, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def answer(
        self, *, at: dt.datetime, repeat_after: dt.timedelta | None, problem: str = ""
    ) -> None:
        """Note a usable answer, which ends the claim; `repeat_after` None is never."""
        self.asked_at = at
        self.due_at = None if repeat_after is None else at + repeat_after
        self.problem, self.attempts = problem[:200], 0
        self.claim = self.claimed_until = None

    def fail(self, problem: str, *, retry_seconds: int) -> None:
        """Note an answer of no use. The pause before the next attempt doubles, up to a day."""
        self.attempts += 1
        seconds = retry_seconds * 2 ** min(self.attempts - 1, 20)
        now = timezone.now()
        self.asked_at = now
        self.due_at = now + min(dt.timedelta(seconds=seconds), _LONGEST_RETRY)
        self.problem = problem[:200]
        self.claim = self.claimed_until = None
