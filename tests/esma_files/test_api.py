"""Files, runs and storage over HTTP and in the admin."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import User
from audit.models import Event
from esma_files import queue, steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from esma_files.tasks import run_delete, run_download, run_sync
from instruments.pipeline import load, register_files
from instruments.tasks import run_load
from tests.conftest import FIRDS
from tests.register import FakeRegister

pytestmark = pytest.mark.django_db(transaction=True)

LOCAL = FIRDS / "FULINS_C_20250830_01of01.zip"
LISTED = "DLTINS_20250830_01of01.zip"
DAY = dt.date(2025, 8, 30)
TASKS = {"sync": run_sync, "download": run_download, "load": run_load, "delete": run_delete}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("curator", password="x"))
    return client


def do(client: Client, path: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """POST, and be the worker that does what was asked for; returns the run as the API shows it."""
    response = client.post(f"/api/v1/{path}", data or {}, content_type="application/json")
    assert response.status_code == 202, response.content
    run = response.json()
    assert response.headers["Location"].endswith(f"/api/v1/runs/{run['id']}/")
    if run["state"] == "queued":
        TASKS[run["kind"]](run["id"])
    shown: dict[str, Any] = client.get(f"/api/v1/runs/{run['id']}/").json()
    return shown


@pytest.mark.slow
def test_a_file_goes_from_the_register_to_the_tables_by_api(
    staff: Client, esma: FakeRegister
) -> None:
    esma.publish(LOCAL.name, LOCAL.read_bytes(), day=f"{DAY}")

    synced = do(staff, "files/sync/", {"dataset": "esma_firds", "since": f"{DAY}"})
    assert (synced["state"], synced["new"], synced["requested_by"]) == ("done", 1, "curator")
    fetched = do(staff, f"files/{LOCAL.name}/download/")
    assert (fetched["state"], fetched["done"]) == ("done", LOCAL.stat().st_size)
    loaded = do(staff, f"files/{LOCAL.name}/load/")
    assert (loaded["state"], loaded["read"], loaded["share"]) == ("done", 5, 1.0)

    shown = staff.get(f"/api/v1/files/{LOCAL.name}/").json()
    assert (shown["state"], shown["size"]) == ("loaded", LOCAL.stat().st_size)
    assert [run["kind"] for run in shown["runs"]] == ["load", "download"]
    assert staff.get(f"/api/v1/files/{shown['id']}/").json() == shown
    assert staff.get("/api/v1/files/?state=loaded&kind=FULINS").json()["pagination"]["total"] == 1
    assert staff.get("/api/v1/files/?since=2025-08-31").json()["results"] == []
    assert staff.get("/api/v1/runs/?kind=load").json()["pagination"]["total"] == 1


@pytest.mark.slow
def test_why_a_file_failed_is_shown_and_it_can_be_tried_again(
    staff: Client, tmp_path: Path
) -> None:
    bad = tmp_path / "FULINS_E_20250302_01of01.zip"
    bad.write_bytes(b"PK no zip")
    [result] = load(register_files([bad]))
    assert result.error

    [failed] = staff.get("/api/v1/files/?state=failed").json()["results"]
    assert "not a zip" in failed["problem"]
    run = do(staff, f"files/{bad.name}/retry/")
    assert (run["state"], run["kind"]) == ("failed", "load")
    assert "not a zip" in run["problem"]


def test_keep_and_delete(staff: Client) -> None:
    delta = FIRDS / "DLTINS_20210117_01of01.zip"
    [loaded] = load(register_files([delta]))
    path = Path(loaded.file.content.path)

    kept = do(staff, f"files/{delta.name}/keep/", {"kept": True})
    assert (kept["kind"], kept["state"], kept["changed"]) == ("keep", "done", 1)
    refused = staff.post(f"/api/v1/files/{delta.name}/delete/")
    assert refused.status_code == 409
    assert "marked as kept" in refused.json()["detail"]
    do(staff, f"files/{delta.name}/keep/", {"kept": False})
    deleted = do(staff, f"files/{delta.name}/delete/")
    trail = [
        (event.action, event.actor, event.object_id)
        for event in Event.objects.exclude(action="login")
    ]
    assert trail == [
        (f"file.{action}", "curator", delta.name) for action in ("delete", "keep", "keep")
    ]

    assert (deleted["state"], deleted["ended"]) == ("done", 1)
    assert not path.exists()
    assert staff.get(f"/api/v1/files/{delta.name}/").json()["state"] == "deleted"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"files/{LISTED}/load/", 409, "download it first"),
        (f"files/{LISTED}/retry/", 409, "only failed files"),
        (f"files/{LISTED}/delete/", 409, "not loaded yet"),
        (f"files/{LOCAL.name}/download/", 409, "No register has listed"),
        ("files/FULINS_E_19990101_01of01.zip/load/", 404, "a sync lists new files"),
        ("files/99999999999999999999/load/", 404, "There is no file"),
        ("files/..%2F..%2Fetc%2Fpasswd/load/", 404, "No such path"),
        ("files/sync/", 400, "dataset"),
    ],
)
def test_what_cannot_be_done_says_why(
    staff: Client, esma: FakeRegister, path: str, status: int, message: str
) -> None:
    esma.publish(LISTED, b"PK", day=f"{DAY}")
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)
    register_files([LOCAL])

    response = staff.post(f"/api/v1/{path}", {}, content_type="application/json")

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert message in json.dumps(response.json())


def test_no_address_can_be_given_from_outside(staff: Client, esma: FakeRegister) -> None:
    esma.publish(LISTED, b"PK", day=f"{DAY}")
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)

    do(staff, f"files/{LISTED}/download/", {"url": "http://10.0.0.1/x", "name": "../x"})

    assert EsmaFile.objects.get().url == f"{esma.url}/files/{LISTED}"
    for method in (staff.put, staff.patch, staff.delete):
        assert method(f"/api/v1/files/{LISTED}/").status_code == 405
        assert method(f"/api/v1/files/{LISTED}/delete/").status_code == 405


def test_asking_twice_is_one_run(staff: Client) -> None:
    register_files([LOCAL])
    first = staff.post(f"/api/v1/files/{LOCAL.name}/load/").json()
    second = staff.post(f"/api/v1/files/{LOCAL.name}/load/").json()

    assert first["id"] == second["id"]
    run_load(first["id"])
    run_load(first["id"])  # delivered twice
    run = Run.objects.get()
    assert (run.state, run.read) == (Run.State.DONE, 5)


@pytest.mark.usefixtures("anonymous_reading")
def test_who_may_only_read_may_not_do(client: Client) -> None:
    register_files([LOCAL])
    User.objects.create_user("reader", password="x")

    for user, status in ((None, 401), ("reader", 403)):
        if user:
            client.force_login(User.objects.get(username=user))
        assert client.get("/api/v1/files/").status_code == 200
        for what in ("download", "load", "retry", "keep", "delete"):
            assert client.post(f"/api/v1/files/{LOCAL.name}/{what}/").status_code == status
        for path in ("files/sync/", "storage/retention/"):
            assert client.post(f"/api/v1/{path}").status_code == status
    assert not Run.objects.exists()


def test_storage_retention_and_gaps(staff: Client) -> None:
    files = [FIRDS / "DLTINS_20171027_01of01.zip", FIRDS / "DLTINS_20210117_01of01.zip", LOCAL]
    list(load(register_files(files[1:])))
    register_files(files[:1])

    storage = staff.get("/api/v1/storage/").json()
    assert storage["bytes"] == sum(path.stat().st_size for path in files)
    assert {share["kind"] for share in storage["shares"]} == {"DLTINS", "FULINS"}
    planned = {
        row["file"]: row for row in staff.get("/api/v1/storage/retention/").json()["results"]
    }
    assert planned["DLTINS_20210117_01of01.zip"]["verb"] == "delete"
    assert "not loaded yet" in planned["DLTINS_20171027_01of01.zip"]["reason"]
    [gap] = staff.get("/api/v1/files/gaps/").json()["results"]
    assert (gap["day"], gap["until"], gap["count"]) == ("2017-10-28", "2021-01-16", 1177)
    response = staff.post("/api/v1/storage/retention/")
    assert response.status_code == 202


def admin_action(client: Client, action: str, *files: EsmaFile) -> list[str]:
    data = {"action": action, "_selected_action": [file.pk for file in files]}
    response = client.post("/admin/esma_files/esmafile/", data)
    assert response.status_code == 302, response.content
    messages = [str(message) for message in get_messages(response.wsgi_request)]
    client.get("/admin/esma_files/esmafile/")  # shows them, once
    return messages


def test_the_admin_says_what_it_did_and_what_it_left_out(
    staff: Client, esma: FakeRegister, tmp_path: Path
) -> None:
    esma.publish(LISTED, b"PK", day=f"{DAY}")
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)
    listed = EsmaFile.objects.get()
    [local] = register_files([LOCAL])

    assert admin_action(staff, "load", listed, local) == [
        "1 file will be loaded.",
        queue.NO_WORKER,
        f"Skipped: {LISTED} is listed: download it first.",
    ]
    assert admin_action(staff, "download", local) == [
        f"Skipped: No register has listed {LOCAL.name}, so there is no address."
    ]
    assert admin_action(staff, "try_again", local) == [
        f"Skipped: {LOCAL.name} is downloaded; only failed files can be retried."
    ]
    assert admin_action(staff, "keep", local, listed) == ["2 files will be kept."]
    assert admin_action(staff, "stop_keeping", local) == ["1 file will no longer be kept."]
    [message] = admin_action(staff, "delete_bytes", local)
    assert "not loaded yet (downloaded)" in message
    assert Run.objects.filter(requested_by="curator").count() == 4
    page = staff.get("/admin/esma_files/esmafile/").content.decode()
    assert "1 file with" in page
