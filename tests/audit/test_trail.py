"""What the trail holds, shows and gives out, and that nobody changes it."""

import csv
import io
import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import User
from audit import trail
from audit.errors import AppendOnly
from audit.models import Event
from tests.accounts.people import make, signed_in

pytestmark = pytest.mark.django_db


def record(count: int) -> None:
    for n in range(count):
        trail.record("file.deleted", about=f"FULINS_{n}.zip", old={"state": "stored"}, new={"n": n})


def test_an_event_says_who_what_when_where_and_what_it_was_before() -> None:
    bob = make("bob")
    request: Any = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7")
    request.user, request.session = bob, {}

    event = trail.record("correction.added", request=request, about=bob, old={"a": 1}, new={"a": 2})

    event.refresh_from_db()
    assert (event.actor, event.via, event.address) == ("bob", "session", "203.0.113.7")
    assert (event.object_type, event.object_id) == ("accounts.user", "bob")
    assert (event.old, event.new) == ({"a": 1}, {"a": 2})


def test_what_a_command_does_is_noted_under_who_ran_it() -> None:
    event = trail.record("file.deleted", about="FULINS_E_20250830_01of02.zip")

    assert event.via == "command"
    assert event.actor
    assert event.address is None


def test_events_do_not_change_or_go() -> None:
    record(1)
    event = Event.objects.get()
    event.actor = "nobody"

    for attempt in (
        event.save,
        event.delete,
        lambda: Event.objects.update(actor="nobody"),
        Event.objects.all().delete,
        lambda: Event.objects.bulk_update([event], ["actor"]),
    ):
        with pytest.raises(AppendOnly), transaction.atomic():
            attempt()
    assert Event.objects.get().action == "file.deleted"


def test_nobody_changes_events_in_the_admin(client: Client) -> None:
    record(1)
    pk = Event.objects.get().pk
    client.force_login(User.objects.create_superuser("root"))

    for path in ("add/", f"{pk}/delete/"):
        assert client.post(f"/admin/audit/event/{path}", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/audit/event/{pk}/change/", {"actor": "x"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    client.post("/admin/audit/event/", chosen)
    assert Event.objects.filter(pk=pk, actor__gt="").exists()
    assert b"FULINS_0.zip" in client.get("/admin/audit/event/", {"q": "FULINS_0"}).content


def test_admins_filter_the_trail() -> None:
    admin = signed_in("ada", "admin")
    record(3)

    def found(**parameters: str) -> int:
        answer = admin("get", "/audit/", parameters)
        assert answer.status_code == 200, answer.content
        return int(answer.json()["pagination"]["total"])

    assert found(action="file") == found(action="file.deleted") == 3
    assert found(about="FULINS_1") == 1
    assert found(action="file", since="2020-01-01T00:00:00Z") == 3
    assert found(until="2020-01-01T00:00:00Z") == 0
    assert found(actor="nobody") == 0
    assert found(address="127.0.0.1") == 0
    newest = admin("get", "/audit/").json()["results"][0]
    assert newest["new"] == {"n": 2}
    for wrong in ({"since": "yesterday"}, {"acton": "file"}):
        assert admin("get", "/audit/", wrong).status_code == 400


def test_the_trail_is_given_out_as_csv_and_as_ndjson() -> None:
    admin = signed_in("ada", "admin")
    record(300)

    answer = admin("get", "/audit/export/", {"action": "file"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert len(rows) == 300
    assert json.loads(rows[7]["new"]) == {"n": 7}

    answer = admin("get", "/audit/export/", {"action": "file", "file": "ndjson"})
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [line["new"]["n"] for line in lines] == list(range(300))
    assert lines[0]["at"].endswith("Z")
    assert admin("get", "/audit/export/", {"file": "xml"}).status_code == 400
    assert Event.objects.filter(action="audit.exported", actor="ada").count() == 2


def test_a_long_trail_is_given_out_once_and_in_order() -> None:
    admin = signed_in("ada", "admin")
    same = timezone.now()
    Event.objects.bulk_create(
        Event(action="file.deleted", at=same, object_id=str(n), new={"n": n}) for n in range(4_500)
    )

    answer = admin("get", "/audit/export/", {"action": "file", "file": "ndjson"})

    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [line["new"]["n"] for line in lines] == list(range(4_500))


def test_what_strangers_type_is_no_formula_in_a_spreadsheet() -> None:
    admin = signed_in("ada", "admin")
    trail.record("login.failed", request=RequestFactory().get("/"), about="=cmd|' /C calc'!A0")

    answer = admin("get", "/audit/export/", {"action": "login.failed"})

    [row] = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert row["object_id"] == "'=cmd|' /C calc'!A0"
