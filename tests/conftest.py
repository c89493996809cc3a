"""Fixtures for all tests: real files, servers, and folders and a database that no other run uses."""

import os
import sqlite3
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
import stamina
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.core.cache import caches
from django.db import connection
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from instruments import pipeline
from marketdata.web import slots
from tests import register, servers, tsql
from tests.gleif import FakeGleif
from tests.openfigi import FakeOpenFigi
from tests.properties import register_profiles
from tests.snapshots import Snapshots, restored_after_tests

# A hash that costs nothing: the real one takes a tenth of a second of both cores for each password.
QUICK_HASHER = "django.contrib.auth.hashers.MD5PasswordHasher"
REAL_HASHERS = list(django_settings.PASSWORD_HASHERS)

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
FIRDS = DATA / "firds"


register_profiles()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give this process a test database of its own, so that several runs never share one."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        database["TEST"]["NAME"] = tmp_path_factory.mktemp("database") / "test.sqlite3"
    else:
        database["TEST"]["NAME"] = f"test_{database['NAME']}_{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path | None]:
    """Create the test database. Yield a copy of it as `migrate` leaves it.

    Yield None on SQL Server, and where no collected test needs a database, for then pytest-django
    creates none. On SQL Server, set it up as docs/database.md describes: readers do not wait.
    """
    copy = None
    with django_db_blocker.unblock():
        if connection.vendor == "microsoft":
            with connection.cursor() as cursor:
                cursor.execute(
                    "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE"
                )
                cursor.execute("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON")
        elif "django_migrations" in connection.introspection.table_names():
            copy = tmp_path_factory.mktemp("migrated") / "marketdata.sqlite3"
            with closing(sqlite3.connect(copy)) as target:
                connection.connection.backup(target)
                target.execute("PRAGMA journal_mode=WAL")
    with restored_after_tests(copy) if copy else nullcontext():
        yield copy


