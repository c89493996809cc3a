"""Work on a file is requested in the API, on its page and in the admin: one rule, and one event."""

import datetime as dt
import io

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from esma_files.names import FileName

pytestmark = pytest.mark.django_db
WAYS = ["api", "page", "admin"]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def file() -> EsmaFile:
    file = EsmaFile.from_name(FileName.parse("DLTINS_20260803_01of01"), dataset=Dataset.ESMA_FIRDS)
    file.content, file.state, file.location = "x.zip", EsmaFile.State.FAILED, "local"
    file.set_order()
    file.save()
    return file


def request_work(client: Client, file: EsmaFile, way: str, name: str) -> str:
    """Return what the page says, or the body of the answer."""
    if way == "api":
        return client.post(f"/api/v1/files/{file.pk}/{name}/").content.decode()
    if way == "page":
        return client.post(f"/files/{file.pk}/{name}/", follow=True).content.decode()
    action = {"retry": "try_again"}.get(name, name)
    data = {"action": action, "_selected_action": [file.pk]}
    return client.post("/admin/esma_files/esmafile/", data, follow=True).content.decode()


@pytest.mark.parametrize("way", WAYS)
def test_work_leaves_the_same_events_whichever_way_it_is_requested(
    way: str, staff: Client, file: EsmaFile
) -> None:
    request_work(staff, file, way, "retry")
    EsmaFile.objects.update(state=EsmaFile.State.HELD, state_since=dt.datetime.now(dt.UTC))
    request_work(staff, file, way, "release")
    request_work(staff, file, way, "remove")

    events = Event.objects.filter(action__startswith="file.").order_by("pk")
    assert list(events.values_list("action", "actor", "object_id", "old")) == [
        ("file.retry", "root", file.name, None),
        ("file.load", "root", file.name, None),
        ("file.release", "root", file.name, None),
        ("file.load", "root", file.name, None),
        ("file.remove", "root", file.name, {"state": "downloaded"}),
    ]
    assert set(Run.objects.values_list("kind", "requested_by")) == {
        ("load", "root"),
        ("delete", "root"),
    }


@pytest.mark.parametrize("way", WAYS)
def test_work_that_the_state_does_not_allow_is_refused_with_the_reason(
    way: str, staff: Client, file: EsmaFile
) -> None:
    for name, reason in (
        ("download", f"No register has listed {file.name}, so there is no address."),
        ("release", f"{file.name} is failed; only held files can be released."),
    ):
        assert reason in request_work(staff, file, way, name)
    EsmaFile.objects.update(kept=True)
    assert "cannot be removed: marked as kept" in request_work(staff, file, way, "remove")

    assert not Run.objects.exists()
    assert not Event.objects.filter(action__startswith="file.").exists()


@pytest.mark.parametrize(
    ("action", "state", "event"),
    [
        ("retry", EsmaFile.State.FAILED, ("file.retry", None, None)),
        ("release", EsmaFile.State.HELD, ("file.release", None, None)),
        ("keep", EsmaFile.State.LOADED, ("file.keep", {"kept": False}, {"kept": True})),
        ("unkeep", EsmaFile.State.LOADED, ("file.keep", {"kept": False}, {"kept": False})),
        ("delete", EsmaFile.State.LOADED, ("file.delete", None, None)),
        ("remove", EsmaFile.State.LOADED, ("file.remove", {"state": "loaded"}, None)),
    ],
)
def test_commands_leave_events_too(
    action: str, state: str, event: tuple[object, ...], file: EsmaFile
) -> None:
    EsmaFile.objects.update(state=state, loaded_at=dt.datetime.now(dt.UTC))

    call_command("files", action, file.name, stdout=io.StringIO())

    events = Event.objects.filter(via="command", object_id=file.name)
    assert list(events.values_list("action", "old", "new")) == [event]
