"""verify_transfer finds whatever is not the same, and says which row and column."""

import shutil
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from esma_files.models import EsmaFile
from tests.databases.conftest import execute
from tests.databases.moving import databases, differences, transfer

pytestmark = pytest.mark.usefixtures("any_database")

LISTING = "instruments_listing"


@pytest.fixture(scope="module")
def transferred(
    filled: Path,
    migrated: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Path:
    """Return a folder with a database and its transferred copy, for tests to copy."""
    folder = tmp_path_factory.mktemp("transferred")
    shutil.copy(filled, folder / "source.sqlite3")
    shutil.copy(migrated, folder / "target.sqlite3")
    with django_db_blocker.unblock(), override_settings(BACKUP_DIR=folder / "backups"):
        transfer(folder / "source.sqlite3", folder / "target.sqlite3")
    return folder


@pytest.fixture
def source(transferred: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(transferred / "source.sqlite3", tmp_path / "source.sqlite3"))


@pytest.fixture
def target(transferred: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(transferred / "target.sqlite3", tmp_path / "target.sqlite3"))


@pytest.mark.slow
def test_changed_values_are_named(source: Path, target: Path) -> None:
    changes: list[tuple[str, object, object]] = [
        ("full_name", "Zürich", "Zurich"),
        ("full_name", "e\u0301", "\u00e9"),
        ("full_name", "x", "x "),
        ("full_name", "", None),
        ("fixed_rate", "0.12345678901234567", "0.12345678901234568"),
        ("total_issued_nominal", "123456789012345678", "123456789012345679"),
        ("maturity_date", "9999-12-31", "9999-12-30"),
        ("first_trade_at", "2020-01-01 00:00:00.000001", "2020-01-01 00:00:00"),
        ("commodity_derivative", 0, None),
        ("fingerprint", 2**63 - 1, 2**63 - 2),
    ]
    # Each in a row of its own, and all of them in two comparisons, because each reads the whole database.
    for key, (column, before, _) in enumerate(changes, start=300):
        for database in (source, target):
            execute(database, f"UPDATE {LISTING} SET {column} = ? WHERE id = ?", before, key)
    assert differences(source, target) == {}
    for key, (column, _, after) in enumerate(changes, start=300):
        execute(target, f"UPDATE {LISTING} SET {column} = ? WHERE id = ?", after, key)

    assert differences(source, target) == {
        (LISTING, key): f"differs in {column}"
        for key, (column, _, _) in enumerate(changes, start=300)
    }


def test_equal_values_that_are_written_otherwise_are_equal(source: Path, target: Path) -> None:
    spellings = [
        ("fixed_rate", "554.0", "554"),
        ("fixed_rate", "-0", "0.00"),
        ("first_trade_at", "2020-01-01 00:00:00", "2020-01-01 00:00:00.000000"),
    ]
    for key, (column, in_source, in_target) in enumerate(spellings, start=1):
        execute(source, f"UPDATE {LISTING} SET {column} = ? WHERE id = ?", in_source, key)
        execute(target, f"UPDATE {LISTING} SET {column} = ? WHERE id = ?", in_target, key)

    assert differences(source, target) == {}


def test_a_row_that_is_missing_and_one_too_many_are_both_named(source: Path, target: Path) -> None:
    execute(target, f"DELETE FROM {LISTING} WHERE id = 5")
    execute(target, "UPDATE instruments_venue SET mic = 'xetr' WHERE mic = 'XETR'")

    assert differences(source, target) == {
        (LISTING, 5): "is missing in the target",
        ("instruments_venue", "XETR"): "is missing in the target",
        ("instruments_venue", "xetr"): "is not in the source",
    }


def test_values_that_have_changed_places_are_found(source: Path, target: Path) -> None:
    execute(
        target, f"UPDATE {LISTING} SET short_name = full_name, full_name = short_name WHERE id = 2"
    )

    assert differences(source, target) == {(LISTING, 2): "differs in full_name, short_name"}


def test_a_permission_that_is_missing_is_found(source: Path, target: Path) -> None:
    [(key,)] = execute(source, "SELECT max(id) FROM accounts_user_groups")
    execute(target, "DELETE FROM accounts_user_groups WHERE id = ?", key)

    assert differences(source, target) == {
        ("accounts_user_groups", key): "is missing in the target"
    }


@pytest.mark.slow
def test_databases_that_number_their_rows_differently_are_equal_by_natural_key(
    source: Path, target: Path
) -> None:
    execute(target, "UPDATE esma_files_esmafile SET id = id + 1000, claimed_by = 'another host'")
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if field.related_model is EsmaFile:
                table, column = model._meta.db_table, field.column
                execute(target, f"UPDATE {table} SET {column} = {column} + 1000")
    execute(target, f"UPDATE {LISTING} SET id = id + 100000")
    assert differences(source, target)
    assert differences(source, target, "--by-natural-key") == {}

    [key] = execute(source, f"SELECT isin, mic, register FROM {LISTING} WHERE id = 7")
    execute(target, f"UPDATE {LISTING} SET full_name = 'x' WHERE id = 100007")
    execute(target, "DELETE FROM instruments_venue WHERE mic = 'XETR'")
    execute(source, "DELETE FROM instruments_venue WHERE mic = 'XPAR'")

    assert differences(source, target, "--by-natural-key") == {
        (LISTING, " ".join(map(str, key))): "differs in full_name",
        ("instruments_venue", "XETR"): "is missing in the target",
        ("instruments_venue", "XPAR"): "is not in the source",
    }


def test_of_many_that_differ_some_are_named_and_all_counted(
    source: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(target, f"UPDATE {LISTING} SET mic = lower(mic)")

    with pytest.raises(CommandError, match="Rows that differ: 589"):
        call_command("verify_transfer", *databases(source, target))

    printed = capsys.readouterr()
    assert printed.err.count("differs in mic") == 20
    assert f"{LISTING}: 569 more" in printed.err


def test_neither_database_is_written(source: Path, target: Path) -> None:
    for path in (source, target):
        execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = [path.read_bytes() for path in (source, target)]

    differences(source, target)

    assert [path.read_bytes() for path in (source, target)] == before


def test_a_database_that_is_not_configured_is_named(source: Path) -> None:
    options = ["--from", f"sqlite:///{source}", "--to", "oracle"]

    with pytest.raises(CommandError, match=r"no database 'oracle'\. Known are .*sqlite"):
        call_command("verify_transfer", *options)
