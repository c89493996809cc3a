"""Restoring a backup: checked, by one process alone, and after a backup of the present state."""

import datetime as dt
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import LazySettings

from databases.backups import folder, restore
from databases.errors import NoRoom
from tests.databases.conftest import execute
from tests.installation import Installation

LISTINGS = "SELECT count(*) FROM instruments_listing"
# Every connection to a WAL database keeps a lock on it, also when it does nothing.
IDLE = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM django_migrations").fetchone()
print("open", flush=True)
time.sleep(120)
"""


def backed_up(installation: Installation) -> str:
    """Make a backup, and return its name."""
    return str(json.loads(installation.run("backup", "create", "--format", "json"))["name"])


def refused(installation: Installation, *command: str, answer: str = "") -> str:
    """Return the error output of a command, which must fail."""
    process = installation.start(*command)
    _, output = process.communicate(answer, timeout=60)
    assert process.returncode == 1
    return output


@pytest.mark.slow
def test_what_was_deleted_comes_back_and_what_was_there_is_kept(installation: Installation) -> None:
    name = backed_up(installation)
    execute(installation.database, "DELETE FROM instruments_listing")

    output = installation.run("backup", "restore", name, "--yes")

    assert installation.read_number(LISTINGS) == 589
    assert f"Restored {name}" in output
    [safety, original] = json.loads(installation.run("backup", "list", "--format", "json"))
    assert (safety["reason"], original["name"]) == ("before-restore", name)
    assert safety["rows"] < original["rows"]  # by less than 589: the index of names grows meanwhile
    restored = "SELECT count(*) FROM audit_event WHERE action = 'backup.restored'"
    assert installation.read_number(restored) == 1
    assert execute(installation.database, "PRAGMA journal_mode") == [("wal",)]
    assert execute(installation.database, "PRAGMA integrity_check") == [("ok",)]

    installation.run("backup", "restore", safety["name"], "--yes")

    assert installation.read_number(LISTINGS) == 0


@pytest.mark.slow
def test_where_there_is_no_database_it_is_made(installation: Installation) -> None:
    name = backed_up(installation)
    for path in installation.database.parent.glob(f"{installation.database.name}*"):
        path.unlink()

    output = installation.run("backup", "restore", name, "--yes")

    assert installation.read_number(LISTINGS) == 589
    assert "was there before" not in output


@pytest.mark.slow
def test_a_question_that_nobody_can_answer_is_answered_no(installation: Installation) -> None:
    name = backed_up(installation)

    output = refused(installation, "backup", "restore", name)

    assert output == "CommandError: Nothing was changed. With --yes the command does not ask.\n"
    assert len(json.loads(installation.run("backup", "list", "--format", "json"))) == 1


@pytest.mark.slow
def test_nothing_is_restored_while_another_process_has_the_database_open(
    installation: Installation,
) -> None:
    name = backed_up(installation)
    execute(installation.database, "DELETE FROM instruments_listing")
    with subprocess.Popen(
        [sys.executable, "-c", IDLE, str(installation.database)], stdout=subprocess.PIPE
    ) as idle:
        try:
            assert idle.stdout is not None
            idle.stdout.readline()
            output = refused(installation, "backup", "restore", name, "--yes")
        finally:
            idle.kill()

    assert str(idle.pid) in output
    assert "Stop the web server" in output
    assert installation.read_number(LISTINGS) == 0
    assert len(json.loads(installation.run("backup", "list", "--format", "json"))) == 1


@pytest.mark.slow
def test_a_backup_of_another_schema_is_refused_with_how_it_differs(
    installation: Installation,
) -> None:
    database = installation.database
    execute(
        database,
        "UPDATE django_migrations SET name = '0099_later' WHERE name = '0002_search_index'",
    )
    name = backed_up(installation)

    output = refused(installation, "backup", "restore", name, "--yes")

    assert "it lacks instruments.0002_search_index" in output
    assert "it has instruments.0099_later" in output


@pytest.mark.slow
def test_nothing_is_restored_without_confirmation(installation: Installation) -> None:
    name = backed_up(installation)
    execute(installation.database, "DELETE FROM instruments_listing")
    process = installation.start("backup", "restore", name)
    process.communicate(timeout=60)  # no answer comes
    assert process.returncode != 0

    assert installation.read_number(LISTINGS) == 0


@pytest.mark.slow
def test_a_damaged_backup_is_not_restored(installation: Installation) -> None:
    name = backed_up(installation)
    path = installation.database.parent / "backups" / name
    path.write_bytes(path.read_bytes()[:-1])

    assert "SHA-256" in refused(installation, "backup", "restore", name, "--yes")
    assert "SHA-256" in refused(installation, "backup", "verify")
    assert installation.read_number(LISTINGS) == 589


@pytest.mark.slow
def test_a_disk_that_fills_up_is_not_called_a_damaged_backup(
    installation: Installation, settings: LazySettings
) -> None:
    name = backed_up(installation)
    settings.BACKUP_DIR = installation.database.parent / "backups"
    folder.part_of(f"{name}.plain").symlink_to("/dev/full")

    with (
        pytest.raises(NoRoom, match="make room there"),
        restore.unpacked(folder.get(name)),
    ):
        pass


@pytest.mark.slow
def test_a_damaged_database_is_not_written_over_unsaved(installation: Installation) -> None:
    name = backed_up(installation)
    installation.database.write_bytes(b"no database" * 1000)

    output = refused(installation, "backup", "restore", name, "--yes")

    assert "move it aside" in output
    assert installation.database.read_bytes().startswith(b"no database")


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_the_database_as_it_was(installation: Installation) -> None:
    database = installation.database
    execute(database, "CREATE TABLE filler (bytes BLOB)")
    for _ in range(10):
        execute(database, "INSERT INTO filler VALUES (randomblob(8000000))")
    name = backed_up(installation)
    execute(database, "DELETE FROM instruments_listing")
    execute(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    process = installation.start("backup", "restore", name, "--yes")
    log = Path(f"{database}-wal")
    deadline = time.monotonic() + 60
    while not log.exists() or log.stat().st_size < 1_000_000:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert installation.read_number(LISTINGS) == 0
    assert execute(database, "PRAGMA integrity_check") == [("ok",)]
    installation.run("backup", "restore", name, "--yes")
    assert installation.read_number(LISTINGS) == 589


def test_the_last_backup_of_a_second_is_the_newest(settings: LazySettings) -> None:
    now = dt.datetime(2026, 11, 29, 12, 6, 51, tzinfo=dt.UTC)
    Path(settings.BACKUP_DIR).mkdir(parents=True)
    names = []
    for _ in range(11):
        name = folder.new_name("manual", now)
        written = folder.part_of(name)
        written.write_bytes(b"a backup")
        made_at = now.isoformat()
        folder.put(folder.Backup(name, made_at, "manual", "", "", 0, 0, "", [], {}, 0.0), written)
        names.append(name)

    backups, problems = folder.scan()

    assert [backup.name for backup in backups] == names[::-1]
    assert not problems


@pytest.mark.slow
def test_the_newest_are_kept(installation: Installation) -> None:
    names = [backed_up(installation) for _ in range(3)]

    output = installation.run("backup", "prune", "--keep", "1", "--dry-run")
    assert output.count("would delete") == 2
    assert "0 backups" not in output
    installation.run("backup", "prune", "--keep", "1")

    assert "whole" in installation.run("backup", "verify", names[2])
    assert names[0] not in installation.run("backup", "list")
    assert "--keep" in refused(installation, "backup", "prune", "--keep", "0")


@pytest.mark.slow
def test_migrations_that_lose_rows_make_a_backup_first(installation: Installation) -> None:
    undone = installation.run("migrate", "instruments", "zero")

    [safety] = json.loads(installation.run("backup", "list", "--format", "json"))
    assert safety["reason"] == "before-migrate"
    assert "undoing instruments.0001_initial (Create model TransparencyResult)" in undone
    assert "VolumeCap" not in undone, "it has no rows"

    again = installation.run("migrate", "instruments", "0001")

    assert "Backing up" not in again, "new tables lose nothing"


@pytest.mark.slow
def test_a_backup_from_before_a_migration_brings_back_its_rows(installation: Installation) -> None:
    results = "SELECT count(*) FROM instruments_transparencyresult"
    before = installation.read_number(results)
    installation.run("migrate", "instruments", "zero")
    [safety] = json.loads(installation.run("backup", "list", "--format", "json"))

    installation.run("backup", "restore", safety["name"], "--yes")

    assert installation.read_number(results) == before > 0


@pytest.mark.slow
def test_a_fresh_database_is_migrated_without_a_backup(tmp_path: Path) -> None:
    installation = Installation(tmp_path)

    output = installation.run("migrate")

    assert "Backing up" not in output
    assert not (tmp_path / "backups").exists()
    assert "No backups" in installation.run("backup", "list")


@pytest.mark.slow
def test_a_log_that_is_left_beside_the_database_does_not_get_into_a_restored_one(
    installation: Installation, tmp_path: Path
) -> None:
    """A process that was killed leaves one; played into other pages it would be nonsense."""
    name = backed_up(installation)
    database = installation.database
    held = sqlite3.connect(database)
    held.execute("DELETE FROM instruments_listing")
    held.commit()
    shutil.copy(f"{database}-wal", tmp_path / "kept-wal")
    held.close()
    shutil.copy(tmp_path / "kept-wal", f"{database}-wal")

    installation.run("backup", "restore", name, "--yes")

    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(LISTINGS).fetchone() == (589,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
