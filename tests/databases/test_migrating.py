"""Migrations under a lock: `manage.py migrate_once`."""

import fcntl
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.databases.conftest import execute
from tests.installation import Installation
from tests.marketdata.test_on_the_wire import environment
from tests.tds import server

APPLIED = "SELECT count(*) FROM django_migrations"


def run_twice_at_once(environment: dict[str, str]) -> list[str]:
    """Start two processes that migrate the same empty database, and return their output."""
    command = [sys.executable, "manage.py", "migrate_once", "--verbosity", "0"]
    processes = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    return sorted(outputs)


def assert_one_migrated(outputs: list[str]) -> None:
    assert outputs[0].startswith("Applied ")
    assert outputs[1] == "No migrations to apply.\n"


@pytest.mark.slow
def test_of_two_processes_one_migrates_and_the_other_waits(tmp_path: Path) -> None:
    installation = Installation(tmp_path)

    outputs = run_twice_at_once(installation.environment)

    assert_one_migrated(outputs)
    [(applied,)] = execute(installation.database, APPLIED)
    assert outputs[0] == f"Applied {applied} migrations.\n"


@pytest.mark.slow
@pytest.mark.sqlite
def test_of_two_processes_one_migrates_a_database_of_a_server(tmp_path: Path) -> None:
    with server.running(tmp_path / "tds") as running:
        outputs = run_twice_at_once(environment(running, tmp_path))

        assert_one_migrated(outputs)
        locks = [sql for sql in running.database.statements if "sp_getapplock" in sql]
        assert len(locks) == 2


@pytest.mark.slow
def test_a_lock_that_is_not_released_in_time_is_an_error(migrated: Path, tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.database.write_bytes(migrated.read_bytes())
    lock = tmp_path / f"{installation.database.name}-migrate.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        process = installation.start("migrate_once", "--wait", "0")
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Another process has been migrating this database" in errors


@pytest.mark.slow
def test_a_database_with_all_migrations_is_left_alone(migrated: Path, tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.database.write_bytes(migrated.read_bytes())

    assert installation.run("migrate_once") == "No migrations to apply.\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["migrate", "migrate_once"])
def test_a_database_of_other_migrations_is_not_changed(
    command: str, migrated: Path, tmp_path: Path
) -> None:
    installation = Installation(tmp_path)
    installation.database.write_bytes(migrated.read_bytes())
    with sqlite3.connect(installation.database) as connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'lake' OR app = 'curation'")
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('curation', '0009_old', '2026-01-01')"
        )
    connection.close()
    before = execute(installation.database, "SELECT app, name FROM django_migrations")

    process = installation.start(command)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors.startswith(
        "CommandError: The database has migrations that this release lacks (curation.0009_old)"
    )
    assert execute(installation.database, "SELECT app, name FROM django_migrations") == before
