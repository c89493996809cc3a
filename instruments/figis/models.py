"""FIGIs of instruments, and the state of the requests for them."""

import re
from collections.abc import Collection

from django.db import models
from django.db.models import Q
from django.utils import timezone

from marketdata.common.batches import in_batches
from marketdata.services.requests import ServiceRequest, ServiceRequestQuerySet

# FIGI (OMG formal/2022-10-01): two letters, G, eight letters or digits, a check digit.
FIGI_PATTERN = re.compile(r"[BCDFGHJ-NP-TV-Z]{2}G[BCDFGHJ-NP-TV-Z0-9]{8}[0-9]")


class FigiQuerySet(models.QuerySet["Figi"]):
    def of_any_kind(self, figi: str) -> "FigiQuerySet":
        """Rows with this FIGI as their own, their composite's or their share class's."""
        return self.filter(Q(figi=figi) | Q(composite_figi=figi) | Q(share_class_figi=figi))

    def with_any_code(self, figis: Collection[str], *, tickers: Collection[str]) -> "FigiQuerySet":
        """Rows with one of these FIGIs of any kind, or current ones with one of these tickers."""
        return self.filter(
            Q(figi__in=figis)
            | Q(composite_figi__in=figis)
            | Q(share_class_figi__in=figis)
            | Q(ticker__in=tickers, is_current=True)
        )


class Figi(models.Model):
    """One row of OpenFIGI's answer for an ISIN: a FIGI, usually of one exchange.

    `mic` is set where the answer was to a question for this venue.
    """

    isin = models.CharField(max_length=12)
    figi = models.CharField(max_length=12)
    composite_figi = models.CharField(
        max_length=12, blank=True, help_text="FIGI of the instrument in a country"
    )
    share_class_figi = models.CharField(
        max_length=12, blank=True, help_text="FIGI of the instrument worldwide"
    )
    ticker = models.CharField(max_length=100, blank=True)
    exchange_code = models.CharField(max_length=20, blank=True)
    mic = models.CharField(max_length=4, blank=True)
    security_type = models.CharField(max_length=100, blank=True)
    security_type_2 = models.CharField(max_length=100, blank=True)
    market_sector = models.CharField(max_length=20, blank=True)
    name = models.CharField(max_length=350, blank=True)
    description = models.CharField(max_length=350, blank=True)
    is_current = models.BooleanField(
        default=True, help_text="False: the latest answer for the ISIN lacks it"
    )
    fetched_at = models.DateTimeField(help_text="time of the latest answer that has it")

    objects = FigiQuerySet.as_manager()

    class Meta:
        ordering = ["isin", "figi"]
        verbose_name = "FIGI"
        verbose_name_plural = "FIGIs"
        constraints = [models.UniqueConstraint(fields=["isin", "figi"], name="figi_of_isin")]
        indexes = [
            models.Index(fields=["figi"], name="figi_idx"),
            models.Index(fields=["composite_figi"], name="figi_composite_idx"),
            models.Index(fields=["share_class_figi"], name="figi_share_class_idx"),
            models.Index(fields=["ticker", "isin"], name="figi_ticker_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.figi} {self.ticker} {self.exchange_code}".strip()


class FigiRequestQuerySet(ServiceRequestQuerySet["FigiRequest"]):
    def claim(
        self, size: int, *, isins: Collection[str] | None = None, mic: str = ""
    ) -> "list[FigiRequest]":
        """Claim and return up to `size` due requests for a venue; of these ISINs only, if given."""
        of_isins = {} if isins is None else {"isin__in": isins}
        return self.claim_due(size, mic=mic, **of_isins)

    def add(self, isins: Collection[str], *, mic: str = "", again: bool = False) -> None:
        """Add requests for ISINs that have none; with `again`, make all others due now too."""
        now = timezone.now()
        for batch in in_batches(sorted(set(isins))):
            rows = self.filter(isin__in=batch, mic=mic)
            known = set(rows.values_list("isin", flat=True))
            if again:
                rows.exclude(due_at__lte=now).update(due_at=now)
            new = [FigiRequest(isin=i, mic=mic, due_at=now) for i in batch if i not in known]
            self.bulk_create(new)


class FigiRequest(ServiceRequest):
    """The state of the question to OpenFIGI for one ISIN, on any venue or on one."""

    class State(models.TextChoices):
        PENDING = "pending", "Not asked yet"
        MATCHED = "matched", "Has FIGIs"
        NO_MATCH = "no_match", "OpenFIGI has no FIGI"
        INVALID = "invalid", "OpenFIGI does not accept the ISIN"
        FAILED = "failed", "To be asked again"

    isin = models.CharField(max_length=12)
    mic = models.CharField(max_length=4, blank=True, default="", help_text="empty: any venue")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    objects = FigiRequestQuerySet.as_manager()

    class Meta:
        ordering = ["isin", "mic"]
        verbose_name = "FIGI request"
        constraints = [models.UniqueConstraint(fields=["isin", "mic"], name="figi_request_of_isin")]
        indexes = [
            models.Index(fields=["due_at", "isin", "mic"], name="figi_request_due_idx"),
            models.Index(fields=["claim"], name="figi_request_claim_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.isin} {self.mic}".strip()
