"""The SQL of loading on SQL Server. The fixture `portable` also checks every statement of every test."""

import dataclasses
import itertools
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from esma_files.parsing.reader import Limits
from instruments.layouts import layout_of
from instruments.staging import bulk
from instruments.staging.attach import MergeBusy, attached
from instruments.staging.dialect import (
    SqlServerCursor,
    day_before,
    join_words,
    texts_differ,
    translate_to_t_sql,
    update_rows,
)
from instruments.staging.staging import Staged, Staging
from tests import tsql
from tests.conftest import DATA, FIRDS

BINARY = "COLLATE Latin1_General_100_BIN2"


@pytest.mark.parametrize(
    ("sqlite", "server"),
    [
        (
            "SELECT 1 FROM temp.outcome WHERE a = 1 LIMIT 1",
            "SELECT TOP 1 1 FROM #outcome WHERE a = 1",
        ),
        (
            f"SELECT {day_before('t.a')} AS b FROM temp.t t",
            "SELECT CASE WHEN t.a = '0001-01-01' THEN t.a"
            " ELSE DATEADD(day, -1, CAST(t.a AS date)) END AS b FROM #t t",
        ),
        (
            "UPDATE t SET a = x.a FROM temp.x x WHERE x.i = t.i"
            f" AND ({texts_differ('x.a', 't.a')} OR x.b <> t.b)",
            "UPDATE t SET a = x.a FROM #x x WHERE x.i = t.i"
            " AND (CAST(x.a AS varbinary(1000)) <> CAST(t.a AS varbinary(1000)) OR x.b <> t.b)",
        ),
        (
            f"SELECT w.value FROM temp.n n {join_words('n', 'codes', 'w')}",
            "SELECT w.value FROM #n n CROSS APPLY"
            " (SELECT CAST(value AS nvarchar(100)) AS value FROM STRING_SPLIT(n.codes, ' ')) AS w",
        ),
        (
            "CREATE TEMP TABLE c (isin TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID",
            f"CREATE TABLE #c (isin nvarchar(100) {BINARY} PRIMARY KEY, n bigint)",
        ),
        (
            "CREATE TEMP TABLE c AS SELECT a, count(*) AS n FROM t GROUP BY a",
            "SELECT * INTO #c FROM (SELECT a, count(*) AS n FROM t GROUP BY a) AS made",
        ),
        (
            "CREATE TEMP TABLE c AS WITH x AS (SELECT 1 AS a), made AS (SELECT a FROM x) SELECT * FROM made",
            "WITH x AS (SELECT 1 AS a), made AS (SELECT a FROM x) SELECT * INTO #c FROM made",
        ),
        ("CREATE INDEX temp.i ON t (a, b)", "CREATE INDEX i ON #t (a, b)"),
        (
            "UPDATE temp.t SET a = (SELECT l.id FROM l WHERE l.b = (temp.t.b) ORDER BY l.c LIMIT 1)",
            "UPDATE #t SET a = (SELECT TOP 1 l.id FROM l WHERE l.b = (#t.b) ORDER BY l.c)",
        ),
        (
            "SELECT s.a FROM temp.c c CROSS JOIN stage.record s ON s.a = c.a CROSS JOIN l WHERE l.a = 1",
            "SELECT s.a FROM #c c JOIN stage_7_record s ON s.a = c.a CROSS JOIN l WHERE l.a = 1",
        ),
        (
            "SELECT instr('012AB',substr(t.a,3,1))-1 AS n FROM temp.t t",
            "SELECT CAST(CHARINDEX(SUBSTRING(t.a,3,1), '012AB') AS bigint)-1 AS n FROM #t t",
        ),
        (
            "CREATE TEMP TABLE c (isin TEXT, n INTEGER, PRIMARY KEY (isin, n)) WITHOUT ROWID",
            f"CREATE TABLE #c (isin nvarchar(100) {BINARY}, n bigint, PRIMARY KEY (isin, n))",
        ),
        ("INSERT OR FAIL INTO t (a) SELECT 1", "INSERT INTO t (a) SELECT 1"),
        (
            update_rows(
                "t",
                {"a": "s.a", "b": "7", "c": "NULL"},
                source="temp.u u JOIN stage.record s ON s.n = u.n WHERE u.id = t.id",
                where="t.id IN (SELECT id FROM temp.u WHERE n IS NOT NULL)",
            ),
            "UPDATE t SET a = s.a, b = 7, c = NULL FROM #u u JOIN stage_7_record s ON s.n = u.n"
            " WHERE u.id = t.id AND t.id IN (SELECT id FROM #u WHERE n IS NOT NULL)",
        ),
        (
            "SELECT substr(l.a, 1, 1) FROM stage.known l",
            "SELECT SUBSTRING(l.a, 1, 1) FROM stage_7_known l",
        ),
    ],
)
def test_each_rule_gives_the_words_of_the_server(sqlite: str, server: str) -> None:
    translated = translate_to_t_sql(sqlite, stage="stage_7")

    assert " ".join(translated.split()) == server
    assert tsql.problems(translated) == ()


