"""SQLite's errors as SQL Server's."""

import re
import sqlite3

from tests.tds import triggers
from tests.tds.catalogue import Catalogue
from tests.tds.functions import Failures
from tests.tds.tokens import SqlError


def named(error: sqlite3.Error, failures: Failures, catalogue: Catalogue) -> SqlError:
    said = str(error)
    if "user-defined function" in said and failures.last is not None:
        found, failures.last = failures.last, None
        return found
    if isinstance(error, sqlite3.IntegrityError):
        return _integrity(said, catalogue)
    for pattern, number, text in (
        (r"no such table: (?:temp\.)?(\S+)", 208, "Invalid object name '{}'."),
        (r"no such column: (\S+)", 207, "Invalid column name '{}'."),
        (r"ambiguous column name: (\S+)", 209, "Ambiguous column name '{}'."),
        (r"no such function: ts_(\S+)", 195, "'{}' is not a recognized function name."),
        (r"(database is locked)", 1222, "Lock request time out period exceeded. ({})"),
    ):
        if match := re.search(pattern, said, re.IGNORECASE):
            return SqlError(number, text.format(match[1]))
    return SqlError(50000, f"This server cannot do that: {type(error).__name__}: {said}")


def _integrity(said: str, catalogue: Catalogue) -> SqlError:
    if refusal := triggers.get_refusal(said):
        return refusal
    if found := re.match(r"NOT NULL constraint failed: (\S+)\.(\w+)", said):
        text = f"Cannot insert the value NULL into column '{found[2]}', table '{found[1]}'."
        return SqlError(515, text)
    if found := re.match(r"UNIQUE constraint failed: (?:index '(.*?)__(.*)'|(.*))", said):
        if found[1]:
            return _twice(found[1], found[2], catalogue)
        table_name = found[3].split(".")[0]
        columns = {part.split(".")[1].lower() for part in found[3].split(", ")}
        table = catalogue.find(table_name)
        for index in table.indexes if table else []:
            if index.unique and {name.lower() for name, _ in index.columns} == columns:
                return _twice(table_name, index.name, catalogue)
        return SqlError(2627, f"Cannot insert duplicate key in object '{table_name}'.", 14)
    if found := re.match(r"CHECK constraint failed: (.*)", said):
        text = f'The INSERT statement conflicted with the CHECK constraint "{found[1]}".'
        return SqlError(547, text)
    return SqlError(50000, f"This server cannot do that: {said}")


def _twice(table: str, index: str, catalogue: Catalogue) -> SqlError:
    known = catalogue.find(table)
    its = next((i for i in known.indexes if i.name == index), None) if known else None
    if its and not its.primary and not its.constraint:
        text = f"Cannot insert duplicate key row in object '{table}' with unique index '{index}'."
        return SqlError(2601, text, 14)
    kind = "PRIMARY KEY" if its and its.primary else "UNIQUE KEY"
    text = f"Violation of {kind} constraint '{index}'. Cannot insert duplicate key in '{table}'."
    return SqlError(2627, text, 14)
