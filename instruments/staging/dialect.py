"""The differences between the databases in the SQL of loading.

It is written once, for SQLite: temporary tables are `temp.x`, those of the staging file `stage.x`. What
SQL Server says in other words is put into its words by the table of rules below: it covers what this
package uses, and tests/instruments/test_dialect.py reads every statement with a parser of T-SQL.
"""

import itertools
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from django.db.backends.utils import CursorWrapper

from marketdata.azure_sql.collation import COLLATION

# The limits of SQL Server for one statement: rows of VALUES, and parameters.
_MOST_ROWS, _MOST_PARAMETERS = 1_000, 2_000
_AHEAD = 1_000  # rows


def day_before(expression: str) -> str:
    """Return the SQL of the day before a date; 0001-01-01 has none, and stays."""
    return f"CASE WHEN {expression} = '0001-01-01' THEN {expression} ELSE date({expression}, '-1 day') END"


def differ(first: str, second: str) -> str:
    """Return the SQL condition that two texts differ, trailing spaces included, which SQL Server ignores."""
    return f"{first} <> {second} COLLATE BINARY"


def each_word(table: str, column: str, alias: str) -> str:
    """Return the SQL that joins each row of `table` with the words of a column of codes separated by spaces,
    as `alias`.value.
    """
    return f"""JOIN json_each('["' || replace({table}.{column}, ' ', '","') || '"]') AS {alias}"""


def rewritten(table: str, values: dict[str, str], *, source: str, where: str) -> str:
    """Return the SQL that updates the rows of `table` that meet `where`, from the one row that `source` has
    for it (FROM and WHERE, neither with brackets).

    For many wide rows: SQLite's UPDATE ... FROM puts all that it is going to write into a table of its
    own first, which does not fit its cache.
    """
    columns, values_sql = ", ".join(values), ", ".join(values.values())
    return f"UPDATE OR FAIL {table} SET ({columns}) = (SELECT {values_sql} FROM {source}) WHERE {where}"


def _assigned(match: re.Match[str]) -> str:
    table, columns, values_sql, source, where = match.groups()
    pairs = zip(columns.split(","), values_sql.split(","), strict=True)
    assigned = ", ".join(f"{column.strip()} = {value.strip()}" for column, value in pairs)
    return f"UPDATE {table} SET {assigned} FROM {source} AND {where}"


def _declared(columns: str) -> str:
    """Return the columns of a temporary table in T-SQL: codes are short, and compared letter by letter."""
    columns = re.sub(r"\bTEXT\b", "VARCHAR(100)", columns)
    columns = re.sub(r"\bVARCHAR(\(\d+\))", rf"nvarchar\1 COLLATE {COLLATION}", columns)
    columns = re.sub(r"\bLONGTEXT\b", "nvarchar(max)", columns)
    return re.sub(r"\bINTEGER\b", "bigint", columns)


