"""The temporary tables of a merge: declared in one module, with names of their own."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from django.utils.module_loading import import_string

from esma_files.kinds import KINDS
from instruments.listings import load
from instruments.listings.load import temporary_tables

FOLDER = Path(load.__path__[0])
DECLARED = {
    value.name: value
    for value in vars(temporary_tables).values()
    if isinstance(value, temporary_tables.TemporaryTable)
}


def test_each_table_in_the_sql_of_a_merge_is_declared() -> None:
    used = {
        name
        for path in FOLDER.glob("*.py")
        for name in re.findall(r"\btemp\.(\w+)", path.read_text(encoding="utf-8"))
    }
    indexes = {
        name
        for path in FOLDER.glob("*.py")
        for name in re.findall(r"CREATE INDEX temp\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert used - indexes - {"name"} == set(DECLARED)


def test_no_table_has_the_name_of_one_in_a_staging_file() -> None:
    staged = set()
    for layout in {kind.layout for kind in KINDS.values() if kind.layout}:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(import_string(layout).schema)
            staged |= {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}

    assert {"record", "known"} <= staged
    assert staged & set(DECLARED) == set()


def test_each_declaration_creates_its_table() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for table in DECLARED.values():
            connection.execute(table.creation)
        for index in temporary_tables.TIMELINE_INDEXES:
            connection.execute(index)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_temp_master")}
    assert set(DECLARED) <= names
