"""Corrections of published values: rows of their own, which every load leaves as they are."""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from audit import trail
from instruments.correctable import CorrectionSubject, to_value
from instruments.listings.models.listing import Listing
from instruments.listings.models.record import Register, Status
from marketdata.common.errors import WrongState
from marketdata.common.labels import label_field


class CorrectionState(models.TextChoices):
    """The states of a correction. They only ever advance: see `ADVANCES`."""

    PROPOSED = "proposed", "Proposed"
    APPROVED = "approved", "Approved"
    IN_FORCE = "in_force", "In force"
    TO_REVIEW = "to_review", "To review"
    OVERTAKEN = "overtaken", "Overtaken"
    EXPIRED = "expired", "Expired"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


_STATE = CorrectionState
# The states that may follow each state; those without followers are final.
ADVANCES: dict[str, tuple[str, ...]] = {
    _STATE.PROPOSED: (_STATE.APPROVED, _STATE.REJECTED, _STATE.WITHDRAWN),
    _STATE.APPROVED: (
        *(_STATE.IN_FORCE, _STATE.TO_REVIEW, _STATE.OVERTAKEN),
        *(_STATE.EXPIRED, _STATE.WITHDRAWN),
    ),
    _STATE.IN_FORCE: (_STATE.TO_REVIEW, _STATE.OVERTAKEN, _STATE.EXPIRED, _STATE.WITHDRAWN),
    _STATE.TO_REVIEW: (_STATE.OVERTAKEN, _STATE.EXPIRED, _STATE.WITHDRAWN),
}
# Approved and not closed: each load compares them with what the register publishes.
LIVE = (_STATE.APPROVED, _STATE.IN_FORCE, _STATE.TO_REVIEW)
OPEN = (_STATE.PROPOSED, *LIVE)
_LONGEST = 500  # letters of a value, as of the legal name of an entity


class CorrectionQuerySet(models.QuerySet["Correction"]):
    def live(self) -> "CorrectionQuerySet":
        """Corrections that are approved and not closed."""
        return self.filter(state__in=LIVE)

    def open(self) -> "CorrectionQuerySet":
        """Corrections that are proposed, or approved and not closed."""
        return self.filter(state__in=OPEN)

    def about(self, subject: str) -> "CorrectionQuerySet":
        """Corrections of instruments, of legal entities or of venues."""
        return self.filter(subject=subject)

    def of(self, isins: Collection[str]) -> "CorrectionQuerySet":
        """Corrections of these instruments, at most 1,000."""
        return self.filter(isin__in=isins)

    def due(self, day: dt.date) -> "CorrectionQuerySet":
        """Live corrections that begin or end to apply by this day, and have not been changed for it yet."""
        begins = Q(state=CorrectionState.APPROVED) & (Q(valid_from=None) | Q(valid_from__lte=day))
        return self.live().filter(begins | Q(valid_to__lt=day))


