"""Corrections in the admin: proposed with a form, decided about by actions after a look at what changes."""

from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from instruments.models import Correction, Instrument
from tests import firds
from tests.accounts.clients import make_user
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/instruments/correction/"
PROPOSAL = {
    "register": "ESMA",
    "isin": VOLVO,
    "field": "full_name",
    "value": "VOLVO AB",
    "reason": "Misspelt by the venue",
    "evidence": "https://example.org/volvo",
}


def sign_in(name: str, role: str = "curator") -> Client:
    client = Client()
    client.force_login(make_user(name, role))
    return client


def decide(client: Client, action: str, *numbers: int, **values: str) -> Any:
    body = {"action": action, "_selected_action": numbers, **values}
    return client.post(LIST, body, follow=True)


@pytest.fixture
def volvo(make_zip: Write) -> None:
    records = [
        firds.record("RefData", VOLVO, mic, name="WOLWO", period=day(1)) for mic in ("AAAA", "BBBB")
    ]
    load(make_zip, full(2), *records)


@pytest.mark.usefixtures("volvo")
def test_a_correction_is_proposed_and_approved_by_another_curator() -> None:
    ann, carl = sign_in("ann"), sign_in("carl")
    assert ann.get(f"{LIST}add/", {"isin": VOLVO}).status_code == 200

    proposed = ann.post(f"{LIST}add/", PROPOSAL, follow=True)

    assert b"The published value is WOLWO." in proposed.content
    number = Correction.objects.get(state="proposed", expected="WOLWO", proposed_by="ann").pk
    assert (
        b"another person must approve it" in decide(ann, "approve", number, confirmed="1").content
    )

    preview = decide(carl, "approve", number).content.decode()

    assert preview.count("<td>WOLWO</td><td>VOLVO AB</td>") == 2
    assert "Proposed on" in preview  # without the name: he may not view users
    assert Correction.objects.get().state == "proposed"
    assert b"1 of 1 done" in decide(carl, "approve", number, confirmed="1").content
    assert Instrument.objects.get(pk=VOLVO).full_name == "VOLVO AB"
    page = carl.get(f"{LIST}{number}/change/").content.decode()
    assert "The register publishes the old value." in page
    assert 'name="_save"' not in page


@pytest.mark.usefixtures("volvo")
def test_a_decision_that_is_sent_twice_is_taken_once_and_reports_no_error() -> None:
    sign_in("ann").post(f"{LIST}add/", PROPOSAL)
    carl = sign_in("carl")
    number = Correction.objects.get().pk
    form = decide(carl, "approve", number).content.decode()
    identity = form.partition('name="form_id" value="')[2].partition('"')[0]

    for _ in range(2):
        body = {"action": "approve", "_selected_action": number, "confirmed": "1"}
        carl.post(LIST, {**body, "form_id": identity})

    page = carl.get(LIST).content.decode()
    assert "1 of 1 done" in page
    assert "sent twice" in page
    assert 'class="error"' not in page


@pytest.mark.usefixtures("volvo")
def test_a_rejection_needs_a_reason() -> None:
    ann, carl = sign_in("ann"), sign_in("carl")
    ann.post(f"{LIST}add/", PROPOSAL)
    number = Correction.objects.get().pk

    assert b"This field is required" in decide(carl, "reject", number, confirmed="1").content
    decide(carl, "reject", number, confirmed="1", reason="It is the legal name")

    assert Correction.objects.get().remark == "It is the legal name"
    assert Event.objects.get(action="correction.rejected").actor == "carl"
    again = decide(carl, "withdraw", number, confirmed="1", reason="Too late")
    assert b"is rejected: it cannot become withdrawn" in again.content


@pytest.mark.usefixtures("volvo")
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"isin": "SE0000115447"}, "the check digit is 7"),
        ({"value": "WOLWO"}, "there is nothing to correct"),
        ({"register": "FCA"}, "has no listing in the register of the FCA"),
        ({"evidence": "ftp://example.org"}, "is not an http or https address"),
    ],
)
def test_an_invalid_proposal_says_why(values: dict[str, str], problem: str) -> None:
    page = sign_in("ann").post(f"{LIST}add/", {**PROPOSAL, **values}).content.decode()

    assert problem in page
    assert not Correction.objects.exists()


@pytest.mark.usefixtures("volvo")
def test_corrections_are_neither_edited_nor_deleted() -> None:
    client = sign_in("ann")
    client.post(f"{LIST}add/", PROPOSAL)
    number = Correction.objects.get().pk

    assert client.post(f"{LIST}{number}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{LIST}{number}/change/", PROPOSAL).status_code == 403
