"""The audit trail: writing, listing and exporting events, which cannot be changed."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models, transaction
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import User
from audit import append_only, trail
from audit.errors import AppendOnly
from audit.models import Event
from tests.accounts.clients import client_of_new_user, make_user

pytestmark = pytest.mark.django_db


def record_events(count: int) -> None:
    for n in range(count):
        trail.record("file.deleted", about=f"FULINS_{n}.zip", old={"state": "stored"}, new={"n": n})


def test_an_event_has_actor_address_object_and_values() -> None:
    bob = make_user("bob")
    request: Any = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7")
    request.user, request.session = bob, {}

    event = trail.record("correction.added", request=request, about=bob, old={"a": 1}, new={"a": 2})

    event.refresh_from_db()
    assert (event.actor, event.via, event.address) == ("bob", "session", "203.0.113.7")
    assert (event.object_type, event.object_id) == ("accounts.user", "bob")
    assert (event.old, event.new) == ({"a": 1}, {"a": 2})


def test_an_event_of_a_command_has_the_name_of_the_system_user() -> None:
    event = trail.record("file.deleted", about="FULINS_E_20250830_01of02.zip")

    assert event.via == "command"
    assert event.actor
    assert event.address is None


def test_events_cannot_be_changed_or_deleted() -> None:
    record_events(1)
    event = Event.objects.get()
    event.actor = "nobody"

    for change in (
        event.save,
        event.delete,
        lambda: Event.objects.update(actor="nobody"),
        Event.objects.all().delete,
        lambda: Event.objects.bulk_update([event], ["actor"]),
    ):
        with pytest.raises(AppendOnly), transaction.atomic():
            change()
    assert Event.objects.get().action == "file.deleted"


def test_events_cannot_be_changed_in_the_admin(client: Client) -> None:
    record_events(1)
    pk = Event.objects.get().pk
    client.force_login(User.objects.create_superuser("root"))

    for path in ("add/", f"{pk}/delete/"):
        assert client.post(f"/admin/audit/event/{path}", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/audit/event/{pk}/change/", {"actor": "x"}).status_code == 403
    form = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    client.post("/admin/audit/event/", form)
    assert Event.objects.filter(pk=pk, actor__gt="").exists()
    page = client.get("/admin/audit/event/", {"q": "FULINS_0.zip"}).content
    assert b'<td class="field-object_id">FULINS_0.zip</td>' in page
    assert (
        b"field-object_id" not in client.get("/admin/audit/event/", {"q": "198.51.100.7"}).content
    )


def test_an_admin_filters_events() -> None:
    admin = client_of_new_user("ada", "admin")
    record_events(3)

    def count(**parameters: str) -> int:
        response = admin("get", "/audit/", parameters)
        assert response.status_code == 200, response.content
        return int(response.json()["pagination"]["total"])

    assert count(action="file") == count(action="file.deleted") == 3
    assert count(object_id="FULINS_1") == 1
    assert count(action="file", since="2020-01-01T00:00:00Z") == 3
    assert count(until="2020-01-01T00:00:00Z") == 0
    assert count(actor="nobody") == 0
    assert count(address="127.0.0.1") == 0
    newest = admin("get", "/audit/").json()["results"][0]
    assert newest["new"] == {"n": 2}
    for parameters in ({"since": "yesterday"}, {"acton": "file"}):
        assert admin("get", "/audit/", parameters).status_code == 400


def test_events_are_exported_as_csv_and_ndjson() -> None:
    admin = client_of_new_user("ada", "admin")
    record_events(300)

    response = admin("get", "/audit/export/", {"action": "file"})
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert response.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in response.headers["Content-Disposition"]
    assert len(rows) == 300
    assert json.loads(rows[7]["new"]) == {"n": 7}

    response = admin("get", "/audit/export/", {"action": "file", "file": "NDJSON "})
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert [line["new"]["n"] for line in lines] == list(range(300))
    assert lines[0]["at"].endswith("Z")
    assert admin("get", "/audit/export/", {"file": "xml"}).status_code == 400
    assert Event.objects.filter(action="audit.exported", actor="ada").count() == 2


@pytest.mark.slow
def test_a_long_export_has_every_event_once_and_in_order() -> None:
    admin = client_of_new_user("ada", "admin")
    same = timezone.now()
    Event.objects.bulk_create(
        Event(action="file.deleted", at=same, object_id=str(n), new={"n": n}) for n in range(4_500)
    )

    response = admin("get", "/audit/export/", {"action": "file", "file": "ndjson"})

    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert [line["new"]["n"] for line in lines] == list(range(4_500))


def test_typed_names_are_escaped_for_spreadsheets() -> None:
    admin = client_of_new_user("ada", "admin")
    trail.record("login.failed", request=RequestFactory().get("/"), about="=cmd|' /C calc'!A0")

    response = admin("get", "/audit/export/", {"action": "login.failed"})

    [row] = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode()))
    assert row["object_id"] == "'=cmd|' /C calc'!A0"


@pytest.mark.parametrize("path", ["/audit/", "/audit/export/"])
@pytest.mark.parametrize("parameter", ["since", "until"])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_of_the_calendar_in_utc_is_refused(
    path: str, parameter: str, time: str
) -> None:
    admin = client_of_new_user("ada", "admin")

    response = admin("get", path, {parameter: time})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [parameter]
    assert not Event.objects.filter(action="audit.exported").exists()


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_last_time_of_the_calendar_are_accepted(time: str) -> None:
    admin = client_of_new_user("ada", "admin")

    assert admin("get", "/audit/", {"since": time}).status_code == 200
    response = admin("get", "/audit/export/", {"until": time})
    assert b"".join(response.streaming_content).startswith(b"at,action")


def update_by_base_manager() -> None:
    Event._base_manager.using("default").update(actor="nobody")


def delete_by_base_manager() -> None:
    models.QuerySet(Event).delete()


def bulk_update_by_plain_queryset() -> None:
    events: Any = list(Event.objects.all())
    models.QuerySet(Event).bulk_update(events, ["actor"])


def raw_delete() -> None:
    models.QuerySet(Event)._raw_delete("default")


def execute_update() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_event SET actor = 'nobody'")


def execute_delete() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_event WHERE action = %s", ["file.deleted"])


@pytest.mark.parametrize(
    "change",
    [
        update_by_base_manager,
        delete_by_base_manager,
        bulk_update_by_plain_queryset,
        raw_delete,
        execute_update,
        execute_delete,
    ],
)
def test_the_database_refuses_changes_that_bypass_the_model(change: Callable[[], None]) -> None:
    record_events(2)
    before = list(Event.objects.values())

    with pytest.raises((DatabaseError, AppendOnly)), transaction.atomic():
        change()

    assert list(Event.objects.values()) == before


@pytest.mark.parametrize("way", ["migrate", "create"])
def test_the_triggers_are_created_again(way: str) -> None:
    append_only.drop_triggers()
    append_only.create_triggers() if way == "create" else call_command("migrate", verbosity=0)
    record_events(1)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute_update()


@pytest.mark.django_db(transaction=True)
def test_flush_empties_the_audit_trail_and_keeps_the_triggers() -> None:
    record_events(2)

    call_command("flush", interactive=False, verbosity=0)

    assert not Event.objects.exists()
    record_events(1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute_delete()


def test_commands_that_change_data_leave_an_event_even_if_they_fail(tmp_path: Path) -> None:
    missing = tmp_path / "missing.zip"

    with pytest.raises(CommandError):
        call_command("load", missing, "--excerpt", stdout=io.StringIO())
    call_command("volume_cap", "list", stdout=io.StringIO())
    with pytest.raises(CommandError):
        call_command("volume_cap", "load_suspensions", missing, stdout=io.StringIO())

    events = Event.objects.order_by("pk")
    assert [(event.action, event.via, event.new) for event in events] == [
        ("command.load", "command", {"paths": [str(missing)], "excerpt": True}),
        ("command.volume_cap_load_suspensions", "command", {"path": str(missing)}),
    ]
