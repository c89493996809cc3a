"""Corrections of legal entities, over golden copies and deltas."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from curation import proposals
from curation.proposals import Proposal
from instruments.entities import load as entity_load
from instruments.listings.correcting import reapply_due
from instruments.models import Correction, CorrectionState, LegalEntity
from marketdata.common.errors import InvalidQuery, NotInDatabase, WrongState
from tests import golden_copy
from tests.accounts.clients import client_of_new_user
from tests.golden_copy import message, name, record
from tests.instruments.entities.test_merge import ERICSSON, VOLVO
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)
_STATUS = "<lei:EntityStatus>ACTIVE</lei:EntityStatus>"


def publish(folder: Path, number: int, legal_name: str, lei: str = VOLVO) -> None:
    """Load a delta of a day of June 2023 with one record."""
    row = record(lei, legal_name, updated=f"2023-06-{number:02}T08:00:00Z", entity=_STATUS)
    xml = message(row, content="DELTA")
    golden_copy.load(golden_copy.put(folder, name(f"202306{number:02}", "last-day"), xml))


def correct(value: str = "Volvo", field: str = "legal_name", **values: Any) -> Correction:
    """Propose a correction of Volvo, and have another person approve it."""
    proposal = Proposal(lei=VOLVO, field=field, value=value, reason="Misspelt", **values)
    correction = proposals.propose(proposal, by="ann")
    proposals.approve(correction, by="carl")
    return correction


def find(words: str) -> list[str]:
    return [row.lei for row in LegalEntity.objects.search(words)]


@pytest.fixture
def volvo(tmp_path: Path) -> None:
    publish(tmp_path, 1, "Wolwo")
    publish(tmp_path, 1, "Ericsson", ERICSSON)


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_a_correction_is_served_with_the_published_value_beside_it() -> None:
    analyst = client_of_new_user("ann", "analyst")
    curator = client_of_new_user("carl", "curator")
    body = {"lei": VOLVO, "field": "legal_name", "value": "Volvo", "reason": "Misspelt"}

    preview = analyst("post", "/corrections/preview/", body).json()
    assert preview["record"] == {"code": VOLVO, "published": "Wolwo", "changes": True}
    proposed = analyst("post", "/corrections/", body)
    assert proposed.status_code == 201, proposed.content
    number = proposed.json()["number"]
    assert (proposed.json()["subject"], proposed.json()["isin"]) == ("entity", None)
    assert analyst("get", f"/entities/{VOLVO}/").json()["legal_name"] == "Wolwo"
    approved = curator("post", f"/corrections/{number}/approve/").json()

    assert (approved["state"], approved["remark"]) == ("in_force", "GLEIF publishes the old value.")
    entity = analyst("get", f"/entities/{VOLVO}/").json()
    assert entity["legal_name"] == "Volvo"
    assert entity["corrections"] == [
        {
            "number": number,
            "field": "legal_name",
            "published": "Wolwo",
            "value": "Volvo",
            "state": "in_force",
            "reason": "Misspelt",
            "evidence": None,
            "approved_at": approved["approved_at"],
        }
    ]
    off = analyst("get", f"/entities/{VOLVO}/", {"corrections": "off"}).json()
    assert (off["legal_name"], off["corrections"]) == ("Wolwo", [])
    [row] = analyst("get", "/entities/", {"q": "volvo"}).json()["results"]
    assert (row["legal_name"], row["corrections"][0]["published"]) == ("Volvo", "Wolwo")
    assert analyst("get", "/entities/", {"q": "wolwo"}).json()["results"] == []
    [row] = analyst("get", "/entities/", {"q": "volvo", "corrections": "off"}).json()["results"]
    assert (row["legal_name"], row["corrections"]) == ("Wolwo", [])
    assert LegalEntity.objects.get(lei=VOLVO).legal_name == "Wolwo"
    debt = analyst("get", "/corrections/debt/").json()
    assert [(row["subject"], row["lei"]) for row in debt["corrections"]] == [("entity", VOLVO)]
    listed = analyst("get", "/corrections/", {"subject": "entity", "lei": VOLVO}).json()["results"]
    assert [row["number"] for row in listed] == [number]

    withdrawn = curator("post", f"/corrections/{number}/withdraw/", {"reason": "Our mistake"})
    assert withdrawn.json()["state"] == "withdrawn"
    assert analyst("get", f"/entities/{VOLVO}/").json()["legal_name"] == "Wolwo"
    assert (find("volvo"), find("wolwo")) == ([], [VOLVO])


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_filters_find_the_corrected_value_and_pages_show_both(client: Client) -> None:
    correct()
    correct("INACTIVE", "entity_status")
    user = client_of_new_user("vic")

    def select(**filters: str) -> list[str]:
        return [row["lei"] for row in user("get", "/entities/", filters).json()["results"]]

    assert select(entity_status="INACTIVE") == [VOLVO]
    assert select(entity_status="active") == [ERICSSON]
    page = client.get(f"/entities/{VOLVO}/").content.decode()
    assert "<h1>Volvo</h1>" in page
    assert '>Wolwo</td><td data-label="Shown here">Volvo</td>' in page
    assert 'class="name">Volvo</td>' in client.get("/entities/?q=volvo").content.decode()
    for value, legal_name in (("on", "Volvo"), ("off", "Wolwo")):
        query = {"corrections": value}
        hierarchy = user("get", f"/entities/{VOLVO}/hierarchy/", query).json()
        assert hierarchy["legal_name"] == legal_name
    assert VOLVO in client.get("/corrections/").content.decode()


@pytest.mark.usefixtures("volvo")
def test_a_correction_follows_what_gleif_publishes(tmp_path: Path) -> None:
    correction = correct()
    publish(tmp_path, 2, "Wolwo AB")

    correction.refresh_from_db()
    assert correction.state == "to_review"
    assert correction.remark == "GLEIF publishes 'Wolwo AB'."
    assert (find("volvo"), find("wolwo")) == ([], [VOLVO])  # CORRECTIONS_IN_REVIEW is yield
    with override_settings(CORRECTIONS_IN_REVIEW="hold"):
        publish(tmp_path, 3, "Wolwo Aktiebolag")
    assert find("volvo") == [VOLVO]
    publish(tmp_path, 4, "Volvo")
    correction.refresh_from_db()
    assert (correction.state, correction.replaced) == ("overtaken", None)
    publish(tmp_path, 5, "Wolwo")
    assert (find("volvo"), find("wolwo")) == ([], [VOLVO])


@pytest.mark.usefixtures("volvo")
def test_a_correction_begins_and_ends_by_the_calendar() -> None:
    today = dt.datetime.now(dt.UTC).date()
    tomorrow = today + dt.timedelta(days=1)
    correction = correct(valid_from=tomorrow, valid_to=tomorrow)
    assert (correction.state, find("volvo")) == ("approved", [])
    Correction.objects.update(valid_from=today, valid_to=today)
    assert reapply_due(today) == 1
    assert find("volvo") == [VOLVO]
    yesterday = today - dt.timedelta(days=1)
    Correction.objects.update(valid_from=yesterday, valid_to=yesterday)
    assert reapply_due(today) == 1
    correction.refresh_from_db()
    assert (correction.state, find("volvo"), find("wolwo")) == ("expired", [], [VOLVO])


@pytest.mark.usefixtures("volvo")
def test_invalid_proposals_are_refused() -> None:
    def check(error: type[Exception], match: str, **values: Any) -> None:
        given = {"lei": VOLVO, "field": "legal_name", "value": "Volvo", "reason": "Misspelt"}
        with pytest.raises(error, match=match):
            proposals.propose(Proposal(**{**given, **values}), by="ann")

    check(InvalidQuery, "cannot be corrected", field="last_updated_at")
    check(InvalidQuery, "must have a value", value=" ")
    check(InvalidQuery, "is the published value", value="Wolwo")
    check(InvalidQuery, "not a value of Legal address country", field="legal_address_country")
    check(InvalidQuery, "a time, as", field="expired_at")
    check(InvalidQuery, "'Wolwo', not 'Vovlo'", expected="Vovlo")
    check(InvalidQuery, "Give an LEI alone", isin="SE0000115446")
    check(
        NotInDatabase,
        "No loaded file of GLEIF has 213800FERQ5LE3H7WJ58",
        lei="213800FERQ5LE3H7WJ58",
    )
    correct()
    check(WrongState, "withdraw it", value="Volvo AB")
    correct("2024-01-01", "expired_at")
    expired = LegalEntity.objects.get(lei=VOLVO)
    assert Correction.objects.get(field="expired_at").value == "2024-01-01T00:00:00Z"
    assert expired.expired_at is None


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_lists_take_as_many_queries_with_corrections_as_without() -> None:
    user = client_of_new_user("vic")

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert user("get", "/entities/").status_code == 200
        return len(queries)

    count()
    without = count()
    correct()
    correct("INACTIVE", "entity_status")
    count()
    assert count() == without


@pytest.mark.usefixtures("volvo")
def test_commands_and_imports_know_entities(capsys: Any) -> None:
    correct()
    call_command("entities", "get", VOLVO)
    call_command("corrections", "list", "--lei", VOLVO)
    printed = capsys.readouterr().out
    assert "Wolwo" in printed
    assert "in_force" in printed
    call_command("index_names")
    assert (find("volvo"), find("wolwo")) == ([VOLVO], [])
    entity_load.rebuild_index()
    assert find("volvo") == [VOLVO]


_NAMES = st.sampled_from(["Old", "Right", "Third"])


@pytest.mark.slow
@examples(10)
@override_settings(CORRECTIONS_IN_REVIEW="hold")
@given(
    published=st.lists(
        st.tuples(st.integers(2, 9), _NAMES), max_size=5, unique_by=lambda row: row[0]
    )
)
def test_deltas_in_any_order_over_a_correction_come_to_what_a_model_says(
    tmp_path_factory: Any, published: list[tuple[int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("deltas")
    Correction.objects.all().delete()
    LegalEntity.objects.all().delete()
    entity_load.rebuild_index()
    publish(folder, 1, "Old")
    correction = correct("Right")
    state, newest = "in_force", (1, "Old")
    for number, legal_name in published:
        publish(folder, number, legal_name)
        if number > newest[0]:
            newest = (number, legal_name)
            if state in (CorrectionState.IN_FORCE, CorrectionState.TO_REVIEW):
                state = {"Right": "overtaken", "Third": "to_review"}.get(legal_name, state)
        correction.refresh_from_db()
        assert (correction.state, LegalEntity.objects.get().legal_name) == (state, newest[1])
        is_served = state in {"in_force", "to_review"}
        served = "Right" if is_served else newest[1]
        for text in ("Old", "Right", "Third"):
            assert find(text) == ([VOLVO] if text == served else [])
