"""Records of LEIs from GLEIF's API: merged as golden copies are, whatever the service answers."""

import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from instruments.entities import syncing
from instruments.entities.hierarchy import read_hierarchy
from instruments.models import (
    EntityRelationship,
    EntityRequest,
    LegalEntity,
    ReportingException,
)
from marketdata.common.errors import Refused, Unavailable
from marketdata.services.errors import BudgetSpent, UnreadableAnswer
from marketdata.services.models import RequestBudget
from tests import golden_copy
from tests.gleif import (
    BLOOMBERG,
    COMMERZBANK,
    NORDIC,
    PUMA,
    RECORDS,
    SHELL,
    FakeGleif,
    recorded,
)
from tests.golden_copy import message, name, record
from tests.register import Trouble

pytestmark = pytest.mark.django_db(transaction=True)
State = EntityRequest.State
VOLVO = "549300HGV012CNC8JD22"


def ask(*leis: str, **options: Any) -> syncing.SyncCounts:
    EntityRequest.objects.add(leis, again=True)
    return syncing.sync(leis=leis, **options)


def start_next_minute(_seconds: float) -> None:
    """End the window of GLEIF's limit of requests instead of waiting for its end."""
    RequestBudget.objects.update(resets_at=timezone.now())


def states() -> dict[tuple[str, str], str]:
    rows = EntityRequest.objects.values_list("lei", "subject", "state")
    return {(lei, subject): state for lei, subject, state in rows}


def test_a_record_is_stored_with_its_group(gleif_api: FakeGleif) -> None:
    counts = ask(PUMA)

    assert (counts.asked, counts.known, counts.groups, counts.problems) == (1, 1, 1, [])
    entity = LegalEntity.objects.complete().get(lei=PUMA)
    assert (entity.legal_name, entity.legal_address_city) == ("PUMA SE", "Herzogenaurach")
    assert entity.source_name == "20250515-0000-gleif-api"
    assert entity.published_on == dt.date(2025, 5, 15)
    assert states() == {(PUMA, "record"): State.KNOWN, (PUMA, "group"): State.KNOWN}
    # Its children have records, relationships of their own kind, and none has been asked for.
    children = recorded(f"{PUMA}/direct-children")["data"]
    hierarchy = read_hierarchy(PUMA)
    assert {node.lei for node in hierarchy.children} >= {row["id"] for row in children}
    assert all(node.legal_name for node in hierarchy.children)
    exceptions = ReportingException.objects.filter(lei=PUMA)
    assert {row.reason for row in exceptions} == {"NO_KNOWN_PERSON"}


@pytest.mark.usefixtures("anonymous_reading")
def test_a_record_is_shown_with_the_answer_as_its_source(
    gleif_api: FakeGleif, client: Client, admin_client: Client
) -> None:
    ask(PUMA)

    page = client.get(f"/entities/{PUMA}/")
    api = client.get(f"/api/v1/entities/{PUMA}/").json()

    assert "20250515-0000-gleif-api" in page.content.decode()
    assert api["source_file"] == "20250515-0000-gleif-api"
    assert client.get(f"/api/v1/entities/{PUMA}/hierarchy/").status_code == 200
    assert admin_client.get("/admin/instruments/legalentity/").status_code == 200
    key = LegalEntity.objects.get(lei=PUMA).pk
    assert admin_client.get(f"/admin/instruments/legalentity/{key}/change/").status_code == 200


def test_every_value_of_a_recorded_record_that_has_a_column_is_stored(
    gleif_api: FakeGleif,
) -> None:
    ask(COMMERZBANK, NORDIC)

    bank = LegalEntity.objects.complete().get(lei=COMMERZBANK)
    attributes = gleif_api.records[COMMERZBANK]["attributes"]
    published, registration = attributes["entity"], attributes["registration"]
    assert bank.legal_name_language == published["legalName"]["language"]
    assert bank.legal_address_first_line == published["legalAddress"]["addressLines"][0]
    assert bank.registration_authority == published["registeredAt"]["id"]
    assert bank.registration_number == published["registeredAs"]
    assert bank.legal_form == published["legalForm"]["id"]
    assert bank.managing_lou == registration["managingLou"]
    assert bank.validation_number == registration["validatedAs"]
    assert bank.last_updated_at.isoformat() == "2025-04-03T11:09:13+00:00"
    [event] = bank.events.all()
    assert (event.type, event.group_type) == ("MERGERS_AND_ACQUISITIONS", "STANDALONE")
    relationship = EntityRelationship.objects.get(
        start_lei=NORDIC, type="IS_ULTIMATELY_CONSOLIDATED_BY"
    )
    assert [period["type"] for period in relationship.periods or []] == [
        "ACCOUNTING_PERIOD",
        "RELATIONSHIP_PERIOD",
    ]
    assert relationship.started_at == dt.datetime(2006, 8, 8, 2, tzinfo=dt.UTC)


