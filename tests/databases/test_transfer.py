"""Moving: everything arrives as it was, the source stays as it is, and a killed transfer goes on."""

import hashlib
import json
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections

from databases.backups import folder
from databases.tables import NOT_COPIED
from tests.databases.conftest import everything, execute
from tests.databases.moving import databases, differences, transfer
from tests.installation import Installation

pytestmark = pytest.mark.usefixtures("any_database")

OWN = (*NOT_COPIED, "sqlite_sequence")


@pytest.mark.slow
def test_everything_arrives_as_it_was(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "marketdata.sqlite3"

    copied = transfer(source, target)

    assert copied["instruments_listing"] == 589
    assert copied["accounts_user_groups"] == 1
    assert everything(target, but=OWN) == everything(source, but=OWN)
    assert differences(source, target) == {}
    assert execute(target, "PRAGMA foreign_key_check") == []


def test_the_source_is_backed_up_and_not_written(source: Path, target: Path) -> None:
    execute(source, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = hashlib.sha256(source.read_bytes()).hexdigest()

    transfer(source, target)
    differences(source, target)

    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    log = source.with_name(f"{source.name}-wal")
    assert not log.exists() or log.stat().st_size == 0
    [backup] = folder.scan()[0]
    assert (backup.reason, backup.tables["instruments_listing"]) == ("before-transfer", 589)
    assert set(connections) == {"default"}, "nothing is left in the settings"


@pytest.mark.slow
def test_keys_that_were_given_are_not_given_again(source: Path, target: Path) -> None:
    execute(source, "DROP TRIGGER audit_event_no_delete")
    execute(source, "DELETE FROM audit_event")  # the highest keys are gone, and known

    transfer(source, target)

    given = "SELECT seq FROM sqlite_sequence WHERE name = 'audit_event'"
    assert execute(target, given) == execute(source, given)
    assert execute(target, given)[0][0]


@pytest.mark.slow
def test_sessions_end(source: Path, target: Path) -> None:
    execute(source, "INSERT INTO django_session VALUES ('key', 'data', '2099-01-01 00:00:00')")

    transfer(source, target)

    assert execute(target, "SELECT count(*) FROM django_session") == [(0,)]
    assert differences(source, target) == {}


@pytest.mark.slow
def test_a_target_that_migrate_has_filled_with_other_keys_is_taken(
    source: Path, target: Path
) -> None:
    execute(target, "DELETE FROM auth_group_permissions")
    execute(target, "UPDATE auth_permission SET id = id + 1000")

    transfer(source, target)

    assert everything(target, but=OWN) == everything(source, but=OWN)


@pytest.mark.slow
def test_a_second_transfer_copies_nothing(source: Path, target: Path) -> None:
    transfer(source, target)

    assert set(transfer(source, target).values()) == {0}
    assert differences(source, target) == {}
    assert len(folder.scan()[0]) == 1


@pytest.mark.slow
def test_a_transfer_that_is_killed_goes_on(installation: Installation, tmp_path: Path) -> None:
    source, target = installation.database, tmp_path / "target.sqlite3"
    execute(
        source,
        "INSERT INTO esma_files_rejectedrecord (file_id, position, isin, mic, field, value, reason,"
        " record) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
        " SELECT (SELECT min(id) FROM esma_files_esmafile), i, '', '', 'a/b', 'x', 'y', '{}' FROM n",
    )
    process = installation.start("transfer", *databases(source, target))
    deadline = time.monotonic() + 120
    while not 0 < rows_of("esma_files_rejectedrecord", target) < 60000:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    there = rows_of("esma_files_rejectedrecord", target)
    assert 0 < there < 60000
    assert there % 2000 == 0, "whole pages"

    output = installation.run("transfer", *databases(source, target), "--format", "json")

    copied = {row["table"]: row["copied"] for row in json.loads(output)}
    assert copied["esma_files_rejectedrecord"] == 60000 - there
    assert copied["esma_files_esmafile"] == 0, "it was there already"
    installation.run("verify_transfer", *databases(source, target))
    assert everything(target, but=OWN) == everything(source, but=OWN)


def rows_of(table: str, path: Path) -> int:
    """0 where the table, or the database, is not there yet."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_a_source_that_was_written_meanwhile_is_noticed(source: Path, target: Path) -> None:
    transfer(source, target)
    execute(source, "DELETE FROM instruments_listing WHERE id = 1")

    with pytest.raises(CommandError, match="instruments_listing: 589 rows were copied"):
        transfer(source, target)

    assert transfer(source, target, "--restart")["instruments_listing"] == 588
    assert differences(source, target) == {}


@pytest.mark.slow
def test_a_target_that_is_in_use_by_now_is_left_alone(source: Path, target: Path) -> None:
    transfer(source, target)
    execute(target, "INSERT INTO instruments_cficode VALUES ('ZZZZZZ')")

    for options in ([], ["--restart"]):
        with pytest.raises(CommandError, match=r"instruments_cficode .* is in use"):
            transfer(source, target, *options)


def test_another_source_is_not_mixed_in(
    copy_of_filled: Callable[[str], Path], source: Path, target: Path
) -> None:
    transfer(source, target)

    with pytest.raises(CommandError, match=f"holds rows copied from {source}"):
        transfer(copy_of_filled("other"), target)


@pytest.mark.slow
def test_a_target_with_rows_of_its_own_is_left_alone(
    copy_of_filled: Callable[[str], Path], source: Path
) -> None:
    target = copy_of_filled("target")
    before = everything(target)

    for options in ([], ["--restart"]):
        with pytest.raises(CommandError, match="has rows of its own in accounts_"):
            transfer(source, target, *options)

    assert everything(target) == before
    assert folder.scan() == ([], [])


def test_a_database_of_somebody_else_is_left_alone(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "other.sqlite3"
    execute(target, "CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
    execute(target, "INSERT INTO invoices VALUES (1)")

    with pytest.raises(CommandError, match="has rows of its own in invoices"):
        transfer(source, target)

    assert list(everything(target)) == ["invoices"]


def test_a_source_of_an_older_release_is_to_be_migrated_first(source: Path, target: Path) -> None:
    execute(source, "DELETE FROM django_migrations WHERE name = '0002_search_index'")

    with pytest.raises(CommandError, match=r"source .* lacks instruments.0002_search_index"):
        transfer(source, target)


def test_a_source_of_a_newer_release_needs_that_one(source: Path, target: Path) -> None:
    execute(source, "UPDATE django_migrations SET name = '0099_x' WHERE name = '0002_search_index'")

    with pytest.raises(CommandError, match=r"it has instruments.0099_x"):
        transfer(source, target)


def test_a_database_does_not_move_to_itself(source: Path) -> None:
    with pytest.raises(CommandError, match="same database"):
        transfer(source, source.parent / ".." / source.parent.name / source.name)


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path, target: Path) -> None:
    with pytest.raises(CommandError, match="no database at"):
        transfer(tmp_path / "none.sqlite3", target)

    assert not (tmp_path / "none.sqlite3").exists()


@pytest.mark.slow
def test_a_row_that_the_target_refuses_is_named(source: Path, target: Path) -> None:
    transfer(source, target)
    execute(
        target,
        "CREATE TRIGGER refusing BEFORE INSERT ON instruments_venue WHEN NEW.mic = 'XETR'"
        " BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    )

    with pytest.raises(CommandError, match=r"instruments_venue, key XETR: .* not this one"):
        transfer(source, target, "--restart")

    execute(target, "DROP TRIGGER refusing")
    assert transfer(source, target)["instruments_venue"] > 0
    assert differences(source, target) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("valid_from", "2025-08-32", "2025-08-32"),
        ("valid_from", "last week", "last week"),
        ("first_trade_at", "soon", "soon"),
        ("fixed_rate", "three", "three"),
        ("commodity_derivative", "perhaps", "perhaps"),
    ],
)
def test_a_value_that_its_column_cannot_have_is_named(
    source: Path, target: Path, column: str, value: str, problem: str
) -> None:
    execute(source, f"UPDATE instruments_listing SET {column} = ? WHERE id = 7", value)

    with pytest.raises(CommandError, match=f"instruments_listing, key 7, {column}: '{problem}'"):
        transfer(source, target)


def test_text_that_is_none_is_named(source: Path, target: Path) -> None:
    execute(source, "UPDATE instruments_listing SET full_name = CAST(x'ff41' AS TEXT) WHERE id = 9")

    with pytest.raises(CommandError, match=r"instruments_listing, key 9, .*UTF-8.*full_name"):
        transfer(source, target)


@pytest.mark.slow
def test_tables_that_no_model_has_are_named_and_derived_ones_made_anew(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source, "CREATE VIRTUAL TABLE names USING fts5 (full_name)")

    def rebuild_derived(*, using: str) -> None:
        with connections[using].cursor() as cursor:
            cursor.execute("CREATE VIRTUAL TABLE names USING fts5 (full_name)")
            cursor.execute("INSERT INTO names SELECT full_name FROM instruments_instrument")

    monkeypatch.setattr(
        apps.get_app_config("instruments"), "rebuild_derived", rebuild_derived, raising=False
    )
    call_command("transfer", *databases(source, target))

    assert "names" in capsys.readouterr().out
    count = "SELECT count(*) FROM instruments_instrument"
    assert execute(target, "SELECT count(*) FROM names") == execute(source, count)
