"""Errors of the database that come from its surroundings are explained instead of a traceback."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError

from marketdata.common import named_files
from marketdata.common.database_advice import advise


def ask_for_a_missing_table(folder: Path) -> None:
    sqlite3.connect(folder / "empty.sqlite3").execute("SELECT * FROM instruments_instrument")


def write_beside_a_writer(folder: Path) -> None:
    with sqlite3.connect(folder / "busy.sqlite3") as writer:
        writer.execute("BEGIN IMMEDIATE")
        sqlite3.connect(folder / "busy.sqlite3", timeout=0).execute("BEGIN IMMEDIATE")


def open_a_text(folder: Path) -> None:
    (folder / "text").write_text("Not a database. " * 100)
    sqlite3.connect(folder / "text").execute("SELECT * FROM sqlite_master")


def open_in_a_missing_folder(folder: Path) -> None:
    sqlite3.connect(folder / "missing" / "database.sqlite3")


def fill(folder: Path) -> None:
    database = sqlite3.connect(folder / "small.sqlite3")
    database.execute("PRAGMA max_page_count = 2")
    database.execute("CREATE TABLE texts (text)")
    database.execute("INSERT INTO texts VALUES (?)", ["x" * 100_000])


@pytest.mark.parametrize(
    ("fail", "advice"),
    [
        (ask_for_a_missing_table, "no such table: instruments_instrument. Run `manage.py migrate`"),
        (write_beside_a_writer, "database is locked. Another process has been writing"),
        (open_a_text, "file is not a database. Check that SQLITE_DB_PATH names the right file"),
        (open_in_a_missing_folder, "unable to open database file. The file that SQLITE_DB_PATH"),
        (fill, "database or disk is full. Probably the disk of "),
    ],
)
def test_an_error_has_advice(fail: Callable[[Path], None], advice: str, tmp_path: Path) -> None:
    with pytest.raises(sqlite3.DatabaseError) as caught:
        fail(tmp_path)

    assert advice in (advise(OperationalError(str(caught.value))) or "")


def test_an_error_of_a_statement_has_none() -> None:
    assert advise(OperationalError("too many SQL variables")) is None


def test_a_file_on_a_full_disk_is_answered_with_the_disk() -> None:
    full = Path("/dev/full")
    with (
        pytest.raises(
            named_files.FileUnusable, match=r"^/dev/full: the disk of .* is too full: .*Free"
        ),
        named_files.writing(full) as file,
    ):
        file.write(b"x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["instruments", "list", "--catgory", "E"], "--catgory E. Did you mean --category?"),
        (["backup", "prune", "--kep=3"], "--kep=3. Did you mean --keep?"),
        (["instruments", "list", "--xyz"], "unrecognized arguments: --xyz"),
    ],
)
def test_an_unknown_option_is_answered_with_a_similar_one(
    arguments: list[str], answer: str
) -> None:
    ended = subprocess.run(
        [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr.endswith(f"{answer}\n")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--traceback"]])
def test_a_command_without_tables_names_migrate(options: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, settings.BASE_DIR / "manage.py", "users", *options, "list"],
        env={**os.environ, "SQLITE_DB_PATH": str(tmp_path / "new.sqlite3")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback") is bool(options)
    assert ("Run `manage.py migrate` first" in ended.stderr) is not bool(options)