# In this order. A rule that is about the whole statement comes before those about its parts.
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    # A statement that leaves what it has done when it fails, for its transaction to undo: SQLite need not
    # write down each page before it changes it, which is a third of what a merge writes.
    (r"\b(INSERT|UPDATE) OR FAIL\b", r"\1"),
    (
        r"\A\s*UPDATE (\w+) SET \(([^()]*)\) = \(SELECT ([^()]*?) FROM ([^()]*)\) WHERE (.*)\Z",
        _assigned,
    ),
    # Staged dates are texts, which it would take for a `datetime`, written as `Mar  4 2025 12:00AM`.
    (r"date\(([\w.]+), '-1 day'\)", r"DATEADD(day, -1, CAST(\1 AS date))"),
    # As bytes; no text that is compared so is longer than 500 letters.
    (
        r"(coalesce\([\w.]+, ''\)|[\w.]+) <> ([\w.]+) COLLATE BINARY",
        r"CAST(\1 AS varbinary(1000)) <> CAST(\2 AS varbinary(1000))",
    ),
    (
        r"""JOIN json_each\('\["' \|\| replace\(([\w.]+), ' ', '","'\) \|\| '"\]'\) AS (\w+)""",
        # As short texts, which an index can be asked for: pieces of a long one are long to the server.
        r"CROSS APPLY (SELECT CAST(value AS nvarchar(100)) AS value FROM STRING_SPLIT(\1, ' ')) AS \2",
    ),
    # A place among 36 letters, which goes into a number of 60 bits.
    (
        r"\binstr\(('\w+'), ?(substr\([^()]*\))\)",
        r"CAST(CHARINDEX(\2, \1) AS bigint)",
    ),
    (r"\bsubstr\(", "SUBSTRING("),
    (r"\|\|", "+"),
    # It makes SQLite join in this order; SQL Server needs no help.
    (r"\bCROSS JOIN(?=\s+[\w.]+\s+\w+\s+ON\b)", "JOIN"),
    (
        r"CREATE TEMP TABLE (\w+) \((.*)\)(?: WITHOUT ROWID)?\s*\Z",
        lambda match: f"CREATE TABLE #{match[1]} ({_declared(match[2])})",
    ),
    (
        r"CREATE TEMP TABLE (\w+) AS\s+WITH (.*)\sSELECT \* FROM (\w+)\s*\Z",
        r"WITH \2 SELECT * INTO #\1 FROM \3",
    ),
    (r"CREATE TEMP TABLE (\w+) AS\s+(SELECT.*)\Z", r"SELECT * INTO #\1 FROM (\2) AS made"),
    (r"CREATE INDEX temp\.(\w+) ON (\w+)", r"CREATE INDEX \1 ON #\2"),
    (r"\A\s*SELECT (.*) LIMIT (\d+)\s*\Z", r"SELECT TOP \2 \1"),
    (r"\(\s*SELECT ([^()]*(?:\([^()]*\)[^()]*)*) LIMIT (\d+)\)", r"(SELECT TOP \2 \1)"),
    (r"\btemp\.(\w+)", r"#\1"),
)
_COMPILED = [(re.compile(pattern, re.DOTALL), replacement) for pattern, replacement in _RULES]


def in_t_sql(sql: str, *, stage: str) -> str:
    """A statement of this package as SQL Server takes it; `stage` begins the names of staged tables."""
    for pattern, replacement in _COMPILED:
        sql = pattern.sub(replacement, sql)
    return re.sub(r"\bstage\.(\w+)", rf"{stage}_\1", sql)


class SqlServerCursor(CursorWrapper):
    """A cursor of Django's that takes the SQL of this package."""

    def __init__(self, cursor: CursorWrapper, *, stage: str) -> None:
        super().__init__(cursor.cursor, cursor.db)
        self._stage = stage
        self._rows: deque[Any] = deque()

    def execute(self, sql: Any, params: Any = None) -> Any:
        self._rows.clear()
        return super().execute(in_t_sql(str(sql), stage=self._stage), params)

    def fetchone(self) -> Any:
        """Reads on: a result that has not been read to its end keeps all else off the connection."""
        if not self._rows:
            with self.db.wrap_database_errors:
                self._rows.extend(self.cursor.fetchmany(_AHEAD))
        return self._rows.popleft() if self._rows else None

    def fetchall(self) -> list[Any]:
        with self.db.wrap_database_errors:
            rows = [*self._rows, *self.cursor.fetchall()]
        self._rows.clear()
        return rows

    def executemany(self, sql: Any, param_list: Any) -> None:
        """`INSERT ... VALUES (...)` of many rows, as few statements: one a row would be one a trip."""
        head, values = re.split(r"(?<= VALUES )", in_t_sql(str(sql), stage=self._stage))
        rows = iter(param_list)
        size = min(_MOST_ROWS, _MOST_PARAMETERS // values.count("%s"))
        while some := list(itertools.islice(rows, size)):
            super().execute(
                head + ", ".join([values] * len(some)), list(itertools.chain.from_iterable(some))
            )


def understood(cursor: CursorWrapper) -> CursorWrapper:
    """A cursor of Django's that takes the SQL of this package, but for staged tables, on any database."""
    return cursor if cursor.db.vendor == "sqlite" else SqlServerCursor(cursor, stage="stage")