def test_what_no_rule_covers_is_noticed() -> None:
    translated = translate_to_t_sql("SELECT group_concat(a) FROM temp.t", stage="stage_7")

    assert [problem.partition(":")[0] for problem in tsql.problems(translated)] == [
        "no function group_concat"
    ]


@pytest.mark.sqlite
def test_statements_of_loading_are_read_as_they_are_made(db: None, sql_server: list[str]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE odd (a TEXT)")
        cursor.execute("SELECT total(a) FROM temp.odd")
        cursor.execute("DROP TABLE temp.odd")

    assert [problem.partition(":")[0] for problem in sql_server] == ["no function total"]
    sql_server.clear()


def test_many_rows_go_in_few_statements_within_the_limits(db: None) -> None:
    with tsql.connected() as (connection, server):
        cursor = SqlServerCursor(connection.cursor(), stage="stage_7")
        cursor.executemany(
            "INSERT INTO temp.mark VALUES (%s, nullif(%s, 0))", [(n, 0) for n in range(2_500)]
        )

    statements = [(sql, parameters) for sql, parameters in server.statements if "#mark" in sql]
    assert [len(parameters) for _, parameters in statements] == [2_000, 2_000, 1_000]
    assert list(itertools.chain.from_iterable(p for _, p in statements))[:4] == [0, 0, 1, 0]
    assert tsql.problems(statements[-1][0]) == ()


class Inserting(tsql.Server):
    """Takes rows too, as pyodbc does."""

    fast_executemany = False

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[tuple[Any, ...]]] = {}

    def executemany(self, sql: str, rows: Any) -> None:
        assert self.fast_executemany
        assert tsql.problems(sql) == ()
        self.rows.setdefault(sql, []).extend(rows)


def staged(path: Path, folder: Path) -> Staged:
    with path.open("rb") as source:
        return Staging(
            name=path.name,
            dataset="",
            folder=folder,
            layout=layout_of(path.name),
            limits=Limits(10**9, 200),
        ).stage(source)


ONE_OF_EACH = [
    next(FIRDS.glob("FULINS_D*.zip")),
    FIRDS / "DLTINS_20210117_01of01.zip",
    next((DATA / "fitrs").glob("FULNCR*.zip")),
]


@pytest.mark.parametrize("path", ONE_OF_EACH, ids=lambda path: path.name)
def test_what_was_staged_is_copied_whole(path: Path, tmp_path: Path, db: None) -> None:
    file = staged(path, tmp_path)
    tables = bulk.tables_of(file.path, file.layout)

    server = Inserting()
    with tsql.connected(dataclasses.replace(tsql.SERVER, driver="pyodbc")) as (connection, _):
        connection.connection = server
        bulk.copy(connection, tables, stage="stage_7")

    with sqlite3.connect(file.path) as reading:
        for table in tables:
            rows = reading.execute(
                f"SELECT {', '.join(table.columns)} FROM {table.name}"
            ).fetchall()
            copied = [v for sql, v in server.rows.items() if f"INTO stage_7_{table.name} " in sql]
            assert sorted(itertools.chain.from_iterable(copied), key=str) == sorted(rows, key=str)
    assert {table.name for table in tables} >= {"record", "known", "rejected"}
    made = [sql for sql, _ in server.statements if "CREATE" in sql]
    assert any(sql.startswith("CREATE INDEX") and " ON stage_7_" in sql for sql in made)
    assert [problem for sql in made for problem in tsql.problems(sql)] == []
    for sql in made:
        assert all(text.endswith(BINARY) for text in tsql.texts(sql)), sql


