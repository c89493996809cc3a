"""Dialects of sqlglot: T-SQL to read, SQLite's SQL to write."""

import re
from typing import Any, ClassVar

import sqlglot
from sqlglot import expressions as exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.dialects.tsql import TSQL

from tests.tds.tokens import SqlError


class ReadTSQL(TSQL):
    """T-SQL whose functions are not interpreted: their meaning is defined in one place, `functions`."""

    class Parser(TSQL.Parser):  # type: ignore[valid-type,misc]
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        FUNCTION_PARSERS = {
            name: parser
            for name, parser in TSQL.Parser.FUNCTION_PARSERS.items()
            if name in ("CAST", "CONVERT", "TRY_CAST", "TRY_CONVERT", "STRING_AGG", "OPENJSON")
        }


class WriteSQLite(SQLite):
    """A name in double quotes that is no column would be a text to SQLite."""

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]


def read(sql: str) -> exp.Expr:
    """Raises SqlError."""
    text = re.sub(r"@@(\w+)", r"TS_\1()", sql)
    try:
        [statement] = [
            statement_
            for statement_ in sqlglot.parse(text, dialect=ReadTSQL)
            if statement_ is not None
        ]
    except (sqlglot.errors.SqlglotError, ValueError) as error:
        raise SqlError(102, f"Incorrect syntax: {error}: {sql[:500]}", 15) from error
    return statement
