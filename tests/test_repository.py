"""Facts about the repository that nobody should have to remember."""

import re
import subprocess
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests.conftest import DATA

ROOT = Path(__file__).parent.parent
SETTINGS = "\n".join(path.read_text() for path in (ROOT / "marketdata" / "settings").glob("*.py"))
VARIABLES = sorted(set(re.findall(r'env\.read\(\s*"([A-Z_]+)"', SETTINGS)))


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split()]


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_setting_is_documented(variable: str) -> None:
    assert re.search(rf"^#? ?{variable}=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert f"`{variable}`" in (ROOT / "docs" / "settings.md").read_text()


def test_nothing_is_documented_that_is_no_setting() -> None:
    example = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(example) == VARIABLES


def test_no_module_is_over_its_length() -> None:
    modules = [path for path in tracked("*.py") if "migrations" not in path.parts]

    assert modules
    assert {p.name: n for p in modules if (n := len(p.read_text().splitlines())) > 450} == {}


def test_every_bundled_file_has_its_source_noted() -> None:
    note = (DATA / "README.md").read_text()

    for folder in DATA.iterdir():
        if folder.is_dir():
            assert f"`{folder.name}/`" in note


def test_the_static_files_can_be_collected_as_for_production(
    settings: LazySettings, tmp_path: Path
) -> None:
    manifest = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": manifest}
    settings.STATIC_ROOT = tmp_path / "collected"

    call_command("collectstatic", interactive=False, verbosity=0)

    assert list((tmp_path / "collected" / "css").glob("site.*.css"))


def test_by_default_everything_goes_by_https_and_nobody_reads_unknown(
    settings: LazySettings, client: Client
) -> None:
    assert settings.ANONYMOUS_READ is False
    assert settings.SESSION_COOKIE_SECURE is True
    settings.SECURE_SSL_REDIRECT = True  # the tests' default is the other way

    response = client.get("/api/v1/instruments/")

    assert response.status_code == 301
    assert response.headers["Location"].startswith("https://")


@pytest.mark.sqlite
@pytest.mark.django_db
def test_the_database_is_opened_as_the_settings_say() -> None:
    with connection.cursor() as cursor:
        found = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"synchronous": 1, "foreign_keys": 1, "busy_timeout": 60_000}
