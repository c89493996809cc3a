"""Corrections that begin and end by the calendar, and the commands."""

import datetime as dt
import io
import json

import pytest
from django.core.management import call_command

from curation import proposals
from curation.debt import get_debt
from curation.proposals import Proposal
from curation.tasks import apply_due_corrections
from instruments.listings.status import today
from instruments.models import Correction, Instrument
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def volvo(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", name="WOLWO", period=day(1)))


def correct(first: dt.date | None = None, last: dt.date | None = None) -> Correction:
    proposal = Proposal("ESMA", VOLVO, "full_name", "VOLVO AB", "Misspelt")
    correction = proposals.propose(
        Proposal(**{**vars(proposal), "valid_from": first, "valid_to": last}), by="ann"
    )
    proposals.approve(correction, by="carl")
    return correction


def get_name() -> str:
    return Instrument.objects.get(pk=VOLVO).full_name


def move(correction: Correction, **days: dt.date) -> None:
    """Let time pass: move the first or last day of a correction instead of the clock."""
    Correction.objects.filter(pk=correction.pk).update(**days)


def test_a_correction_begins_on_its_first_day() -> None:
    correction = correct(first=today() + dt.timedelta(days=3))
    assert (correction.state, get_name()) == ("approved", "WOLWO")
    apply_due_corrections()
    assert get_name() == "WOLWO"

    move(correction, valid_from=today())
    apply_due_corrections()

    correction.refresh_from_db()
    assert (correction.state, get_name()) == ("in_force", "VOLVO AB")


def test_a_correction_ends_after_its_last_day() -> None:
    correction = correct(last=today() + dt.timedelta(days=3))
    assert get_name() == "VOLVO AB"

    move(correction, valid_to=today() - dt.timedelta(days=1))
    out = io.StringIO()
    call_command("corrections", "apply", stdout=out)

    correction.refresh_from_db()
    assert (correction.state, get_name()) == ("expired", "WOLWO")
    assert out.getvalue().strip().endswith(": 1")


def test_the_debt_has_the_age_and_how_long_ago_the_authority_was_told() -> None:
    correction = correct(last=today() + dt.timedelta(days=30))
    assert correction.approved_at is not None
    assert correction.valid_to is not None
    approved_on = correction.approved_at.date()
    proposals.note_report(correction, approved_on, by="carl")
    later = approved_on + dt.timedelta(days=10)

    [row] = get_debt(later)

    assert (row["number"], row["days_since_approval"], row["days_since_report"]) == (
        correction.pk,
        10,
        10,
    )
    assert (row["days_left"], row["owner"]) == ((correction.valid_to - later).days, "ann")
    out = io.StringIO()
    call_command("corrections", "debt", "--format", "json", stdout=out)
    assert [row["number"] for row in json.loads(out.getvalue())] == [correction.pk]


def test_the_command_lists_corrections() -> None:
    correction = correct()
    out = io.StringIO()

    call_command("corrections", "list", "--isin", VOLVO, "--state", "in_force", stdout=out)

    assert "VOLVO AB" in out.getvalue()
    out = io.StringIO()
    call_command("corrections", "list", "--state", "rejected", stdout=out)
    assert out.getvalue().strip() == "No correction matches."
    proposals.withdraw(correction, reason="Enough", by="carl", may_approve=True)
    out = io.StringIO()
    call_command("corrections", "debt", stdout=out)
    assert out.getvalue().strip() == "No published value is replaced."