@pytest.mark.slow
def test_records_are_asked_for_by_the_page_and_all_pages_are_read(gleif_api: FakeGleif) -> None:
    gleif_api.most_rows = 3
    leis = list(gleif_api.records)

    counts = ask(*leis, limit=None, wait=start_next_minute)

    assert (counts.asked, counts.known) == (12, 12)
    pages = [path for path, _ in gleif_api.requests if path.startswith(f"{RECORDS}?")]
    assert len(pages) == 4
    below_shell = recorded(f"{SHELL}/direct-child-relationships")["data"]
    rows = EntityRelationship.objects.filter(end_lei=SHELL, type="IS_DIRECTLY_CONSOLIDATED_BY")
    assert rows.count() == len(below_shell)


def test_an_lei_that_gleif_does_not_know_is_remembered_and_asked_for_again_later(
    gleif_api: FakeGleif, settings: LazySettings
) -> None:
    settings.ENTITY_UNKNOWN_DAYS = 5

    counts = ask(VOLVO, PUMA)

    assert (counts.known, counts.unknown) == (1, 1)
    request = EntityRequest.objects.get(lei=VOLVO)
    assert request.state == State.UNKNOWN
    assert request.due_at is not None
    assert dt.timedelta(days=4) < request.due_at - timezone.now() <= dt.timedelta(days=5)
    assert syncing.sync().asked == 0
    EntityRequest.objects.filter(lei=VOLVO).update(due_at=timezone.now())
    gleif_api.records[VOLVO] = gleif_api.records[PUMA] | {
        "attributes": gleif_api.records[PUMA]["attributes"] | {"lei": VOLVO}
    }
    assert syncing.sync().known == 1
    assert LegalEntity.objects.filter(lei=VOLVO).exists()


@pytest.mark.slow
@pytest.mark.parametrize("api_first", [True, False])
@pytest.mark.parametrize(
    ("updated", "day", "newest"),
    [
        ("2024-08-27T00:00:00Z", "20260101", "PUMA SE"),  # an older record in a later file
        ("2024-08-29T00:00:00Z", "20230605", "From the file"),
        ("2024-08-28T10:36:27Z", "20230605", "PUMA SE"),  # the same update: the later publication
        ("2024-08-28T10:36:27Z", "20260101", "From the file"),
    ],
)
def test_the_newest_record_counts_whether_the_file_or_the_answer_came_first(
    gleif_api: FakeGleif, tmp_path: Path, api_first: bool, updated: str, day: str, newest: str
) -> None:
    xml = message(record(PUMA, "From the file", updated=updated))
    path = golden_copy.put(tmp_path, name(day), xml)
    steps: list[Callable[[], Any]] = [lambda: ask(PUMA), lambda: golden_copy.load(path)]

    for step in steps if api_first else reversed(steps):
        step()

    assert LegalEntity.objects.get(lei=PUMA).legal_name == newest


def test_the_same_answer_again_changes_nothing(gleif_api: FakeGleif) -> None:
    ask(SHELL)
    rows = list(LegalEntity.objects.order_by("pk").values("pk", "lei"))

    counts = ask(SHELL)

    assert (counts.new, counts.changed, counts.ended) == (0, 0, 0)
    assert list(LegalEntity.objects.order_by("pk").values("pk", "lei")) == rows


def test_relationships_that_a_later_answer_lacks_are_deleted_but_those_of_files_stay(
    gleif_api: FakeGleif,
) -> None:
    ask(BLOOMBERG)
    assert EntityRelationship.objects.filter(start_lei=BLOOMBERG).count() == 2
    gleif_api.records[BLOOMBERG]["relationships"].pop("direct-parent")
    gleif_api.published_at = "2025-05-16T00:00:00Z"

    counts = ask(BLOOMBERG)

    assert counts.ended == 1
    [left] = EntityRelationship.objects.filter(start_lei=BLOOMBERG)
    assert left.type == "IS_ULTIMATELY_CONSOLIDATED_BY"


def test_a_list_that_is_gone_is_left_out(gleif_api: FakeGleif) -> None:
    gleif_api.missing.add(f"{BLOOMBERG}/direct-parent-relationship")

    counts = ask(BLOOMBERG)

    assert counts.problems == []
    [left] = EntityRelationship.objects.filter(start_lei=BLOOMBERG)
    assert left.type == "IS_ULTIMATELY_CONSOLIDATED_BY"


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble(status=429, headers={"Retry-After": "600"}), BudgetSpent),
        (Trouble(status=401), Refused),
        (Trouble(status=404), Refused),  # of the list of records itself
        (Trouble(status=503), Unavailable),
        (Trouble(body=b"{"), UnreadableAnswer),
        (Trouble(body=b"[]"), UnreadableAnswer),
        (Trouble(body=b'{"data": [{"type": "isins"}]}'), UnreadableAnswer),
        (Trouble(cut_after=400), Unavailable),
        pytest.param(Trouble(wait=2.5), Unavailable, marks=pytest.mark.slow),
    ],
)
def test_a_useless_answer_gives_the_requests_back(
    gleif_api: FakeGleif, settings: LazySettings, trouble: Trouble, error: type[Exception]
) -> None:
    settings.HTTP_TIMEOUT_SECONDS = 1
    gleif_api.trouble(RECORDS, *[trouble] * 3)

    with pytest.raises(error):
        ask(PUMA, wait=lambda seconds: None)

    assert not LegalEntity.objects.exists()
    assert EntityRequest.objects.due().count() == 1
    RequestBudget.objects.update(paused_until=None)
    gleif_api.troubles.clear()
    assert syncing.sync().known == 1


