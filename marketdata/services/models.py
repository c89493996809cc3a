"""The request budgets of outside services, shared by all workers through the database."""

import datetime as dt

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

_A_SECOND = dt.timedelta(seconds=1)


class RequestBudgetQuerySet(models.QuerySet["RequestBudget"]):
    def claim(self, service: str, *, requests: int, seconds: int) -> float:
        """Take one request from the budget of a service; return 0, or the seconds to wait if it is spent.

        A claim is one UPDATE with a condition, so two workers never take the same request. `requests` in
        `seconds` is the limit to begin with; the service's own headers replace it.
        """
        now = timezone.now()
        window = dt.timedelta(seconds=seconds)
        budget, _ = self.get_or_create(
            service=service,
            defaults={
                "requests": requests,
                "window_seconds": seconds,
                "remaining": requests,
                "resets_at": now + window,
            },
        )
        usable = self.filter(Q(paused_until=None) | Q(paused_until__lte=now), service=service)
        new_window = now + dt.timedelta(seconds=budget.window_seconds)
        if usable.filter(resets_at__lte=now).update(
            remaining=F("requests") - 1, resets_at=new_window
        ):
            return 0
        if usable.filter(resets_at__gt=now, remaining__gt=0).update(remaining=F("remaining") - 1):
            return 0
        budget.refresh_from_db()
        ends = [budget.resets_at] if budget.remaining <= 0 else []
        ends += [budget.paused_until] if budget.paused_until else []
        return max(0.01, *((end - now) / _A_SECOND for end in ends))

    def pause(self, service: str, *, seconds: float) -> None:
        """Let nobody send a request for a time; a longer pause that is in force stays."""
        until = timezone.now() + dt.timedelta(seconds=seconds)
        self.filter(Q(paused_until=None) | Q(paused_until__lt=until), service=service).update(
            paused_until=until
        )

    def correct(
        self,
        service: str,
        *,
        requests: int | None,
        window_seconds: int | None,
        remaining: int | None,
        reset_seconds: float | None,
    ) -> None:
        """Replace what is known of a budget by the service's own account of it; None: not stated.

        An answer that was overtaken by another worker's does not give requests back.
        """
        budget = self.filter(service=service)
        if requests and window_seconds:
            budget.exclude(requests=requests, window_seconds=window_seconds).update(
                requests=requests, window_seconds=window_seconds
            )
        if remaining is not None:
            budget.filter(remaining__gt=remaining).update(remaining=remaining)
        if reset_seconds is not None:
            resets_at = timezone.now() + dt.timedelta(seconds=reset_seconds)
            budget.update(resets_at=resets_at)


class RequestBudget(models.Model):
    """The number of requests that may still be sent to a service in the current window of time."""

    service = models.CharField(max_length=50, primary_key=True)
    requests = models.PositiveIntegerField(help_text="requests in a window")
    window_seconds = models.PositiveIntegerField()
    remaining = models.IntegerField(help_text="requests left in the current window")
    resets_at = models.DateTimeField(help_text="end of the current window")
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="no request before, as the service asked by Retry-After"
    )

    objects = RequestBudgetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.service