@pytest.fixture(scope="session")
def migrated(django_db_setup: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite database as `migrate` leaves it. Copy it; starting `migrate` takes seconds."""
    if django_db_setup:
        return django_db_setup
    database = tmp_path_factory.mktemp("migrated") / "marketdata.sqlite3"
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_TYPE": "sqlite", "SQLITE_DB_PATH": str(database)},
        check=True,
    )
    return database


@pytest.fixture(autouse=True)
def on_the_right_database(request: pytest.FixtureRequest) -> None:
    """Skip tests about SQLite itself on other databases."""
    if connection.vendor != "sqlite" and request.node.get_closest_marker("sqlite"):
        pytest.skip("about SQLite itself")


@pytest.fixture(autouse=True)
def own_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no stream that an earlier test left open take a place of a client of this one."""
    monkeypatch.setattr(slots, "_slots", slots._Slots())


@pytest.fixture(autouse=True)
def own_answers() -> None:
    """Let no answer that an earlier test was given be found by this one."""
    caches["answers"].clear()


@pytest.fixture(autouse=True)
def own_folders(settings: LazySettings, tmp_path: Path) -> None:
    """Give each test folders of its own, and serve pages over plain HTTP."""
    settings.SECURE_SSL_REDIRECT = False
    settings.RATELIMIT_ENABLE = False  # tests/accounts/test_limits.py counts
    settings.PASSWORD_HASHERS = [QUICK_HASHER, *REAL_HASHERS]  # see `real_password_hashes`
    # A page of a busy machine has all of its parts, too.
    settings.COUNT_TIMEOUT_SECONDS = settings.FACETS_TIMEOUT_SECONDS = 20
    settings.FIRST_ANSWER_MILLISECONDS = 20_000
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STAGING_DIR = tmp_path / "staging"
    settings.DOWNLOAD_DIR = tmp_path / "downloads"
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    # Without collecting: tests/test_repository.py collects once, with the real storage.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def real_password_hashes(settings: LazySettings, own_folders: None) -> None:
    """Hash passwords as in production."""
    settings.PASSWORD_HASHERS = REAL_HASHERS


@pytest.fixture(scope="session")
def sql_server() -> Iterator[list[str]]:
    """Collect the queries of the tests that SQL Server would refuse."""
    with tsql.compiled_too() as refused:
        yield refused


@pytest.fixture(autouse=True)
def portable(sql_server: list[str]) -> Iterator[None]:
    """Fail a test that makes a query which SQL Server would refuse."""
    sql_server.clear()
    yield
    assert sql_server == []


@pytest.fixture
def xml_of() -> Callable[[str], bytes]:
    """Return a function that reads the XML of a bundled zip, by the zip's name."""

    def read(name: str) -> bytes:
        with zipfile.ZipFile(next(DATA.rglob(name))) as archive:
            return archive.read(archive.namelist()[0])

    return read


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes XML into a zip with one of ESMA's file names."""

    def write(name: str, xml: bytes, *, folder: str = "made", entry: str = "") -> Path:
        path = tmp_path / folder / f"{name}.zip"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            # A fixed date: two zips of the same records are equal, whenever they are made.
            made = zipfile.ZipInfo(entry or f"{name}.xml", (2025, 8, 30, 0, 0, 0))
            archive.writestr(made, xml, zipfile.ZIP_DEFLATED)
        return path

    return write


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of an empty database with all tables, for installations to copy."""
    from tests.installation import Installation  # which imports this module

    folder = tmp_path_factory.mktemp("migrated")
    installation = Installation(folder)
    installation.run("migrate")
    return installation.database


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an emulator of Blob Storage; yields its connection string."""
    with servers.azurite(tmp_path_factory.mktemp("azurite")) as connection_string:
        yield connection_string


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """Start a Redis server; yields its address."""
    with servers.redis() as address:
        yield address


@pytest.fixture
def anonymous_reading(settings: LazySettings) -> None:
    settings.ANONYMOUS_READ = True


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Snapshots:
    """Return the filled databases of this process: see tests/snapshots.py."""
    return Snapshots(tmp_path_factory.mktemp("snapshots"))


@pytest.fixture
def real_instruments(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    """Load the full files of 2025 and the excerpt of the delta of 2021: 589 records."""
    snapshots.provide("real-instruments", _load_real_instruments)


def _load_real_instruments() -> None:
    paths = [*sorted(FIRDS.glob("FULINS_*.zip")), FIRDS / "DLTINS_20210117_01of01.zip"]
    for loaded in pipeline.load(pipeline.register_files(paths)):
        assert loaded.error is None


@pytest.fixture
def demo(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    """Load the made-up files of the demo (`tests/demo_files.py`)."""
    snapshots.provide("demo", _load_demo)


def _load_demo() -> None:
    for folder, dataset in (("eu", ""), ("uk", "fca_firds")):
        files = pipeline.register_files([DATA / "demo" / folder], dataset=dataset, excerpt=True)
        for loaded in pipeline.load(files):
            assert loaded.error is None


@pytest.fixture
def openfigi(settings: LazySettings) -> Iterator[FakeOpenFigi]:
    """OpenFIGI on loopback, to which the settings point; retries follow at once."""
    stamina.set_testing(True, attempts=3)
    with register.serving(FakeOpenFigi()) as running:
        settings.OPENFIGI_URL = running.url
        settings.OPENFIGI_API_KEY = ""
        settings.HTTP_TIMEOUT_SECONDS = 2
        yield running
    stamina.set_testing(False)


@pytest.fixture
def gleif_api(settings: LazySettings) -> Iterator[FakeGleif]:
    """GLEIF's API on loopback, to which the settings point; retries follow at once."""
    stamina.set_testing(True, attempts=3)
    with register.serving(FakeGleif()) as running:
        settings.GLEIF_URL = running.url
        settings.HTTP_TIMEOUT_SECONDS = 2
        yield running
    stamina.set_testing(False)


@pytest.fixture
def server(
    transactional_db: None, own_folders: None, anonymous_reading: None
) -> Iterator[LiveServer]:
    """A server with the settings of this test; the fixture `live_server` keeps those of the first test."""
    started = LiveServer("127.0.0.1")
    started._live_server_modified_settings.enable()
    yield started
    started._live_server_modified_settings.disable()
    started.stop()