def test_a_pause_that_gleif_asks_for_is_kept_and_the_question_asked_again(
    gleif_api: FakeGleif,
) -> None:
    gleif_api.trouble(RECORDS, Trouble(status=429, headers={"Retry-After": "7"}))
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        RequestBudget.objects.update(paused_until=None)

    assert ask(PUMA, wait=wait).known == 1
    assert len(pauses) == 1
    assert 6 < pauses[0] <= 7


def test_sixty_requests_a_minute_are_shared_by_all_workers(gleif_api: FakeGleif) -> None:
    ask(PUMA)
    budget = RequestBudget.objects.get(service="gleif")
    assert (budget.requests, budget.window_seconds) == (60, 60)
    assert budget.remaining == 60 - len(gleif_api.requests)
    RequestBudget.objects.update(remaining=0, resets_at=timezone.now() + dt.timedelta(seconds=600))

    with pytest.raises(BudgetSpent):
        ask(SHELL)


def test_half_as_many_records_are_asked_for_when_a_request_is_too_large(
    gleif_api: FakeGleif,
) -> None:
    gleif_api.trouble(RECORDS, Trouble(status=413))

    counts = ask(PUMA, SHELL, NORDIC)

    assert counts.known == 3
    sizes = [
        path.split("filter%5Blei%5D=")[1].split("&")[0].count("%2C") + 1
        for path, _ in gleif_api.requests
        if path.startswith(f"{RECORDS}?")
    ]
    assert sizes == [3, 1, 1, 1]
    assert all("page%5Bsize%5D=200" in path for path, _ in gleif_api.requests)


def test_a_record_that_cannot_be_read_fails_alone(gleif_api: FakeGleif) -> None:
    gleif_api.records[PUMA]["attributes"]["registration"]["lastUpdateDate"] = "yesterday"

    counts = ask(PUMA, BLOOMBERG)

    assert (counts.known, counts.failed) == (1, 1)
    request = EntityRequest.objects.get(lei=PUMA)
    assert (request.state, request.attempts) == (State.FAILED, 1)
    assert "LastUpdateDate" in request.problem
    assert request.due_at is not None
    assert request.due_at > timezone.now()
    assert not LegalEntity.objects.filter(lei=PUMA).exists()


def test_a_request_that_another_worker_has_claimed_is_left_to_it(gleif_api: FakeGleif) -> None:
    EntityRequest.objects.add([PUMA, SHELL])
    claimed = EntityRequest.objects.claim("record", 1)

    counts = syncing.sync()

    assert counts.asked == 1
    EntityRequest.objects.give_back(claimed)
    assert syncing.sync().asked == 1


def test_a_killed_worker_leaves_work_that_another_one_finishes(gleif_api: FakeGleif) -> None:
    gleif_api.trouble(
        f"{RECORDS}/{BLOOMBERG}/ultimate-parent-relationship", *[Trouble(status=500)] * 3
    )
    with pytest.raises(Unavailable):
        ask(BLOOMBERG)
    assert states()[BLOOMBERG, "record"] == State.KNOWN  # what was answered is stored

    counts = syncing.sync()

    assert (counts.asked, counts.groups) == (0, 1)
    assert EntityRelationship.objects.filter(start_lei=BLOOMBERG).count() == 2


def test_links_to_other_hosts_are_not_followed(gleif_api: FakeGleif) -> None:
    links = gleif_api.records[BLOOMBERG]["relationships"]
    links["direct-parent"]["links"] = {
        "relationship-record": "https://example.com/api/v1/secrets",
        "lei-record": "https://example.com/other",
    }

    ask(BLOOMBERG)

    assert {path.split("?")[0] for path, _ in gleif_api.requests} == {
        RECORDS,
        f"{RECORDS}/{BLOOMBERG}/ultimate-parent",
        f"{RECORDS}/{BLOOMBERG}/ultimate-parent-relationship",
        f"{RECORDS}/{BLOOMBERG}/managed-funds",
        f"{RECORDS}/{BLOOMBERG}/managed-fund-relationships",
    }


def test_the_command_asks_for_leis_that_are_named(gleif_api: FakeGleif) -> None:
    out = io.StringIO()

    call_command("sync_entities", PUMA, VOLVO.lower(), format="json", stdout=out)

    counts = json.loads(out.getvalue())
    assert (counts["asked"], counts["known"], counts["unknown"]) == (2, 1, 1)
    assert LegalEntity.objects.filter(lei=PUMA).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["549300HGV012CNC8JD23"], "check digits"),
        (["--limit", "3"], "--limit needs"),
        ([PUMA, "--missing"], "do not name any"),
        (["--due", "--dataset", "gleif_rr"], "are for files"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("sync_entities", *arguments)
