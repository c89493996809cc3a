"""Facts about the repository: documents, settings, versions and files agree with each other."""

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from instruments.listings.fields import COMMODITY_LEVELS, FIELDS
from marketdata import __version__
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


def make(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run make with further variables of the shell, and without what `make test` adds to these."""
    names = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_takes_its_address_from_the_command_line_alone() -> None:
    """HOST in a shell is the address of the API, for the recipes of docs/api.md."""
    shell = {"HOST": "https://marketdata.example.org", "PORT": "80"}

    commands = make("--dry-run", "demo", "PORT=8080", **shell)

    assert commands.returncode == 0
    assert "--bind 127.0.0.1:8080" in commands.stdout


def test_the_demo_does_not_start_a_worker_where_its_port_is_in_use() -> None:
    packages = f"BIN={Path(sys.executable).parent}"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = make("--old-file=demo-data", "demo", f"PORT={port}", packages)

    assert ended.returncode == 2
    assert ended.stdout == f"127.0.0.1:{port} is in use. Choose another port: make demo PORT=8080\n"


def test_the_example_has_the_defaults(tmp_path: Path) -> None:
    """All lines that are commented out are used at once, without changing any setting."""
    given = re.findall(r"^#? ?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    example = tmp_path / "example"
    example.write_text(
        "".join(
            f"{name}={value}\n" for name, value in given if name not in ("SECRET_KEY", "ENV_FILE")
        )
    )

    assert read_settings(example) == read_settings(Path(os.devnull))


def read_settings(variables: Path) -> dict[str, str]:
    """Return the settings of a process that reads its variables from a file, without those of this one."""
    kept = {"PATH", "HOME"} & os.environ.keys()
    environment = {name: os.environ[name] for name in kept} | {
        "ENV_FILE": str(variables),
        "SECRET_KEY": "a key of this test, which has more than fifty characters",
        "DJANGO_SETTINGS_MODULE": "marketdata.settings",
    }
    code = (
        "import json; from django.conf import settings as s;"
        "print(json.dumps({name: repr(getattr(s, name)) for name in dir(s) if name.isupper()}))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    settings: dict[str, str] = json.loads(re.sub(" at 0x[0-9a-f]+", "", output))
    return settings


def test_no_module_is_over_its_length() -> None:
    modules = [path for path in tracked("*.py") if "migrations" not in path.parts]

    assert modules
    assert {p.name: n for p in modules if (n := len(p.read_text().splitlines())) > 450} == {}


def test_nothing_is_kept_that_was_left_behind() -> None:
    """Logs, databases and folders of a trial are not part of the project."""
    names = [path.relative_to(ROOT) for path in tracked("*")]
    folders = {name.parts[0] for name in names if len(name.parts) > 1}
    applications = {path.parent.name for path in ROOT.glob("*/apps.py")}

    assert folders - applications == {
        *(".ci", ".github", "deploy", "docs", "marketdata", "static", "templates", "tests"),
    }
    assert not {name.suffix for name in names} & {".log", ".sqlite3", ".orig", ".rej", ".pyc"}


def test_every_bundled_file_has_its_source_noted() -> None:
    note = (DATA / "README.md").read_text()

    for folder in DATA.iterdir():
        if folder.is_dir():
            assert f"`{folder.name}/`" in note


@pytest.mark.slow
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
def test_the_database_is_opened_with_the_configured_pragmas() -> None:
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"synchronous": 1, "foreign_keys": 1, "busy_timeout": 60_000}


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == __version__
    assert f"\n## {__version__} - " in (ROOT / "CHANGELOG.md").read_text()
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text()
    assert f"placeholder: {__version__}\n" in form


def test_every_decision_is_in_the_index_under_its_title() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    numbers = [record.name[:4] for record in records]

    assert numbers
    assert len(numbers) == len(set(numbers)), "a number is used twice"
    for record in records:
        number, title = record.read_text().split("\n", 1)[0].removeprefix("# ").split(". ", 1)
        assert number == record.name[:4].lstrip("0")
        assert f"| {number} | [{title}]({record.name}) |" in index


def test_the_glossary_has_every_field_of_a_listing() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    columns = [field.column for field in FIELDS]
    columns += [*COMMODITY_LEVELS, "commodity_product", "underlying_basket"]

    assert [column for column in columns if f"`{column}`" not in glossary] == []


@pytest.mark.parametrize("path", tracked("*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())

    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", tracked("*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_sections_lead_to_headings(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", path.read_text())

    local = [
        (path.parent / name if name else path, anchor) for name, anchor in links if ":" not in name
    ]
    assert [
        f"{target.name}#{anchor}" for target, anchor in local if anchor not in anchors(target)
    ] == []


def anchors(document: Path) -> list[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    texts = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts]


@pytest.mark.parametrize(
    "path", [*tracked("*.yml"), *tracked("*.yaml")], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_yaml_file_can_be_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())