class Correction(models.Model):
    """A value to be served in place of a published one, for as long as its publisher publishes `expected`.

    Its key is (register, ISIN, MIC or all venues, field) for an instrument, (LEI, field) for a legal entity,
    and (MIC, field) for a venue. Values are texts, as the API shows them; an absent value is "". Loaded rows
    are never edited: `instruments.listings.corrections` and `instruments.corrected_records` apply the value
    to what is served.
    """

    State = CorrectionState

    subject = models.CharField(
        max_length=10,
        choices=[(subject.value, subject.value) for subject in CorrectionSubject],
        default=CorrectionSubject.INSTRUMENT.value,
    )
    register = models.CharField(
        max_length=5, choices=Register, blank=True, help_text="of a listing; else empty"
    )
    isin = models.CharField("ISIN", max_length=12, blank=True, help_text="of an instrument")
    lei = models.CharField("LEI", max_length=20, blank=True, help_text="of a legal entity")
    mic = models.CharField(
        "MIC",
        max_length=4,
        blank=True,
        help_text="of a venue; with an ISIN, the venue of the listing, or empty for all listings",
    )
    field = models.CharField(max_length=40, help_text="column, as full_name or legal_name")
    expected = models.CharField(
        max_length=_LONGEST,
        blank=True,
        help_text="published value when it was proposed; empty if none",
    )
    value = models.CharField(
        max_length=_LONGEST, blank=True, help_text="value to be served instead; empty for none"
    )
    reason = models.TextField(max_length=2_000)
    evidence = models.URLField(
        max_length=500, blank=True, help_text="address of a document that shows the right value"
    )
    valid_from = models.DateField(
        null=True, blank=True, help_text="first day on which it applies; empty for at once"
    )
    valid_to = models.DateField(
        null=True, blank=True, help_text="last day on which it applies; empty for no end"
    )
    reported_on = models.DateField(
        null=True, blank=True, help_text="day on which the authority was told; empty if it was not"
    )
    state = models.CharField(max_length=10, choices=_STATE, default=_STATE.PROPOSED)
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField(default=timezone.now)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    remark = models.CharField(
        max_length=500, blank=True, help_text="the reason for the latest state, in a sentence"
    )
    # The published value that it replaces in the row of `Instrument`, or in what is served of an entity or a
    # venue; NULL where it does not.
    replaced = models.CharField(max_length=_LONGEST, null=True, editable=False)

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ("view", "add")
        permissions = [("approve_correction", "Can approve, reject and withdraw corrections")]
        indexes = [
            models.Index(fields=["isin", "state"], name="correction_isin_idx"),
            models.Index(fields=["state", "isin"], name="correction_state_idx"),
            models.Index(fields=["lei", "field"], name="correction_lei_idx"),
            models.Index(fields=["subject", "mic", "field"], name="correction_subject_idx"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "register", "isin", "lei", "mic", "field"],
                condition=Q(state__in=OPEN),
                name="one_open_correction_of_a_value",
            )
        ]

    def __str__(self) -> str:
        field = label_field(self.field)
        if self.subject != CorrectionSubject.INSTRUMENT:
            return f"{self.pk} {self.code} {field}"
        return f"{self.pk} {self.isin} {self.mic or 'all venues'} {self.register} {field}"

    @property
    def code(self) -> str:
        """The ISIN of its instrument, the LEI of its entity, or the MIC of its venue."""
        return str(getattr(self, CorrectionSubject(self.subject).key))

    @property
    def right_value(self) -> Any:
        """The value to be served; None for none."""
        return to_value(self.field, self.value, self.subject)

    @property
    def expected_value(self) -> Any:
        """The value that was published when it was proposed; None for none."""
        return to_value(self.field, self.expected, self.subject)

    @property
    def number(self) -> int:
        return int(self.pk)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    def applies_on(self, day: dt.date) -> bool:
        """Return True if the day is within its validity."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )

    def concerns(self, listing: Listing) -> bool:
        """Return True if the listing has its key. A cancelled one has no values to correct."""
        return (
            listing.isin == self.isin
            and listing.register == self.register
            and self.mic in ("", listing.mic)
            and listing.status != Status.CANCELLED
        )

    def applies_to(self, published: str) -> bool:
        """Return True if it replaces this published value, in its current state."""
        if self.state == CorrectionState.IN_FORCE:
            return published == self.expected
        is_held = settings.CORRECTIONS_IN_REVIEW == "hold"
        return self.state == CorrectionState.TO_REVIEW and is_held and published != self.value

    def compare(self, published: Iterable[str], day: dt.date) -> tuple[str, str] | None:
        """Return the state that follows from the published values on a day, and why; None for no change.

        `published` are the values of the listings, the entity or the venue that it concerns.
        """
        values = set(published)
        if self.valid_to is not None and self.valid_to < day:
            return CorrectionState.EXPIRED, f"Its last day was {self.valid_to}."
        if not values or not self.applies_on(day):
            return None
        publisher = CorrectionSubject(self.subject).publisher
        if values == {self.value}:
            return CorrectionState.OVERTAKEN, f"{publisher} publishes the corrected value."
        others = sorted(values - {self.value, self.expected})
        if others:
            following, remark = CorrectionState.TO_REVIEW, f"{publisher} publishes {others[0]!r}."
        else:
            following, remark = CorrectionState.IN_FORCE, f"{publisher} publishes the old value."
        return (following, remark) if following in ADVANCES[self.state] else None

    def advance(
        self, state: str, *, remark: str, by: str = "", request: Any = None, **values: Any
    ) -> None:
        """Enter a state that may follow the current one, with an event in the audit trail.

        `values` are columns that change with it. Raises WrongState.
        """
        if state not in ADVANCES.get(self.state, ()):
            raise WrongState(f"Correction {self.pk} is {self.state}: it cannot become {state}.")
        old = self.state
        now = timezone.now()
        if state not in ADVANCES:
            values["closed_at"] = now
        for name, value in {"state": state, "remark": remark[:500], **values}.items():
            setattr(self, name, value)
        changed = (
            type(self)
            .objects.filter(pk=self.pk, state=old)
            .update(state=state, remark=self.remark, **values)
        )
        if not changed:
            raise WrongState(f"Correction {self.pk} is not {old} any more.")
        trail.record(
            f"correction.{state}",
            request=request,
            actor=by,
            about=self,
            old={"state": old},
            new={"state": state, "remark": self.remark},
        )
