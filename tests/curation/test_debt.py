"""Override debt, previews and many corrections at once: API, command and pages."""

import datetime as dt
import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from curation import debt, proposals
from instruments.correctable import check_field
from instruments.listings.status import today
from instruments.models import Correction, CorrectionState, Instrument
from marketdata.common.errors import InvalidQuery
from tests import firds
from tests.accounts.clients import client_of_new_user, make_user
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)
PROPOSAL = {
    "register": "ESMA",
    "isin": VOLVO,
    "field": "full_name",
    "value": "VOLVO AB",
    "reason": "Misspelt by the venue",
}


@pytest.fixture
def volvo(make_zip: Write) -> None:
    records = [
        firds.record("RefData", VOLVO, mic, name="WOLWO", period=day(1)) for mic in ("AAAA", "BBBB")
    ]
    load(make_zip, full(2), *records)


def correct(**values: Any) -> Correction:
    correction = proposals.propose(proposals.Proposal(**{**PROPOSAL, **values}), by="ann")
    proposals.approve(correction, by="carl")
    return correction


def test_debt_is_counted_by_age_owner_and_field(volvo: None) -> None:
    last_day = today() + dt.timedelta(days=10)
    correct(valid_to=last_day, reported_on=today() - dt.timedelta(days=3))
    old = correct(field="short_name", value="VOLVO/SHS")
    Correction.objects.filter(pk=old.pk).update(
        approved_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=400)
    )
    curator = client_of_new_user("carl", "curator")

    answer = curator("get", "/corrections/debt/").json()

    assert [row["field"] for row in answer["corrections"]] == ["short_name", "full_name"]
    assert answer["corrections"][1]["days_left"] == 10
    assert answer["corrections"][1]["days_since_report"] == 3
    summary = answer["summary"]
    assert (summary["corrections"], summary["unreported"], summary["expiring"]) == (2, 1, 1)
    ages = {row["value"]: row["corrections"] for row in summary["by_age"]}
    assert (ages["up to 30 days"], ages["more than 365 days"]) == (1, 1)
    assert {row["value"] for row in summary["by_field"]} == {"full_name", "short_name"}
    # Without the right to view users, the names of others are left out.
    assert [row["value"] for row in summary["by_owner"]] == [None]
    assert debt.summarize(debt.get_debt(today()))["by_owner"] == [
        {"value": "ann", "corrections": 2}
    ]
    written = StringIO()
    call_command("corrections", "debt", "--summary", "--format", "json", stdout=written)
    assert json.loads(written.getvalue())["expiring"] == 1


@pytest.mark.parametrize("state", debt.IN_USE)
def test_the_page_has_the_declared_names_of_states(
    volvo: None, client: Client, state: CorrectionState
) -> None:
    correct()
    Correction.objects.update(state=state)
    client.force_login(make_user("carl", "curator"))

    page = client.get("/corrections/").content.decode()

    assert f">{state.label}</td>" in page


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cfi_code", "ES", "is not a value of CFI code."),
        ("fixed_rate", "many", "is not a value of Fixed rate: a decimal number."),
        ("full_name", "x" * 351, "Full name has at most 350 letters; these are 351."),
        ("legal_name", "Volvo", "Legal name (instrument) cannot be corrected."),
    ],
)
def test_wrong_values_are_named_in_the_words_of_the_page(
    volvo: None, field: str, value: str, message: str
) -> None:
    client = Client()
    client.force_login(make_user("ann", "analyst"))
    values = {**PROPOSAL, "field": field, "value": value}

    page = client.post("/corrections/propose/", values)

    assert page.status_code == 400
    assert message in page.content.decode()


def test_who_looks_for_a_date_is_led_to_the_notes(volvo: None, client: Client) -> None:
    client.force_login(make_user("ann", "analyst"))

    page = client.get(f"/corrections/propose/?isin={VOLVO.lower()}").content.decode()

    assert f'<a href="/notes/instrument/{VOLVO}/">Add a note</a>' in page
    with pytest.raises(InvalidQuery, match=r"Maturity date .* Add a note to the instrument"):
        check_field("maturity_date")


