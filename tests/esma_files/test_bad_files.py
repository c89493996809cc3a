"""Bad files: removed and replaced at any state; and the bytes of files, downloaded by those allowed."""

import hashlib
import io
from pathlib import Path

import pytest
import requests
from django.conf import LazySettings
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from esma_files import retention, sets
from esma_files.models import EsmaFile, Run
from esma_files.tasks import run_delete
from instruments import pipeline
from instruments.models import Listing
from tests.conftest import FIRDS
from tests.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "FULINS_C_20250830_01of01.zip"
SOURCE = FIRDS / NAME


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("curator", password="x"))
    return client


@pytest.fixture
def file() -> EsmaFile:
    [registered] = pipeline.register_files([SOURCE])
    return registered


def enter(file: EsmaFile, state: str) -> None:
    EsmaFile.objects.filter(pk=file.pk).update(state=state)


def run(*arguments: str | Path) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def remove(client: Client, file: EsmaFile) -> None:
    response = client.post(f"/api/v1/files/{file.pk}/remove/")
    assert response.status_code == 202, response.content
    run_delete(response.json()["id"])


class TestRemoval:
    @pytest.mark.parametrize("state", ["listed", "downloaded", "held", "failed", "loaded"])
    def test_file_in_any_idle_state_is_removed(
        self, staff: Client, file: EsmaFile, state: str
    ) -> None:
        path = Path(file.content.path)
        enter(file, state)

        remove(staff, file)

        file.refresh_from_db()
        assert (file.state, file.stored_name, file.size) == ("deleted", "", 0)
        assert not path.exists()
        assert Event.objects.filter(action="file.remove", object_id=NAME).exists()

    @pytest.mark.parametrize("state", ["downloading", "loading"])
    def test_busy_file_is_not_removed(self, staff: Client, file: EsmaFile, state: str) -> None:
        enter(file, state)

        assert staff.post(f"/api/v1/files/{file.pk}/remove/").status_code == 409
        with pytest.raises(retention.NotToBeDeleted, match="wait until that has ended"):
            retention.remove_file(file)
        assert Path(file.content.path).exists()

    def test_kept_file_is_not_removed(self, file: EsmaFile) -> None:
        EsmaFile.objects.update(kept=True)

        with pytest.raises(CommandError, match="remove the mark first"):
            run("files", "remove", NAME)
        assert Run.objects.get(kind="delete").state == "failed"

    def test_removed_file_is_not_loaded_and_its_records_stay(self, file: EsmaFile) -> None:
        [_] = pipeline.load([file])
        assert run("files", "remove", NAME) == f"{NAME}: removed\n"

        assert Listing.objects.count() == 5
        assert not EsmaFile.objects.waiting().exists()
        file.refresh_from_db()
        [result] = pipeline.load([file])
        assert result.run is None

    def test_admin_removes_selected_files(self, admin_client: Client, file: EsmaFile) -> None:
        enter(file, "failed")
        data = {"action": "remove", "_selected_action": [file.pk]}
        admin_client.post("/admin/esma_files/esmafile/", data)

        run_delete(Run.objects.get(kind="delete").pk)

        file.refresh_from_db()
        assert file.state == "deleted"

    def test_set_that_never_loaded_does_not_protect_itself(self, file: EsmaFile) -> None:
        """A newest full set that failed is not what the policy keeps in its place."""
        enter(file, "failed")
        file_set = retention.set_of(sets.SetKey.of(file))
        assert "not loaded yet (failed)" in retention.hindrance(file_set)


class TestReplacement:
    def test_other_bytes_become_the_newest_revision(self, file: EsmaFile, tmp_path: Path) -> None:
        enter(file, "failed")
        (tmp_path / NAME).write_bytes(SOURCE.read_bytes() + b" ")

        assert "replaced by revision 1" in run("files", "replace", NAME, tmp_path / NAME)

        newest, old = EsmaFile.objects.order_by("-revision")
        assert (old.state, old.stored_name) == ("deleted", "")
        assert (newest.state, newest.revision) == ("downloaded", 1)
        assert Event.objects.filter(action="file.replace").exists()

    def test_what_replaces_an_excerpt_is_an_excerpt(self, file: EsmaFile, tmp_path: Path) -> None:
        EsmaFile.objects.filter(pk=file.pk).update(is_excerpt=True)
        with pytest.raises(CommandError, match="the same bytes"):
            run("files", "replace", NAME, SOURCE)
        file.refresh_from_db()
        assert file.is_excerpt
        (tmp_path / NAME).write_bytes(SOURCE.read_bytes() + b" ")

        assert "revision 1, an excerpt;" in run("files", "replace", NAME, tmp_path / NAME)

        newest, _ = EsmaFile.objects.order_by("-revision")
        assert newest.is_excerpt

    def test_same_bytes_and_other_names_are_refused(self, file: EsmaFile, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="the same bytes"):
            run("files", "replace", NAME, SOURCE)
        other = FIRDS / "FULINS_E_20250830_01of01.zip"
        with pytest.raises(CommandError, match="its name differs"):
            run("files", "replace", NAME, other)
        file.refresh_from_db()
        assert file.state == "downloaded"


