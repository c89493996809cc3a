"""Forms with files that are larger than their page takes."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db
TOO_LARGE = 2_000_000


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    """Return the folder of temporary files; every file is stored there."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(uploads)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    return uploads


def large_file() -> SimpleUploadedFile:
    return SimpleUploadedFile("FULINS_E_20260101_01of01.zip", b"x" * TOO_LARGE)


@pytest.mark.parametrize(
    "path", ["/", "/sign-in/", "/check/", "/check/files/", "/files/upload/", "/admin/login/"]
)
def test_a_large_file_is_refused_before_it_is_stored(folder: Path, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/sign-in/")  # for the cookie that lets the form be parsed

    response = client.post(path, {"csrfmiddlewaretoken": "x" * 64, "file": large_file()})

    assert response.status_code == 413
    assert b"at most 1,000,000 bytes are accepted." in response.content
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("role", "status"), [("viewer", 413), ("curator", 400)])
def test_the_page_for_uploads_takes_it_from_users_who_may_load(
    folder: Path, role: str, status: int
) -> None:
    user = User.objects.create_user(role)
    user.groups.add(Group.objects.get(name=role))
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.get("/")
    token = client.cookies[django_settings.CSRF_COOKIE_NAME].value

    form = {"csrfmiddlewaretoken": token, "file": large_file(), "dataset": "esma_fitrs"}
    response = client.post("/files/upload/", form)

    assert response.status_code == status
    assert (b"FULINS" in response.content) == (status == 400)  # the name is of another dataset
    assert list(folder.iterdir()) == []