def test_no_text_is_longer_than_its_column(tmp_path: Path) -> None:
    """The longest of each column of a real file fits what is declared for it."""
    path = FIRDS / "DLTINS_20210117_01of01.zip"
    file = staged(path, tmp_path)
    checked = 0
    with sqlite3.connect(file.path) as reading:
        for table in bulk.tables_of(file.path, file.layout):
            for column, type_ in table.columns.items():
                if type_.startswith("nvarchar(") and "max" not in type_:
                    asked = f"SELECT max(length({column})) FROM {table.name}"
                    longest = reading.execute(asked).fetchone()[0] or 0
                    assert longest <= int(type_[9:].partition(")")[0]), (column, longest)
                    checked += longest > 0
    assert checked > 20


def test_another_thread_may_read_on(tmp_path: Path) -> None:
    """As the driver does, which reads what it sends in a thread of its own."""
    path = FIRDS / "DLTINS_20210117_01of01.zip"
    [table] = [
        t
        for t in bulk.tables_of(staged(path, tmp_path).path, layout_of(path.name))
        if t.name == "record"
    ]
    batches = table.batches()
    first = next(batches)
    reader = pa.RecordBatchReader.from_batches(table.schema, itertools.chain([first], batches))

    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(reader.read_all).result()

    assert len(read) == len(first) > 0


@pytest.mark.slow
def test_without_a_bulk_load_rows_are_inserted_and_it_is_said(
    tmp_path: Path, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Microsoft's driver finds nobody at the port; what inserts ends at a Server."""
    file = staged(FIRDS / "DLTINS_20210117_01of01.zip", tmp_path)
    [table] = [t for t in bulk.tables_of(file.path, file.layout) if t.name == "record"]
    server = Inserting()
    with tsql.connected() as (connection, _), caplog.at_level(logging.WARNING):
        connection.connection = server
        bulk.copy(connection, [table], stage="stage_7")

    assert "No bulk load of stage_7_record" in caplog.text
    [rows] = server.rows.values()
    with sqlite3.connect(file.path) as reading:
        assert len(rows) == reading.execute("SELECT count(*) FROM record").fetchone()[0]


def test_a_cursor_of_the_server_is_one_of_djangos(db: None) -> None:
    with tsql.connected() as (connection, server):
        cursor: CursorWrapper = SqlServerCursor(connection.cursor(), stage="stage_7")
        cursor.execute("SELECT position FROM stage.rejected LIMIT 3")

    assert server.statements[-1][0] == "SELECT TOP 3 position FROM stage_7_rejected"


class Held(Inserting):
    """Gives the lock of merges, or not."""

    answer = 0

    def fetchall(self) -> list[tuple[int]]:
        return [(self.answer,)] if "sp_getapplock" in self.statements[-1][0] else []


def test_a_merge_is_alone_and_leaves_nothing_behind(tmp_path: Path, db: None) -> None:
    path = FIRDS / "DLTINS_20210117_01of01.zip"
    file, server = EsmaFile(pk=7, name=path.name), Held()
    with tsql.connected(dataclasses.replace(tsql.SERVER, driver="pyodbc")) as (connection, _):
        connection.connection = server
        with attached(connection, file, staged(path, tmp_path)) as cursor:
            cursor.execute("SELECT position FROM stage.record")

    statements = [" ".join(sql.split()) for sql, _ in server.statements]
    merged = statements.index("SELECT position FROM stage_7_record")
    assert "sp_getapplock" in statements[merged - 1]
    assert statements[merged + 1].startswith("EXEC sp_releaseapplock")
    made = {sql.split()[2] for sql in statements[:merged] if sql.startswith("CREATE TABLE")}
    assert {sql.split()[-1] for sql in statements[merged + 2 :] if "DROP TABLE" in sql} == made


def test_a_merge_that_waits_for_an_hour_is_put_off(tmp_path: Path, db: None) -> None:
    path = FIRDS / "DLTINS_20210117_01of01.zip"
    server = Held()
    server.answer = -1
    with tsql.connected(dataclasses.replace(tsql.SERVER, driver="pyodbc")) as (connection, _):
        connection.connection = server
        context = attached(connection, EsmaFile(pk=7, name=path.name), staged(path, tmp_path))
        with pytest.raises(MergeBusy), context:
            raise AssertionError("the lock was not given")

    assert "sp_releaseapplock" not in str(server.statements)
    assert server.statements[-1][0].startswith("DROP TABLE")
