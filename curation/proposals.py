"""The way of a correction: proposed by one person, approved or rejected by another, withdrawn by either.

Every step is in the audit trail. `request` is that of the user; without one a command takes the step.
"""

import dataclasses
import datetime as dt
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import trail
from curation import finding
from instruments.correctable import CorrectionSubject, check_field, check_value, to_text
from instruments.corrected_records import read_rows
from instruments.entities.questions import check_lei
from instruments.listings.correcting import reapply
from instruments.listings.lookup import resolve_isin
from instruments.models import Correction, CorrectionState, Listing, Register
from marketdata.common.errors import InvalidQuery, NotInDatabase, NotPermitted, WrongState

APPROVE = "instruments.approve_correction"
_MAX_EVIDENCE, _MAX_REASON = 500, 2_000


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A correction of an instrument, of an entity (with an LEI) or of a venue (with a MIC alone).

    With an ISIN, `mic` is empty for all listings of the instrument in the register. Without `expected`, it
    is the value that is published now.
    """

    register: str = ""
    isin: str = ""
    field: str = ""
    value: str = ""
    reason: str = ""
    mic: str = ""
    lei: str = ""
    expected: str | None = None
    evidence: str = ""
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    reported_on: dt.date | None = None


def check(proposal: Proposal) -> Correction:
    """Return the proposal as an unsaved correction. Raises InvalidQuery, NotInDatabase, WrongState."""
    key = _check_key(proposal)
    subject = key["subject"]
    check_field(proposal.field, subject)
    value = check_value(proposal.field, proposal.value, subject=subject)
    if subject == CorrectionSubject.INSTRUMENT:
        current = _read_published(proposal, **key, value=value)
    else:
        current = _read_published_of_record(proposal, **key)
    expected = _check_expected(proposal, subject, current)
    if value == expected:
        raise InvalidQuery(
            "value", f"{value!r} is the published value: there is nothing to correct."
        )
    correction = Correction(
        **key,
        field=proposal.field,
        expected=expected,
        value=value,
        reason=_check_reason(proposal.reason),
        evidence=_check_evidence(proposal.evidence),
        valid_from=proposal.valid_from,
        valid_to=proposal.valid_to,
        reported_on=proposal.reported_on,
    )
    if (
        correction.valid_from
        and correction.valid_to
        and correction.valid_to < correction.valid_from
    ):
        days = f"The last day, {correction.valid_to}, is before the first, {correction.valid_from}."
        raise InvalidQuery("valid_to", days)
    _check_key_is_free(correction)
    return correction


def _check_key(proposal: Proposal) -> dict[str, str]:
    """Return the subject and the codes of a proposal. Raises InvalidQuery."""
    mic, lei = proposal.mic.strip().upper(), proposal.lei.strip().upper()
    isin, register = proposal.isin.strip(), proposal.register.strip().upper()
    if lei:
        if isin or mic:
            raise InvalidQuery("lei", "Give an LEI alone, an ISIN, or a MIC alone.")
        return {"subject": CorrectionSubject.ENTITY.value, "lei": check_lei(lei)}
    if mic and not isin:
        return {"subject": CorrectionSubject.VENUE.value, "mic": mic}
    if not isin:
        raise InvalidQuery("isin", "Give the ISIN of an instrument, an LEI, or the MIC of a venue.")
    if not register:
        raise InvalidQuery("register", "Required for an instrument: ESMA or FCA.")
    if register not in Register.values:
        raise InvalidQuery("register", f"{proposal.register!r} is not a register: ESMA or FCA.")
    isin = resolve_isin(isin)
    subject = CorrectionSubject.INSTRUMENT.value
    return {"subject": subject, "register": register, "isin": isin, "mic": mic}


def _read_published_of_record(
    proposal: Proposal, *, subject: str, lei: str = "", mic: str = ""
) -> str:
    """Return the published value of an entity or a venue. Raises NotInDatabase."""
    code = lei or mic
    row = read_rows(CorrectionSubject(subject), [code]).get(code)
    if row is None:
        source = "file of GLEIF" if lei else "list of venues"
        raise NotInDatabase(f"No loaded {source} has {code}.")
    return to_text(getattr(row, proposal.field))


def _read_published(
    proposal: Proposal, *, subject: str, register: str, isin: str, mic: str, value: str
) -> str:
    """Return the published value; it must be that of each listing, but for those that have `value`."""
    listings = Listing.objects.of(isin).filter(register=register)
    if mic:
        listings = listings.filter(mic=mic)
    probe = Correction(subject=subject, register=register, isin=isin, mic=mic)
    published = {
        listing.mic: to_text(getattr(listing, proposal.field))
        for listing in listings
        if probe.concerns(listing)
    }
    if not published:
        where = f" on {mic}" if mic else ""
        raise NotInDatabase(f"{isin} has no listing{where} in the register of the {register}.")
    values = sorted(set(published.values()) - {value})
    if len(values) > 1:
        texts = ", ".join(f"{venue}: {text!r}" for venue, text in list(published.items())[:5])
        raise InvalidQuery(
            "mic",
            f"The listings have different values ({texts}). Propose a correction for one venue.",
        )
    return values[0] if values else value


def _check_expected(proposal: Proposal, subject: str, current: str) -> str:
    """Return the published value, which must be the one that the proposal expects, if it does."""
    if proposal.expected is None or proposal.expected == current:
        return current
    expected = check_value(proposal.field, proposal.expected, subject=subject, parameter="expected")
    if expected != current:
        raise InvalidQuery("expected", f"The published value is {current!r}, not {expected!r}.")
    return expected


def _check_reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidQuery("reason", "Give the reason for the correction.")
    if len(text) > _MAX_REASON:
        raise InvalidQuery("reason", f"At most {_MAX_REASON:,} letters; these are {len(text):,}.")
    return text


def _check_evidence(text: str) -> str:
    text = text.strip()
    if text:
        try:
            URLValidator(schemes=["http", "https"])(text)
        except ValidationError as error:
            raise InvalidQuery("evidence", f"{text!r} is not an http or https address.") from error
    if len(text) > _MAX_EVIDENCE:
        raise InvalidQuery("evidence", f"At most {_MAX_EVIDENCE} letters; these are {len(text)}.")
    return text


def _check_key_is_free(correction: Correction) -> None:
    other = (
        Correction.objects.open()
        .filter(
            subject=correction.subject,
            register=correction.register,
            isin=correction.isin,
            lei=correction.lei,
            mic=correction.mic,
            field=correction.field,
        )
        .exclude(pk=correction.pk)
        .first()
    )
    if other is not None:
        raise WrongState(
            f"Correction {other.pk} of the same value is {other.state}: withdraw it or wait for its end."
        )


@transaction.atomic
def propose(proposal: Proposal, *, by: str, request: Any = None) -> Correction:
    """Save a correction as proposed. Raises InvalidQuery, NotInDatabase, WrongState."""
    correction = check(proposal)
    correction.proposed_by = by
    try:
        with transaction.atomic():
            correction.save()
    except IntegrityError as error:  # another one was proposed at the same moment
        raise WrongState("Another correction of the same value was just proposed.") from error
    trail.record(
        "correction.proposed",
        request=request,
        actor=by,
        about=correction,
        new={
            "expected": correction.expected,
            "value": correction.value,
            "reason": correction.reason[:500],
        },
    )
    return correction


@transaction.atomic
def approve(correction: Correction, *, by: str, request: Any = None) -> None:
    """Approve a proposed correction, and apply it where the register still publishes the old value.

    Leaves it approved (it begins later), in force, overtaken or to review. Raises NotPermitted, WrongState.
    """
    if settings.CORRECTIONS_NEED_TWO and by == correction.proposed_by:
        raise NotPermitted("You proposed this correction: another person must approve it.")
    correction.advance(
        CorrectionState.APPROVED,
        remark="Approved.",
        by=by,
        request=request,
        approved_by=by,
        approved_at=timezone.now(),
    )
    _reapply(correction)


def _reapply(correction: Correction) -> None:
    reapply(correction.subject, [correction.code])
    if correction.subject == CorrectionSubject.INSTRUMENT:
        finding.look_again([correction.isin])
    correction.refresh_from_db()


@transaction.atomic
def reject(correction: Correction, *, reason: str, by: str, request: Any = None) -> None:
    """Reject a proposed correction. Raises InvalidQuery, WrongState."""
    remark = _check_reason(reason)
    correction.advance(CorrectionState.REJECTED, remark=remark, by=by, request=request)


@transaction.atomic
def withdraw(
    correction: Correction, *, reason: str, by: str, may_approve: bool, request: Any = None
) -> None:
    """Withdraw a correction: one's own proposal, or any with the right to approve.

    The published value is served again. Raises InvalidQuery, NotPermitted, WrongState.
    """
    is_own_proposal = correction.state == CorrectionState.PROPOSED and correction.proposed_by == by
    if not (may_approve or is_own_proposal):
        raise NotPermitted(
            "Without the right to approve, you can withdraw only your own proposals."
        )
    remark = _check_reason(reason)
    was_live = correction.is_live
    correction.advance(CorrectionState.WITHDRAWN, remark=remark, by=by, request=request)
    if was_live:
        _reapply(correction)


@transaction.atomic
def note_report(correction: Correction, day: dt.date, *, by: str, request: Any = None) -> None:
    """Note the day on which the authority was told of the wrong value. Raises WrongState if it is closed."""
    if not Correction.objects.open().filter(pk=correction.pk).update(reported_on=day):
        raise WrongState(f"Correction {correction.pk} is {correction.state}.")
    old = correction.reported_on
    correction.reported_on = day
    trail.record(
        "correction.reported",
        request=request,
        actor=by,
        about=correction,
        old={"reported_on": old and old.isoformat()},
        new={"reported_on": day.isoformat()},
    )
