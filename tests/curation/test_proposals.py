"""Corrections from the proposal to what is served."""

import datetime as dt
import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError
from django.test import Client

from audit.models import Event
from curation import proposals
from curation.proposals import Proposal
from instruments.listings import export
from instruments.models import Correction, Instrument, InstrumentCount, Listing
from marketdata.common.errors import InvalidQuery, NotInDatabase, NotPermitted, WrongState
from tests import firds
from tests.accounts.clients import client_of_new_user, make_user
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.merging import VOLVO, Write, day, delta, full, load

pytestmark = pytest.mark.django_db(transaction=True)


def proposal(**values: Any) -> Proposal:
    given = {"register": "ESMA", "isin": VOLVO, "field": "full_name", "value": "VOLVO AB"}
    return Proposal(**{**given, "reason": "Misspelt by the venue", **values})


def correct(**values: Any) -> Correction:
    """Propose a correction, and have another person approve it."""
    correction = proposals.propose(proposal(**values), by="ann")
    proposals.approve(correction, by="carl")
    return correction


def publish(make_zip: Write, number: int, *names: str, tag: str = "ModfdRcrd") -> None:
    """Load a delta of a day with one record of each venue AAAA, BBBB, ... of Volvo, by its name."""
    mics = ("AAAA", "BBBB", "CCCC")
    records = [
        firds.record(tag, VOLVO, mic, name=name, period=day(number))
        for mic, name in zip(mics, names, strict=False)
    ]
    load(make_zip, delta(number), *records)


@pytest.fixture
def volvo(make_zip: Write) -> None:
    records = [
        firds.record("RefData", VOLVO, mic, name="WOLWO", period=day(1)) for mic in ("AAAA", "BBBB")
    ]
    load(make_zip, full(2), *records)


def get_name() -> str:
    return Instrument.objects.get(pk=VOLVO).full_name


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_a_correction_is_served_with_the_published_value_beside_it() -> None:
    analyst = client_of_new_user("ann", "analyst")
    curator = client_of_new_user("carl", "curator")
    body = {
        "register": "ESMA",
        "isin": VOLVO,
        "field": "full_name",
        "expected": "WOLWO",
        "value": "VOLVO AB",
        "reason": "Misspelt by the venue",
        "evidence": "https://example.org/volvo",
    }

    proposed = analyst("post", "/corrections/", body)
    assert proposed.status_code == 201, proposed.content
    number = proposed.json()["number"]
    assert proposed.json()["state"] == "proposed"
    assert get_name() == "WOLWO"
    assert analyst("post", f"/corrections/{number}/approve/").status_code == 403
    approved = curator("post", f"/corrections/{number}/approve/")

    assert approved.status_code == 200, approved.content
    assert approved.json()["state"] == "in_force"
    detail = analyst("get", f"/instruments/{VOLVO}/").json()
    assert detail["full_name"] == "VOLVO AB"
    assert detail["corrections"] == [
        {
            "number": number,
            "field": "full_name",
            "register": "ESMA",
            "mics": ["AAAA", "BBBB"],
            "published": "WOLWO",
            "value": "VOLVO AB",
            "state": "in_force",
            "reason": "Misspelt by the venue",
            "evidence": "https://example.org/volvo",
            "approved_at": approved.json()["approved_at"],
        }
    ]
    assert {row["full_name"] for row in detail["listings"]} == {"VOLVO AB"}
    off = analyst("get", f"/instruments/{VOLVO}/", {"corrections": "off"}).json()
    assert (off["full_name"], off["corrections"]) == ("WOLWO", [])
    assert {row["full_name"] for row in off["listings"]} == {"WOLWO"}
    assert set(Listing.objects.values_list("full_name", flat=True)) == {"WOLWO"}


