"""The page on which curators upload a published file."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from audit.models import Event
from esma_files import upload_page
from esma_files.models import EsmaFile, Run
from instruments import pipeline
from tests.conftest import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]
FIRDS = ROOT / "tests" / "data" / "firds"


def sign_in(client: Client, role: str) -> None:
    user = User.objects.create_user(role)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)


def pick_file() -> Path:
    return min(FIRDS.glob("FULINS_*.zip"), key=lambda path: path.stat().st_size)


def test_a_curator_uploads_a_file_that_is_stored_and_queued(client: Client) -> None:
    sign_in(client, "curator")
    path = pick_file()
    upload = SimpleUploadedFile(path.name, path.read_bytes())

    response = client.post("/files/upload/", {"file": upload})

    file = EsmaFile.objects.get()
    assert response["Location"] == f"/files/{file.pk}/"
    assert (file.name, file.state, file.size) == (path.name, "downloaded", path.stat().st_size)
    with file.open() as stored:
        assert stored.read() == path.read_bytes()
    assert Run.objects.get().file == file
    assert Event.objects.filter(action="file.upload").count() == 1


def test_what_is_no_published_file_is_refused_with_the_reason(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, "curator")
    path = pick_file()

    nameless = client.post("/files/upload/", {"file": SimpleUploadedFile("a.zip", b"x")})
    other = client.post(
        "/files/upload/",
        {"file": SimpleUploadedFile(path.name, b"x"), "dataset": "esma_fitrs"},
    )
    monkeypatch.setattr(upload_page, "MAX_BYTES", 0)
    large = client.post("/files/upload/", {"file": SimpleUploadedFile(path.name, b"x")})

    assert [response.status_code for response in (nameless, other, large)] == [400, 400, 400]
    assert "not a published file" in nameless.content.decode()
    assert "esma_fitrs has no files of the kind FULINS" in other.content.decode()
    assert "The command load takes files of any size" in large.content.decode()
    assert not EsmaFile.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("is_excerpt", "advice"),
    [(True, "Tick Excerpt, and choose"), (False, "Leave Excerpt empty, and choose")],
)
def test_a_file_that_was_loaded_as_the_other_is_refused_with_what_to_tick(
    client: Client, *, is_excerpt: bool, advice: str
) -> None:
    sign_in(client, "curator")
    path = pick_file()
    for loaded in pipeline.load(pipeline.register_files([path], excerpt=is_excerpt)):
        assert loaded.error is None

    def upload(*, excerpt: bool) -> Any:
        file = SimpleUploadedFile(path.name, path.read_bytes())
        return client.post(
            "/files/upload/", {"file": file, **({"excerpt": "on"} if excerpt else {})}
        )

    refused = upload(excerpt=not is_excerpt)
    assert refused.status_code == 400
    assert advice in refused.content.decode()
    assert "--excerpt" not in refused.content.decode()
    accepted = upload(excerpt=is_excerpt)
    assert accepted.status_code == 302
    facts = client.get(accepted["Location"]).content.decode().partition("<dt>Excerpt")[2]
    assert facts.partition("<dd")[2].partition(">")[2].startswith("yes" if is_excerpt else "no")
    [file] = client.get("/api/v1/files/").json()["results"]
    assert file["is_excerpt"] is is_excerpt


def test_others_may_not_upload(client: Client) -> None:
    sign_in(client, "analyst")

    assert client.get("/files/upload/").status_code == 403
    assert "Upload</a>" not in client.get("/files/").content.decode()
