"""A bad file in every state in which one may be: removed, replaced and downloaded in every way.

A file that cannot be read, one that the load gate holds, one that was never loaded, and one in the hands of a
worker that has ended.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from esma_files import retention
from esma_files.models import EsmaFile, Run
from esma_files.tasks import run_delete
from instruments import pipeline
from tests.conftest import FIRDS

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "FULINS_C_20250830_01of01.zip"
SOURCE = FIRDS / NAME
STATES = ("failed", "held", "never loaded", "in a dead worker")
DEAD_PROCESS = "{}/1/0"  # process 1 runs, but began at another time


def bring_into(state: str, settings: LazySettings) -> EsmaFile:
    """Register the file, and bring it into a state as its steps do."""
    if state == "failed":
        path = Path(settings.DOWNLOAD_DIR) / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PK not an archive")
        [file] = pipeline.register_files([path])
        [_] = pipeline.load([file])
    else:
        [file] = pipeline.register_files([SOURCE])
    if state == "held":
        EsmaFile.objects.update(state=EsmaFile.State.HELD)
    if state == "in a dead worker":
        claim = {"from_state": EsmaFile.State.DOWNLOADED, "to_state": EsmaFile.State.LOADING}
        claimed = EsmaFile.objects.claim(file.pk, **claim)
        assert claimed is not None
        host = claimed.claimed_by.partition("/")[0]
        EsmaFile.objects.update(claimed_by=DEAD_PROCESS.format(host))
    file.refresh_from_db()
    expected = {"never loaded": "downloaded", "in a dead worker": "loading"}
    assert file.state == expected.get(state, state)
    return file


@pytest.fixture
def curator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("carla", password="x"))
    return client


def do_the_run() -> None:
    run_delete(Run.objects.get(kind="delete").pk)


def remove_by_page(client: Client, file: EsmaFile) -> None:
    assert "Delete the stored copy" in client.get(f"/files/{file.pk}/").content.decode()
    client.post(f"/files/{file.pk}/remove/")
    do_the_run()


def remove_by_api(client: Client, file: EsmaFile) -> None:
    assert client.post(f"/api/v1/files/{file.pk}/remove/").status_code == 202
    do_the_run()


def remove_by_admin(client: Client, file: EsmaFile) -> None:
    data = {"action": "remove", "_selected_action": [file.pk]}
    client.post("/admin/esma_files/esmafile/", data)
    do_the_run()


def remove_by_command(client: Client, file: EsmaFile) -> None:
    call_command("files", "remove", NAME, stdout=io.StringIO())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "remove", [remove_by_page, remove_by_api, remove_by_admin, remove_by_command]
)
def test_it_is_removed(
    curator: Client,
    settings: LazySettings,
    state: str,
    remove: Callable[[Client, EsmaFile], None],
) -> None:
    file = bring_into(state, settings)
    path = Path(file.content.path)

    remove(curator, file)

    file.refresh_from_db()
    assert (file.state, file.stored_name, file.problem) == ("deleted", "", "")
    assert not path.exists()
    assert not EsmaFile.objects.waiting().exists()


@pytest.mark.parametrize("state", STATES)
def test_other_bytes_that_are_uploaded_replace_it(
    curator: Client, settings: LazySettings, state: str
) -> None:
    bad = bring_into(state, settings)
    content = SOURCE.read_bytes() + b" "

    response = curator.post("/files/upload/", {"file": SimpleUploadedFile(NAME, content)})

    newest = EsmaFile.objects.get(revision=1)
    assert response.headers["Location"] == f"/files/{newest.pk}/"
    assert Run.objects.get(kind="load", state="queued").file == newest
    bad.refresh_from_db()
    if (
        state == "never loaded"
    ):  # nothing is known to be wrong with it: it is loaded as an older revision
        assert bad.state == "downloaded"
    else:
        assert (bad.state, bad.stored_name) == ("deleted", "")
        assert Event.objects.get(action="file.replace").object_id == NAME
    [result] = pipeline.load([newest])
    assert result.error is None
    newest.refresh_from_db()
    assert newest.state == "loaded"
    assert EsmaFile.objects.waiting().exists() == (state == "never loaded")


@pytest.mark.parametrize("state", STATES)
def test_other_bytes_by_command_replace_it(
    settings: LazySettings, tmp_path: Path, state: str
) -> None:
    bad = bring_into(state, settings)
    (tmp_path / NAME).write_bytes(SOURCE.read_bytes() + b" ")

    call_command("files", "replace", NAME, str(tmp_path / NAME), stdout=io.StringIO())

    bad.refresh_from_db()
    newest = EsmaFile.objects.get(revision=1)
    assert (bad.state, newest.state) == ("deleted", "downloaded")


@pytest.mark.parametrize("state", STATES)
def test_its_bytes_are_downloaded(
    curator: Client, settings: LazySettings, tmp_path: Path, state: str
) -> None:
    file = bring_into(state, settings)
    address = f"/api/v1/files/{file.pk}/content/"

    pages = [f"/files/{file.pk}/", f"/admin/esma_files/esmafile/{file.pk}/change/"]
    for page in pages:
        assert f'href="{address}"' in curator.get(page).content.decode()
    by_api = b"".join(curator.get(address).streaming_content)  # type: ignore[attr-defined]
    call_command("files", "save", NAME, "--folder", str(tmp_path), stdout=io.StringIO())
    [saved] = tmp_path.glob("FULINS_C_*.zip")

    for content in (by_api, saved.read_bytes()):
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == file.md5


def test_a_file_of_which_a_part_is_loaded_keeps_its_bytes(
    curator: Client, settings: LazySettings
) -> None:
    """They say which records are to be taken out of the tables again."""
    file = bring_into("in a dead worker", settings)
    EsmaFile.objects.update(is_partly_merged=True)

    response = curator.post(f"/api/v1/files/{file.pk}/remove/")

    assert response.status_code == 409
    assert "a part of its records is in the tables" in response.json()["detail"]
    with pytest.raises(retention.NotToBeDeleted, match="a part of its records"):
        retention.remove_file(file)
    file.refresh_from_db()
    assert file.is_partly_merged
    assert Path(file.content.path).exists()


def test_the_page_has_no_link_to_the_bytes_for_those_who_may_not_have_them(
    client: Client, anonymous_reading: None, settings: LazySettings
) -> None:
    file = bring_into("never loaded", settings)

    page = client.get(f"/files/{file.pk}/")

    assert page.status_code == 200
    assert "/content/" not in page.content.decode()
