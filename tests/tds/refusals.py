"""SQLite's errors as SQL Server's."""

import re
import sqlite3

from tests.tds import triggers
from tests.tds.catalogue import Catalogue
from tests.tds.functions import Failures
from tests.tds.tokens import SqlError


def named(error: sqlite3.Error, failures: Failures, catalogue: Catalogue) -> SqlError:
    message = str(error)
    if "user-defined function" in message and failures.last is not None:
        failure, failures.last = failures.last, None
        return failure
    if isinstance(error, sqlite3.IntegrityError):
        return _integrity(message, catalogue)
    for pattern, number, text in (
        (r"no such table: (?:temp\.)?(\S+)", 208, "Invalid object name '{}'."),
        (r"no such column: (\S+)", 207, "Invalid column name '{}'."),
        (r"ambiguous column name: (\S+)", 209, "Ambiguous column name '{}'."),
        (r"no such function: ts_(\S+)", 195, "'{}' is not a recognized function name."),
        (r"(database is locked)", 1222, "Lock request time out period exceeded. ({})"),
    ):
        if match := re.search(pattern, message, re.IGNORECASE):
            return SqlError(number, text.format(match[1]))
    return SqlError(50000, f"This server cannot do that: {type(error).__name__}: {message}")


def _integrity(message: str, catalogue: Catalogue) -> SqlError:
    if refusal := triggers.get_refusal(message):
        return refusal
    if match := re.match(r"NOT NULL constraint failed: (\S+)\.(\w+)", message):
        text = f"Cannot insert the value NULL into column '{match[2]}', table '{match[1]}'."
        return SqlError(515, text)
    if match := re.match(r"UNIQUE constraint failed: (?:index '(.*?)__(.*)'|(.*))", message):
        if match[1]:
            return _twice(match[1], match[2], catalogue)
        table_name = match[3].split(".")[0]
        columns = {part.split(".")[1].lower() for part in match[3].split(", ")}
        table = catalogue.find(table_name)
        for index in table.indexes if table else []:
            if index.unique and {name.lower() for name, _ in index.columns} == columns:
                return _twice(table_name, index.name, catalogue)
        return SqlError(2627, f"Cannot insert duplicate key in object '{table_name}'.", 14)
    if match := re.match(r"CHECK constraint failed: (.*)", message):
        text = f'The INSERT statement conflicted with the CHECK constraint "{match[1]}".'
        return SqlError(547, text)
    return SqlError(50000, f"This server cannot do that: {message}")


def _twice(table: str, index: str, catalogue: Catalogue) -> SqlError:
    table_ = catalogue.find(table)
    index_ = next((i for i in table_.indexes if i.name == index), None) if table_ else None
    if index_ and not index_.primary and not index_.constraint:
        text = f"Cannot insert duplicate key row in object '{table}' with unique index '{index}'."
        return SqlError(2601, text, 14)
    kind = "PRIMARY KEY" if index_ and index_.primary else "UNIQUE KEY"
    text = f"Violation of {kind} constraint '{index}'. Cannot insert duplicate key in '{table}'."
    return SqlError(2627, text, 14)