def test_pages_name_the_fields_of_corrections_in_words(volvo: None) -> None:
    correct()
    correct(field="issuer_lei", value="", mic="AAAA")
    waiting: dict[str, Any] = {**PROPOSAL, "field": "cfi_code", "value": "ESVTFR"}
    proposals.propose(proposals.Proposal(**waiting), by="ann")
    client = Client()
    client.force_login(make_user("ann", "analyst"))

    form = client.get("/corrections/propose/").content.decode()
    corrections = client.get("/corrections/").content.decode()

    assert '<option value="full_name" selected>Full name</option>' in form
    assert "Dates, the relevant venue and underlyings of an instrument cannot be corrected" in form
    assert corrections.count(">Full name</td>") == 2  # counted, and in use
    assert corrections.count(">Issuer LEI</td>") == 2
    assert ">CFI code</td>" in corrections
    assert ">Full name</td>" in client.get(f"/instruments/{VOLVO}/").content.decode()
    history = client.get(f"/instruments/{VOLVO}/history/").content.decode()
    assert "of Full name:" in history


def test_corrections_are_previewed_and_proposed_and_approved_together(volvo: None) -> None:
    analyst = client_of_new_user("ann", "analyst")
    curator = client_of_new_user("carl", "curator")
    address = "/corrections/"

    preview = analyst("post", f"{address}preview/", PROPOSAL).json()

    assert preview["in_lists"]
    assert [(row["mic"], row["changes"]) for row in preview["listings"]] == [
        ("AAAA", True),
        ("BBBB", True),
    ]
    assert not Correction.objects.exists()
    rows = [
        PROPOSAL,
        {**PROPOSAL, "field": "short_name", "value": "VOLVO/SHS", "mic": "AAAA"},
        {**PROPOSAL, "mic": "ZZZZ"},
    ]
    body = {"corrections": rows}
    proposed = analyst("post", f"{address}bulk/", body).json()["results"]
    assert [row["state"] for row in proposed] == ["proposed", "proposed", None]
    assert "no listing on ZZZZ" in proposed[2]["problem"]
    numbers = {"numbers": [proposed[0]["number"], proposed[1]["number"], 99_999]}
    assert analyst("post", f"{address}approve/", numbers).status_code == 403

    approved = curator("post", f"{address}approve/", numbers).json()["results"]

    assert [row["state"] for row in approved] == ["in_force", "in_force", None]
    assert Instrument.objects.get(pk=VOLVO).full_name == "VOLVO AB"
    many = {"corrections": [PROPOSAL] * 101}
    assert analyst("post", f"{address}bulk/", many).status_code == 400


def test_an_analyst_proposes_on_a_page_after_a_preview(volvo: None) -> None:
    client = Client()
    client.force_login(make_user("ann", "analyst"))
    instrument = client.get(f"/instruments/{VOLVO}/").content.decode()
    address = f"/corrections/propose/?isin={VOLVO}"
    assert f'href="{address}"' in instrument
    assert f'value="{VOLVO}"' in client.get(address).content.decode()

    preview = client.post(address, {**PROPOSAL, "preview": "yes"}).content.decode()

    assert preview.count("<td>WOLWO</td><td>VOLVO AB</td>") == 2
    assert not Correction.objects.exists()
    [mark] = re.findall('name="propose" value="([^"]+)"', preview)
    other = client.post(address, {**PROPOSAL, "value": "VOLVO", "propose": mark}).content.decode()
    assert "The values are not those that were shown." in other
    assert other.count("<td>WOLWO</td><td>VOLVO</td>") == 2
    assert not Correction.objects.exists()
    done = client.post(address, {**PROPOSAL, "propose": mark}, follow=True).content.decode()
    assert "It waits for a curator." in done
    assert Correction.objects.get(state="proposed").proposed_by == "ann"
    again = client.post(address, {**PROPOSAL, "propose": mark})
    assert again.status_code == 400
    assert "is proposed: withdraw it" in again.content.decode()
    proposals.approve(Correction.objects.get(), by="carl")
    assert (
        "1 correction replaces a published value:" in client.get("/corrections/").content.decode()
    )
    reader = Client()
    reader.force_login(make_user("rita", "viewer"))
    assert reader.get(address).status_code == 403
    assert "Propose a correction" not in reader.get(f"/instruments/{VOLVO}/").content.decode()
