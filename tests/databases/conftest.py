"""A service with everything in it, made once, and copies of it for each test."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from instruments.entities.search import INDEX as ENTITY_INDEX
from instruments.listings.search import INDEX
from tests.conftest import DATA, FIRDS
from tests.installation import Installation


@pytest.fixture(scope="session")
def filled(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with instruments, versions, results, venues, users, roles, keys and an audit trail."""
    installation = Installation(tmp_path_factory.mktemp("filled"))
    shutil.copy(migrated, installation.database)
    bundled = [*sorted(FIRDS.glob("FULINS_*.zip")), FIRDS / "DLTINS_20210117_01of01.zip"]
    permission = "instruments.view_instrument"
    commands: list[list[str | Path]] = [
        ["load_venues"],
        ["load", *bundled, DATA / "fitrs"],
        ["users", "create", "carla", "--role", "curator", "--random-password"],
        ["api_keys", "create", "carla", "nightly", "--permission", permission],
    ]
    # In one process, because each start of manage.py takes seconds.
    code = "".join(f"call_command(*{list(map(str, command))})\n" for command in commands)
    installation.run(
        "shell", "-v", "0", "-c", f"from django.core.management import call_command\n{code}"
    )
    return installation.database


@pytest.fixture
def target(migrated: Path, tmp_path: Path) -> Path:
    """Return an empty database with all tables, to move to."""
    path = tmp_path / "target" / "marketdata.sqlite3"
    path.parent.mkdir()
    shutil.copy(migrated, path)
    return path


@pytest.fixture
def any_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Permit the use of databases other than Django's test database: these tests have files of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def copy_of_filled(filled: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies the filled database into a folder of the test."""

    def copy(name: str) -> Path:
        path = tmp_path / name / "marketdata.sqlite3"
        path.parent.mkdir()
        with closing(sqlite3.connect(filled)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return path

    return copy


@pytest.fixture
def source(copy_of_filled: Callable[[str], Path]) -> Path:
    return copy_of_filled("source")


@pytest.fixture
def installation(filled: Path, tmp_path: Path) -> Installation:
    """Return an installation of the service with a copy of the filled database."""
    installed = Installation(tmp_path)
    shutil.copy(filled, installed.database)
    return installed


def execute(path: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Execute a statement in a database file, without Django. Return the rows."""
    with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
        return connection.execute(sql, values).fetchall()


def everything(path: Path, *, but: tuple[str, ...] = ()) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, as they are stored; of the index of names its words, which are a table too."""
    for index in (INDEX, ENTITY_INDEX):
        but += (index, *(f"{index}_{part}" for part in ("config", "data", "idx")))
    names = [
        name for (name,) in execute(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    return {
        str(name): execute(path, f'SELECT * FROM "{name}" ORDER BY 1')
        for name in names
        if name not in but
    }
