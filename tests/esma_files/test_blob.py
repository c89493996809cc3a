"""Files in Blob Storage: kept, loaded from there, moved there, moved between tiers. On Azurite."""

import datetime as dt
import io
import os
import uuid
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError
from django.conf import LazySettings
from django.core.files import File
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from esma_files import errors, moving, retention
from esma_files.models import EsmaFile
from esma_files.storage.blob import BlobStorage, InArchive, StorageUnavailable
from instruments import pipeline
from instruments.models import Listing
from tests.conftest import FIRDS

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = FIRDS / "FULINS_C_20250830_01of01.zip"
OTHER = FIRDS / "FULINS_E_20250830_01of01.zip"


@pytest.fixture
def blob(azurite: str, settings: LazySettings) -> BlobStorage:
    """New files go to an account whose containers are this test's own."""
    options = {"connection_string": azurite}
    backend = {"BACKEND": "esma_files.storage.blob.BlobStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend, "blob": backend}
    settings.FILES_LOCATION = "blob"
    storage = storages["blob"]
    assert isinstance(storage, BlobStorage)
    for container in ("firds", "fitrs"):
        for name in list(storage.names(container)):
            storage.delete(name)
    return storage


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_a_file_is_kept_in_its_container_and_loaded_from_there(
    blob: BlobStorage, settings: LazySettings, tmp_path: Path
) -> None:
    [loaded] = pipeline.load(pipeline.register_files([SMALL]))

    assert loaded.error is None
    assert Listing.objects.count() == 5
    file = EsmaFile.objects.get()
    assert (file.location, file.tier) == ("blob", "hot")
    assert list(blob.names("firds")) == [file.stored_name]
    assert file.stored_name == f"firds/2025/FULINS_C_20250830_01of01.{file.md5[:8]}.zip"
    client = blob.container("firds").client.get_blob_client(file.stored_name.removeprefix("firds/"))
    assert client.download_blob().readall() == SMALL.read_bytes()
    # no copy stays on this machine
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == []
    assert not any(os.scandir(settings.DOWNLOAD_DIR))


def test_storing_the_same_bytes_once_more_changes_nothing(blob: BlobStorage) -> None:
    for _ in range(2):
        pipeline.register_files([SMALL])

    assert len(list(blob.names("firds"))) == 1
    assert EsmaFile.objects.count() == 1


def test_a_lost_blob_is_a_typed_error_and_taking_it_in_again_mends_it(blob: BlobStorage) -> None:
    [file] = pipeline.register_files([SMALL])
    blob.delete(file.stored_name)

    [result] = pipeline.load([file])
    assert isinstance(result.error, errors.LostFile)

    [mended] = pipeline.load(pipeline.register_files([SMALL]))
    assert mended.error is None


def test_an_account_that_does_not_answer_is_tried_again_later(settings: LazySettings) -> None:
    [file] = pipeline.register_files([SMALL])
    nowhere = "http://127.0.0.1:1/devstoreaccount1"
    options = {
        "connection_string": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        f"AccountKey=AAAA;BlobEndpoint={nowhere};"
    }
    backend = {"BACKEND": "esma_files.storage.blob.BlobStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "blob": backend}
    storage = storages["blob"]
    assert isinstance(storage, BlobStorage)
    storage.container("firds").client._config.retry_policy.total_retries = 0
    EsmaFile.objects.update(location="blob")

    [result] = pipeline.load(EsmaFile.objects.all())

    assert isinstance(result.error, StorageUnavailable)
    file.refresh_from_db()
    assert (file.state, file.attempts) == ("downloaded", 1)


def test_move_files_uploads_verifies_and_keeps_the_originals_until_told(
    settings: LazySettings, azurite: str
) -> None:
    local_only = dict(settings.STORAGES)
    files = pipeline.register_files([SMALL, OTHER])
    originals = [Path(settings.MEDIA_ROOT) / file.stored_name for file in files]
    with pytest.raises(CommandError, match="set AZURE_STORAGE_ACCOUNT"):
        run("move_files", "--to", "blob")
    options = {"connection_string": azurite}
    backend = {"BACKEND": "esma_files.storage.blob.BlobStorage", "OPTIONS": options}
    settings.STORAGES = {**local_only, "blob": backend}

    output = run("move_files", "--to", "blob")

    assert "2 files" in output
    assert "Originals kept: 2" in output
    assert all(path.exists() for path in originals)
    for file in EsmaFile.objects.all():
        assert file.location == "blob"
        with file.open() as content:
            assert content.read() in (SMALL.read_bytes(), OTHER.read_bytes())
    assert "0 files" in run("move_files", "--to", "blob")
    run("move_files", "--to", "blob", "--delete-verified")
    assert not any(path.exists() for path in originals)
    assert all(loaded.error is None for loaded in pipeline.load(EsmaFile.objects.all()))
    # and back again
    run("move_files", "--to", "local", "--delete-verified")
    assert all(path.exists() for path in originals)


def test_a_move_that_is_stopped_goes_on_and_a_bad_copy_is_not_trusted(
    blob: BlobStorage, settings: LazySettings
) -> None:
    settings.FILES_LOCATION = "local"
    files = pipeline.register_files([SMALL, OTHER])
    going = moving.move(moving.files_to_move("blob"), to="blob")
    next(going)
    going.close()  # type: ignore[attr-defined]
    [left] = moving.files_to_move("blob")
    # the bytes of the other one have changed on disk since their MD5 was taken
    (Path(settings.MEDIA_ROOT) / left.stored_name).write_bytes(b"PK damaged")

    [bad] = moving.move(moving.files_to_move("blob"), to="blob")

    assert isinstance(bad.error, errors.WrongBytes)
    left.refresh_from_db()
    assert left.location == "local"
    # an original is not deleted either while its copy is not right
    moved = EsmaFile.objects.get(location="blob")
    blob.save(moved.stored_name, io.BytesIO(b"PK damaged"))
    [kept] = moving.delete_originals(moving.files_with_originals("blob"))
    assert isinstance(kept.error, errors.WrongBytes)
    assert (Path(settings.MEDIA_ROOT) / moved.original).exists()
    assert len(files) == 2


def test_tiers_follow_the_age_and_an_archived_file_says_so(blob: BlobStorage) -> None:
    files = pipeline.register_files([SMALL, OTHER])
    assert all(loaded.error is None for loaded in pipeline.load(files))
    newest, old = files
    retention.set_tier(old, EsmaFile.Tier.ARCHIVE)

    assert blob.tier(old.stored_name) == "archive"
    old.refresh_from_db()
    assert (old.state, old.tier) == ("archived", "archive")
    with pytest.raises(InArchive, match="in the Archive tier"):
        old.open()
    # the same bytes can be stored once more: then they are at hand
    with OTHER.open("rb") as source:
        blob.save(old.stored_name, File(source))
    assert blob.tier(old.stored_name) == "hot"
    retention.set_tier(newest, EsmaFile.Tier.COOL)
    assert blob.tier(newest.stored_name) == "cool"
    with newest.open() as content:
        assert content.read(2) == b"PK"


def test_to_load_an_archived_file_brings_it_back(blob: BlobStorage) -> None:
    [loaded] = pipeline.load(pipeline.register_files([SMALL]))
    retention.set_tier(loaded.file, EsmaFile.Tier.ARCHIVE)

    [again] = pipeline.load(EsmaFile.objects.all())

    assert again.error is None
    file = EsmaFile.objects.get()
    assert (file.state, file.tier, blob.tier(file.stored_name)) == ("loaded", "hot", "hot")


def test_what_takes_hours_to_come_back_is_waited_for(
    blob: BlobStorage, settings: LazySettings
) -> None:
    """In Azure a blob that was archived cannot be read for hours after its tier has been set."""
    settings.MAX_ATTEMPTS = 2
    [file] = pipeline.register_files([SMALL])
    blob.set_tier(file.stored_name, "archive")

    for _ in range(3):
        [result] = pipeline.load(EsmaFile.objects.all())
        assert isinstance(result.error, InArchive)

    file.refresh_from_db()
    assert (file.state, file.attempts) == ("downloaded", 0)
    assert file.not_before is not None
    assert file.not_before > timezone.now() + dt.timedelta(minutes=55)


def test_without_a_key_the_account_is_used_as_the_identity_of_the_machine() -> None:
    container = BlobStorage(account="nowhere").container("firds")

    assert type(container.token_credential).__name__ == "DefaultAzureCredential"
    assert container.client.url == "https://nowhere.blob.core.windows.net/firds"


def test_names_of_a_container_that_is_not_there(blob: BlobStorage) -> None:
    assert list(blob.names(f"none-{uuid.uuid4()}")) == []
    for act in (blob.size, blob.tier):
        with pytest.raises(FileNotFoundError):
            act("firds/2025/nothing.zip")
    assert blob.exists("firds/2025/nothing.zip") is False
    blob.delete("firds/2025/nothing.zip")
    with pytest.raises(ResourceNotFoundError):
        blob.container("firds").client.get_blob_client("nothing").download_blob()
