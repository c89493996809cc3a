"""What the tests share: real files, and a place for what a test stores."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from pytest_django import DjangoDbBlocker

from instruments import pipeline
from tests import servers, tsql

DATA = Path(__file__).parent / "data"
FIRDS = DATA / "firds"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """On SQL Server the database of the tests is as docs/database.md says: readers do not wait."""
    with django_db_blocker.unblock():
        if connection.vendor == "microsoft":
            with connection.cursor() as cursor:
                cursor.execute(
                    "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE"
                )


@pytest.fixture(autouse=True)
def on_the_right_database(request: pytest.FixtureRequest) -> None:
    """`make test-mssql` leaves out what is marked: questions about SQLite itself."""
    if connection.vendor != "sqlite" and request.node.get_closest_marker("sqlite"):
        pytest.skip("about SQLite itself")


@pytest.fixture(autouse=True)
def own_folders(settings: LazySettings, tmp_path: Path) -> None:
    """Nothing that a test stores or stages is seen by another one; pages are asked for by http."""
    settings.SECURE_SSL_REDIRECT = False
    settings.RATELIMIT_ENABLE = False  # tests/accounts/test_limits.py counts
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STAGING_DIR = tmp_path / "staging"
    settings.DOWNLOAD_DIR = tmp_path / "downloads"
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    # Without collecting: tests/test_repository.py collects once, with the real storage.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture(scope="session")
def sql_server() -> Iterator[list[str]]:
    """What SQL Server would not take of all the queries that the tests make on SQLite."""
    with tsql.compiled_too() as found:
        yield found


@pytest.fixture(autouse=True)
def portable(sql_server: list[str]) -> Iterator[None]:
    """Every query of every test is one for SQL Server too."""
    sql_server.clear()
    yield
    assert sql_server == []


@pytest.fixture
def xml_of() -> Callable[[str], bytes]:
    """The XML of one of the bundled zips, by the zip's name."""

    def read(name: str) -> bytes:
        with zipfile.ZipFile(next(DATA.rglob(name))) as archive:
            return archive.read(archive.namelist()[0])

    return read


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Write XML into a zip with a name of ESMA's."""

    def write(name: str, xml: bytes, *, folder: str = "made", entry: str = "") -> Path:
        path = tmp_path / folder / f"{name}.zip"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            # A date of its own: two zips of the same records are the same, whenever they are made.
            made = zipfile.ZipInfo(entry or f"{name}.xml", (2025, 8, 30, 0, 0, 0))
            archive.writestr(made, xml, zipfile.ZIP_DEFLATED)
        return path

    return write


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an emulated Blob Storage."""
    with servers.azurite(tmp_path_factory.mktemp("azurite")) as connection_string:
        yield connection_string


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """The address of a Redis."""
    with servers.redis() as address:
        yield address


@pytest.fixture
def anonymous_reading(settings: LazySettings) -> None:
    settings.ANONYMOUS_READ = True


@pytest.fixture
def real_instruments(transactional_db: None, own_folders: None) -> None:
    """The full files of 2025 and the excerpt of the delta of 2021: 589 records."""
    paths = [*sorted(FIRDS.glob("FULINS_*.zip")), FIRDS / "DLTINS_20210117_01of01.zip"]
    for loaded in pipeline.load(pipeline.register_files(paths)):
        assert loaded.error is None