@pytest.mark.parametrize(
    ("subject", "field", "others"),
    [
        ({"register": "ESMA", "isin": VOLVO}, "cfi_code", ["legal_name", "acronym"]),
        ({"lei": "5493001KJTIIGC8Y1R12"}, "legal_name", ["cfi_code", "acronym"]),
        ({"mic": "XSTO"}, "acronym", ["cfi_code", "legal_name"]),
    ],
)
@pytest.mark.usefixtures("volvo")
def test_the_error_of_a_wrong_field_suggests_one_of_the_subject(
    subject: dict[str, str], field: str, others: list[str]
) -> None:
    analyst = client_of_new_user("ann", "analyst")
    for wrong in ("colour", others[0]):
        body = {**subject, "field": wrong, "value": "X", "reason": "Wrong"}
        response = analyst("post", "/corrections/", body)

        assert response.status_code == 400
        [message] = response.json()["errors"]["field"]
        assert len(message) < 200
        assert not any(f"Did you mean {other!r}?" in message for other in others)
    close = analyst("post", "/corrections/", {**body, "field": f"{field[:-1]}"}).json()
    assert f"Did you mean {field!r}?" in close["errors"]["field"][0]
    values: list[Any] = [{}, [], None, "x" * 101]
    for value in values:
        response = analyst("post", "/corrections/", {**body, "field": value})
        assert (response.status_code, list(response.json()["errors"])) == (400, ["field"])


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_lists_search_exports_pages_and_the_dossier_have_the_corrected_value(client: Any) -> None:
    correct()
    user = client_of_new_user("vic")

    [row] = user("get", "/instruments/", {"q": "volvo"}).json()["results"]
    assert row["full_name"] == "VOLVO AB"
    assert [c["published"] for c in row["corrections"]] == ["WOLWO"]
    correct(field="short_name")
    assert user("get", "/instruments/", {"q": "wolwo"}).json()["results"] == []
    [row] = user("get", "/instruments/", {"corrections": "off"}).json()["results"]
    assert (row["full_name"], row["corrections"]) == ("WOLWO", [])
    looked_up = user("post", "/instruments/lookup/", {"isins": [VOLVO]}).json()["results"]
    assert looked_up[0]["instrument"]["full_name"] == "VOLVO AB"
    snapshot = user("get", f"/instruments/{VOLVO}/", {"as_of": day(3)}).json()
    assert (snapshot["full_name"], snapshot["corrections"]) == ("WOLWO", [])
    [page] = export.read_pages(Instrument.objects.all())
    exported = dict(zip(export.COLUMNS, page[0], strict=True))
    assert exported["full_name"] == "VOLVO AB"
    assert json.loads(exported["corrected"]) == {"full_name": "WOLWO", "short_name": "WOLWO"}
    dossier = user("get", f"/instruments/{VOLVO}/dossier/").json()
    assert dossier["identity"]["full_name"] == "VOLVO AB"
    assert dossier["corrections"]["corrections"]["rows"][0]["published"] == "WOLWO"
    shown = client.get(f"/instruments/{VOLVO}/").content.decode()
    assert "<h1>VOLVO AB</h1>" in shown
    assert "WOLWO" in shown
    assert "WOLWO" in client.get(f"/instruments/{VOLVO}/dossier/").content.decode()


@pytest.mark.usefixtures("volvo")
def test_filters_and_counts_go_by_the_corrected_codes() -> None:
    correct(field="cfi_code", value="DBFTFB")
    correct(field="notional_currency", value="eur")

    assert Instrument.objects.of_category("D").exists()
    assert not Instrument.objects.of_category("E").exists()
    assert Instrument.objects.in_currency("EUR").exists()
    counted = InstrumentCount.objects.filter(instruments__gt=0)
    assert list(counted.values_list("category", flat=True)) == ["D"]
    check_counts()


@pytest.mark.usefixtures("volvo")
def test_a_correction_survives_a_load_until_the_register_publishes_the_value(
    make_zip: Write,
) -> None:
    correction = correct()

    publish(make_zip, 4, "WOLWO", "WOLWO")
    assert get_name() == "VOLVO AB"
    publish(make_zip, 5, "VOLVO AB")
    correction.refresh_from_db()
    assert (correction.state, get_name()) == ("in_force", "VOLVO AB")
    publish(make_zip, 6, "VOLVO AB", "VOLVO AB")

    correction.refresh_from_db()
    assert (correction.state, get_name()) == ("overtaken", "VOLVO AB")
    assert correction.closed_at is not None
    publish(make_zip, 7, "WOLWO", "WOLWO")
    assert get_name() == "WOLWO"
    actions = Event.objects.filter(action__startswith="correction.").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        *("correction.proposed", "correction.approved", "correction.in_force"),
        "correction.overtaken",
    ]