class TestDownloadOfBytes:
    def test_api_answers_with_the_bytes(self, staff: Client, file: EsmaFile) -> None:
        response = staff.get(f"/api/v1/files/{NAME}/content/")

        assert response.status_code == 200
        content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == file.md5
        assert response.headers["Content-Type"] == "application/zip"
        assert response.headers["Content-Disposition"].startswith("attachment; ")
        event = Event.objects.get(action="file.content")
        assert (event.actor, event.object_id) == ("curator", NAME)

    def test_it_is_refused_without_permission(self, client: Client, file: EsmaFile) -> None:
        path = f"/api/v1/files/{file.pk}/content/"
        assert client.get(path).status_code == 401
        client.force_login(User.objects.create_user("nobody", password="x"))
        assert client.get(path).status_code == 403
        assert not Event.objects.filter(action="file.content").exists()

    def test_file_without_bytes_is_a_conflict(self, staff: Client, file: EsmaFile) -> None:
        run("files", "remove", NAME)

        assert staff.get(f"/api/v1/files/{file.pk}/content/").status_code == 409

    def test_file_whose_bytes_are_lost_is_a_conflict(self, staff: Client, file: EsmaFile) -> None:
        storages["default"].delete(file.stored_name)

        response = staff.get(f"/api/v1/files/{file.pk}/content/")

        assert response.status_code == 409
        assert "is not in the storage" in response.json()["detail"]
        assert not Event.objects.filter(action="file.content").exists()

    def test_admin_links_to_the_bytes(self, admin_client: Client, file: EsmaFile) -> None:
        page = admin_client.get(f"/admin/esma_files/esmafile/{file.pk}/change/").content.decode()

        assert f'href="/api/v1/files/{file.pk}/content/"' in page

    def test_command_saves_the_bytes(self, file: EsmaFile, tmp_path: Path) -> None:
        run("files", "save", NAME, "--folder", tmp_path)

        [saved] = tmp_path.glob("FULINS_C_*.zip")
        assert saved.read_bytes() == SOURCE.read_bytes()
        with pytest.raises(CommandError, match="cannot be saved"):
            run("files", "save", NAME, "--folder", tmp_path)

    def test_blob_is_read_by_a_link_that_expires(
        self, azurite: str, settings: LazySettings, staff: Client
    ) -> None:
        backend = {
            "BACKEND": "esma_files.storage.blob.BlobStorage",
            "OPTIONS": {"connection_string": azurite},
        }
        settings.STORAGES = {**settings.STORAGES, "default": backend, "blob": backend}
        settings.FILES_LOCATION = "blob"
        [file] = pipeline.register_files([SOURCE])

        response = staff.get(f"/api/v1/files/{file.pk}/content/")

        assert response.status_code == 302
        link = response.headers["Location"]
        answer = requests.get(link, timeout=10)
        assert answer.content == SOURCE.read_bytes()
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        without_signature = link.partition("?")[0]
        assert requests.get(without_signature, timeout=10).status_code in (403, 404)
        expired = storages["blob"].link(file.stored_name, filename=NAME, seconds=-1)  # type: ignore[attr-defined]
        assert requests.get(expired, timeout=10).status_code == 403
        storages["blob"].delete(file.stored_name)
        lost = staff.get(f"/api/v1/files/{file.pk}/content/")
        assert lost.status_code == 409

    def test_storage_that_does_not_respond_is_answered_as_unavailable(
        self, settings: LazySettings, staff: Client, file: EsmaFile
    ) -> None:
        address = f"http://127.0.0.1:{free_port()}/devstoreaccount1"
        connection_string = f"AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint={address};"
        backend = {
            "BACKEND": "esma_files.storage.blob.BlobStorage",
            "OPTIONS": {"connection_string": connection_string},
        }
        settings.STORAGES = {**settings.STORAGES, "blob": backend}
        EsmaFile.objects.filter(pk=file.pk).update(location="blob")

        response = staff.get(f"/api/v1/files/{file.pk}/content/")

        assert response.status_code == 503
        assert response.headers["Retry-After"] == "30"
        assert address not in response.json()["detail"]
