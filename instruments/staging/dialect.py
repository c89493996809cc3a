"""The translation of the SQL of loading, which is written for SQLite, to T-SQL.

Temporary tables are named `temp.x`, the tables of the staging file `stage.x`. The first functions return
parts of statements that differ more than in their syntax. The rules translate these and all other
constructs that the merges use. Tests translate every statement that they execute on SQLite, and parse the
result (tests/tsql.py). Decision 69 compares this with a class for each database.
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
    """Return the SQL of the day before a date; of 0001-01-01, the first day there is, that day itself."""
    return f"CASE WHEN {expression} = '0001-01-01' THEN {expression} ELSE date({expression}, '-1 day') END"


def day_of(expression: str) -> str:
    """Return the SQL of the day of a date and time."""
    return f"substr({expression}, 1, 10)"


def texts_differ(first: str, second: str) -> str:
    """Return the SQL condition that two texts differ. SQL Server's `<>` would ignore spaces at the end."""
    return f"{first} <> {second} COLLATE BINARY"


def join_words(table: str, column: str, alias: str) -> str:
    """Return a JOIN of each row of `table` with the words of a column, as `alias`.value.

    The column has codes that are separated by spaces.
    """
    return f"""JOIN json_each('["' || replace({table}.{column}, ' ', '","') || '"]') AS {alias}"""


def update_rows(table: str, values: dict[str, str], *, source: str, where: str) -> str:
    """Return the SQL that updates the rows of `table` that meet `where`.

    `source` is the FROM and WHERE of the one row with the new values of each; neither it nor the values may
    have brackets. This is for many wide rows: for an UPDATE ... FROM, SQLite first writes all new values to
    a table of its own, which does not fit into its cache.
    """
    columns, values_sql = ", ".join(values), ", ".join(values.values())
    return f"UPDATE OR FAIL {table} SET ({columns}) = (SELECT {values_sql} FROM {source}) WHERE {where}"


def _write_assignments(match: re.Match[str]) -> str:
    table, columns, values_sql, source, where = match.groups()
    pairs = zip(columns.split(","), values_sql.split(","), strict=True)
    assigned = ", ".join(f"{column.strip()} = {value.strip()}" for column, value in pairs)
    return f"UPDATE {table} SET {assigned} FROM {source} AND {where}"


def _translate_columns(columns: str) -> str:
    """Return the columns of a temporary table in T-SQL. TEXT is for codes, of at most 100 letters."""
    columns = re.sub(r"\bTEXT\b", "VARCHAR(100)", columns)
    columns = re.sub(r"\bVARCHAR(\(\d+\))", rf"nvarchar\1 COLLATE {COLLATION}", columns)
    columns = re.sub(r"\bLONGTEXT\b", "nvarchar(max)", columns)
    return re.sub(r"\bINTEGER\b", "bigint", columns)


# Patterns and their replacements, applied in this order: rules for a whole statement precede those for its
# parts.
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    # With OR FAIL, a failing statement leaves its changes to be undone with the transaction. SQLite then
    # needs no journal for the statement itself, which is a third of the bytes that a merge writes.
    (r"\b(INSERT|UPDATE) OR FAIL\b", r"\1"),
    (
        r"\A\s*UPDATE (\w+) SET \(([^()]*)\) = \(SELECT ([^()]*?) FROM ([^()]*)\) WHERE (.*)\Z",
        _write_assignments,
    ),
    # Staged dates are texts. Without the CAST the result would be a `datetime`, as `Mar  4 2025 12:00AM`.
    (r"date\(([\w.]+), '-1 day'\)", r"DATEADD(day, -1, CAST(\1 AS date))"),
    # Compared as bytes. No text that is compared in this way is longer than 500 letters.
    (
        r"(coalesce\([\w.]+, ''\)|[\w.]+) <> ([\w.]+) COLLATE BINARY",
        r"CAST(\1 AS varbinary(1000)) <> CAST(\2 AS varbinary(1000))",
    ),
    (
        r"""JOIN json_each\('\["' \|\| replace\(([\w.]+), ' ', '","'\) \|\| '"\]'\) AS (\w+)""",
        # As short texts, because an index cannot be searched for the words of an nvarchar(max).
        r"CROSS APPLY (SELECT CAST(value AS nvarchar(100)) AS value FROM STRING_SPLIT(\1, ' ')) AS \2",
    ),
    # A position among 36 letters. It becomes a part of a number of 60 bits, so it must be a bigint.
    (
        r"\binstr\(('\w+'), ?(substr\([^()]*\))\)",
        r"CAST(CHARINDEX(\2, \1) AS bigint)",
    ),
    (r"\bsubstr\(([\w.]+), 1, 10\)", r"CAST(\1 AS date)"),
    (r"\bsubstr\(", "SUBSTRING("),
    (r"\|\|", "+"),
    # CROSS JOIN makes SQLite join in this order. In T-SQL it takes no ON.
    (r"\bCROSS JOIN(?=\s+[\w.]+\s+\w+\s+ON\b)", "JOIN"),
    (
        r"CREATE TEMP TABLE (\w+) \((.*)\)(?: WITHOUT ROWID)?\s*\Z",
        lambda match: f"CREATE TABLE #{match[1]} ({_translate_columns(match[2])})",
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


def translate_to_t_sql(sql: str, *, stage: str) -> str:
    """Return a statement in T-SQL. The names of its staged tables begin with `stage`."""
    for pattern, replacement in _COMPILED:
        sql = pattern.sub(replacement, sql)
    return re.sub(r"\bstage\.(\w+)", rf"{stage}_\1", sql)


class SqlServerCursor(CursorWrapper):
    """A cursor for SQL Server that executes the SQL of loading; staged tables are named `stage`_x."""

    def __init__(self, cursor: CursorWrapper, *, stage: str) -> None:
        super().__init__(cursor.cursor, cursor.db)
        self._stage = stage
        self._rows: deque[Any] = deque()

    def execute(self, sql: Any, params: Any = None) -> Any:
        self._rows.clear()
        return super().execute(translate_to_t_sql(str(sql), stage=self._stage), params)

    def fetchone(self) -> Any:
        """Return the next row.

        Rows are read ahead, because an unread result blocks the connection for other statements.
        """
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
        """Execute an `INSERT ... VALUES (...)` for many rows, in as few statements as possible."""
        head, values = re.split(r"(?<= VALUES )", translate_to_t_sql(str(sql), stage=self._stage))
        rows = iter(param_list)
        size = min(_MOST_ROWS, _MOST_PARAMETERS // values.count("%s"))
        while batch := list(itertools.islice(rows, size)):
            super().execute(
                head + ", ".join([values] * len(batch)), list(itertools.chain.from_iterable(batch))
            )


def translating_cursor(cursor: CursorWrapper) -> CursorWrapper:
    """Return a cursor that executes the SQL of loading on any database; without a staging file."""
    return cursor if cursor.db.vendor == "sqlite" else SqlServerCursor(cursor, stage="stage")