@pytest.mark.usefixtures("volvo")
@pytest.mark.parametrize(("in_review", "served"), [("hold", "VOLVO AB"), ("yield", "THIRD")])
def test_a_third_value_sends_a_correction_to_review(
    make_zip: Write, settings: LazySettings, in_review: str, served: str
) -> None:
    settings.CORRECTIONS_IN_REVIEW = in_review
    correction = correct()

    publish(make_zip, 4, "THIRD", "THIRD")

    correction.refresh_from_db()
    assert (correction.state, get_name()) == ("to_review", served)
    assert correction.remark == "The register publishes 'THIRD'."
    proposals.withdraw(correction, reason="A new name", by="carl", may_approve=True)
    assert get_name() == "THIRD"


@pytest.mark.usefixtures("volvo")
def test_a_correction_of_a_venue_counts_more_than_one_of_all() -> None:
    correct()
    correct(mic="BBBB", value="VOLVO B")

    instrument = Instrument.objects.get(pk=VOLVO)
    assert instrument.full_name == "VOLVO AB"  # the reference listing is on AAAA
    client = client_of_new_user("vic")
    listings = client("get", f"/instruments/{VOLVO}/").json()["listings"]
    names = {row["mic"]: row["full_name"] for row in listings}
    assert names == {"AAAA": "VOLVO AB", "BBBB": "VOLVO B"}


@pytest.mark.usefixtures("volvo")
def test_another_person_must_approve_if_two_are_needed(settings: LazySettings) -> None:
    correction = proposals.propose(proposal(), by="carl")

    with pytest.raises(NotPermitted):
        proposals.approve(correction, by="carl")
    settings.CORRECTIONS_NEED_TWO = False
    proposals.approve(correction, by="carl")

    assert correction.state == "in_force"
    with pytest.raises(WrongState):
        proposals.approve(correction, by="carl")
    with pytest.raises(WrongState):
        proposals.reject(correction, reason="Too late", by="carl")


@pytest.mark.usefixtures("volvo")
def test_a_withdrawal_brings_the_published_value_back() -> None:
    correction = correct()
    with pytest.raises(NotPermitted):
        proposals.withdraw(correction, reason="Mine", by="ann", may_approve=False)

    proposals.withdraw(correction, reason="Wrong after all", by="carl", may_approve=True)

    assert (correction.state, get_name()) == ("withdrawn", "WOLWO")
    assert not Instrument.objects.search("volvo").exists()
    own = proposals.propose(proposal(), by="ann")
    proposals.withdraw(own, reason="A slip", by="ann", may_approve=False)
    assert own.state == "withdrawn"


@pytest.mark.usefixtures("volvo")
@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"register": "SEC"}, InvalidQuery),
        ({"isin": "SE0000115447"}, InvalidQuery),
        ({"isin": "US4592001014"}, NotInDatabase),
        ({"mic": "ZZZZ"}, NotInDatabase),
        ({"field": "status"}, InvalidQuery),
        ({"field": "maturity_date", "value": "2030-01-01"}, InvalidQuery),
        ({"value": "WOLWO"}, InvalidQuery),
        ({"expected": "VOLVO"}, InvalidQuery),
        ({"reason": "  "}, InvalidQuery),
        ({"evidence": "javascript:alert(1)"}, InvalidQuery),
        ({"field": "issuer_lei", "value": "549300GDPG70E3MBBU99"}, InvalidQuery),
        ({"field": "fixed_rate", "value": "much"}, InvalidQuery),
        ({"field": "fixed_rate", "value": "NaN"}, InvalidQuery),
        ({"field": "fixed_rate", "value": "1" * 19}, InvalidQuery),
        ({"field": "commodity_derivative", "value": "perhaps"}, InvalidQuery),
        ({"value": "x" * 351}, InvalidQuery),
    ],
)
def test_an_invalid_proposal_is_refused(values: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        proposals.propose(proposal(**values), by="ann")
    assert not Correction.objects.exists()


def test_an_instrument_is_proposed_with_its_register() -> None:
    with pytest.raises(InvalidQuery, match="Required for an instrument: ESMA or FCA"):
        proposals.propose(proposal(register=""), by="ann")


@pytest.mark.usefixtures("volvo")
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"isin": " "}, "Give the ISIN of an instrument, an LEI, or the MIC of a venue."),
        (
            {"valid_from": dt.date(2027, 1, 5), "valid_to": dt.date(2027, 1, 1)},
            "The last day, 2027-01-01, is before the first, 2027-01-05.",
        ),
    ],
)
def test_a_wrong_proposal_says_which_value_it_needs(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        proposals.propose(proposal(**values), by="ann")


@pytest.mark.usefixtures("volvo")
def test_a_value_has_one_open_correction_at_a_time() -> None:
    proposals.propose(proposal(), by="ann")

    with pytest.raises(WrongState):
        proposals.propose(proposal(value="VOLVO"), by="ann")


def test_listings_with_different_values_are_corrected_one_by_one(make_zip: Write) -> None:
    publish(make_zip, 4, "WOLWO", "VOLVO", tag="NewRcrd")

    with pytest.raises(InvalidQuery, match="AAAA: 'WOLWO', BBBB: 'VOLVO'"):
        proposals.propose(proposal(), by="ann")
    correct(mic="AAAA")

    assert get_name() == "VOLVO AB"


@pytest.mark.usefixtures("volvo")
def test_a_number_and_a_truth_value_are_corrected_in_the_listings() -> None:
    correct(field="nominal_value_per_unit", value="1000.50")
    correct(field="commodity_derivative", value="true")

    answer = client_of_new_user("vic")("get", f"/instruments/{VOLVO}/").json()

    by_field = {row["field"]: (row["published"], row["value"]) for row in answer["corrections"]}
    assert by_field == {
        "nominal_value_per_unit": (None, "1000.5"),
        "commodity_derivative": (False, True),
    }
    assert answer["terms"]["commodity_derivative"] is True


@pytest.mark.usefixtures("volvo")
def test_names_of_users_are_shown_only_to_those_who_may_see_them() -> None:
    correction = correct()

    seen = {
        role: client_of_new_user(f"a-{role}", role)("get", f"/corrections/{correction.pk}/").json()
        for role in ("viewer", "admin")
    }

    assert (seen["viewer"]["proposed_by"], seen["viewer"]["approved_by"]) == (None, None)
    assert (seen["admin"]["proposed_by"], seen["admin"]["approved_by"]) == ("ann", "carl")


@pytest.mark.usefixtures("volvo")
def test_the_changes_feed_and_the_history_name_a_correction() -> None:
    user = client_of_new_user("vic", "analyst")
    cursor = user("get", "/instruments/changes/").json()["pagination"]["cursor"]
    assert user("get", "/instruments/changes/", {"since": cursor}).json()["results"] == []

    correction = correct(mic="AAAA")

    changed = user("get", "/instruments/changes/", {"since": cursor}).json()
    assert {(row["isin"], row["mic"], row["kind"]) for row in changed["results"]} == {
        (VOLVO, "AAAA", "corrected"),
        (VOLVO, "BBBB", "corrected"),
    }
    named = {row["mic"]: row["corrections"] for row in changed["results"]}
    assert named["BBBB"] == []
    [applied] = named["AAAA"]
    assert (applied["number"], applied["published"]) == (correction.pk, "WOLWO")
    assert (applied["value"], applied["closed_at"]) == ("VOLVO AB", None)

    proposals.withdraw(correction, reason="It is the legal name", by="carl", may_approve=True)

    since = {"since": changed["pagination"]["cursor"]}
    lifted = user("get", "/instruments/changes/", since).json()["results"]
    assert [(row["kind"], row["corrections"]) for row in lifted] == [("corrected", [])] * 2
    history = user("get", f"/instruments/{VOLVO}/history/").json()["results"]
    states = {row["mic"]: [past["state"] for past in row["corrections"]] for row in history}
    assert states == {"AAAA": ["withdrawn"], "BBBB": []}
    reader = Client()
    reader.force_login(make_user("rita"))
    page = reader.get(f"/instruments/{VOLVO}/history/").content.decode()
    assert f"Correction {correction.pk} of Full name: WOLWO → VOLVO AB, withdrawn" in page


@pytest.mark.usefixtures("volvo")
def test_the_database_has_one_open_correction_of_a_value() -> None:
    """Two proposals at the same moment would both pass the check."""
    first = proposals.propose(proposal(), by="ann")
    key = {"register": "ESMA", "isin": VOLVO, "mic": "", "field": "full_name"}

    with pytest.raises(IntegrityError):
        Correction.objects.create(**key, value="VOLVO")
    proposals.reject(first, reason="It is the legal name", by="carl")
    Correction.objects.create(**key, value="VOLVO")
