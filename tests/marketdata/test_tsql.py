"""Every statement is one that SQL Server takes; and a wrong one would not go unnoticed.

The queries of the whole suite are compiled too, by the fixture `portable`.
"""

from collections.abc import Iterator

import pytest
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Func, TextField
from django.db.models.functions import Length

from instruments.classification import cfi
from instruments.models import CfiCode, Instrument, Listing, Venue
from tests import tsql


def of_migrations() -> Iterator[tuple[str, str]]:
    """Every migration of the project and of what it is built on, as SQL Server gets it."""
    graph, state = MigrationLoader(None).graph, ProjectState()
    plan = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    with tsql.connected() as (connection, server):
        for app, name in plan:
            editor = connection.SchemaEditorClass(connection, collect_sql=True, atomic=False)
            editor.deferred_sql = []
            state = graph.nodes[app, name].apply(state, editor, collect_sql=True)
            asked = [sql for sql, _ in server.statements]
            for sql in (*editor.collected_sql, *map(str, editor.deferred_sql), *asked):
                yield f"{app}.{name}", sql
            server.statements.clear()


@pytest.mark.slow
def test_every_migration_is_sql_of_the_server(db: None) -> None:
    found = list(of_migrations())

    assert {problem: name for name, sql in found for problem in tsql.problems(sql)} == {}
    tables = [sql for _, sql in found if sql.startswith("CREATE TABLE [instruments_listing] ")]
    assert len(tables) == 1
    assert "[full_name] nvarchar(350) COLLATE Latin1_General_100_BIN2 NULL" in tables[0]
    assert "[strike_amount] numeric(35, 17) NULL" in tables[0]


@pytest.mark.slow
def test_texts_are_unicode_and_compared_letter_by_letter(db: None) -> None:
    """Joins of two columns of different collations are an error of the server."""
    for _, sql in of_migrations():
        for column in tsql.texts(sql):
            assert column.endswith("COLLATE Latin1_General_100_BIN2"), sql


def test_no_index_is_wider_than_the_server_takes() -> None:
    """1,700 bytes; a letter has two."""
    lengths = {
        (model._meta.db_table, field.column): 2 * (field.max_length or 8)
        for model in (Instrument, Listing)
        for field in model._meta.concrete_fields
    }
    assert lengths["instruments_listing", "full_name"] == 700
    widths = {
        index.name: sum(
            lengths[model._meta.db_table, _column(model, name)] for name in index.fields
        )
        for model in (Instrument, Listing)
        for index in model._meta.indexes
    }
    assert widths
    assert {name: width for name, width in widths.items() if width > 1_700} == {}


def _column(model: type[Instrument] | type[Listing], name: str) -> str:
    field = model._meta.get_field(name)
    return str(field.column)  # type: ignore[union-attr]  # a concrete one


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM",
        "SELECT a FROM t LIMIT 1",
        "SELECT a FROM t OFFSET 3 ROWS",
        "SELECT b FROM (SELECT b FROM t ORDER BY b) x",
        "SELECT (a = 1) AS b FROM t",
        "SELECT EXISTS(SELECT 1 FROM x) AS b FROM t",
        "SELECT a || b FROM t",
        "SELECT date(a, '-1 day') FROM t",
        "SELECT max(a, b) FROM t",
        "SELECT a, ifnull(b, 0) FROM t",
        "SELECT count(*) FROM t GROUP BY 1",
        "SELECT sum(coalesce((SELECT x.n FROM x WHERE x.a = t.a), 0)) AS n FROM t",
        "SELECT max(count(*)) AS n FROM t GROUP BY a",
        "SELECT t.plan FROM t",
        "SELECT a AS read FROM t",
        "SELECT a FROM t WHERE dbo.REGEXP_LIKE(a, ?, 1) = 1",
        "SELECT a FROM t WHERE (a, b) IN (SELECT 1, 2)",
        "SELECT a FROM t WHERE b IS TRUE",
        "UPDATE t SET (a, b) = (SELECT 1, 2)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "CREATE TABLE x (a INTEGER) WITHOUT ROWID",
        "ATTACH DATABASE ? AS stage",
        "PRAGMA page_count",
    ],
)
def test_what_another_database_would_take_is_found(sql: str) -> None:
    assert tsql.problems(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT TOP 1 a FROM t ORDER BY a",
        "SELECT a FROM t ORDER BY a OFFSET 20 ROWS FETCH FIRST 20 ROWS ONLY",
        "SELECT CASE WHEN EXISTS(SELECT 1 FROM x) THEN 1 ELSE 0 END AS b FROM t",
        "UPDATE t SET a = x.a FROM t JOIN #x AS x ON x.id = t.id WHERE x.b = 1",
        "SELECT a INTO #x FROM t",
        "SELECT [read] FROM t",
        "SELECT max(sum(a)) OVER (PARTITION BY b) AS n FROM t GROUP BY b",
        "SET IDENTITY_INSERT [t] ON; INSERT INTO [t] ([id]) VALUES (?); SET IDENTITY_INSERT [t] OFF",
    ],
)
def test_what_the_server_takes_is_let_through(sql: str) -> None:
    assert tsql.problems(sql) == ()


@pytest.mark.sqlite
def test_queries_are_compiled_as_they_are_made(db: None, sql_server: list[str]) -> None:
    assert list(Instrument.objects.order_by("isin")[20:40]) == []
    assert list(Instrument.objects.annotate(letters=Length("isin"))) == []
    assert sql_server == []

    kept = Func("isin", function="printf", output_field=TextField())
    assert list(Instrument.objects.annotate(kept=kept)) == []
    assert list(Instrument.objects.filter(isin__regex="X")) == []

    assert [problem.partition(":")[0] for problem in sql_server] == [
        "no function printf",
        "no function REGEXP_LIKE",
    ]
    sql_server.clear()


@pytest.mark.sqlite
def test_too_many_parameters_are_found(db: None, sql_server: list[str]) -> None:
    isins = [f"XX{number:010}" for number in range(2_101)]

    assert Instrument.objects.filter(isin__in=isins).count() == 0

    assert sql_server[0].startswith("2101 parameters: SELECT COUNT_BIG(*)")
    sql_server.clear()


@pytest.mark.sqlite
def test_a_text_that_is_too_long_for_its_column_is_found(db: None, sql_server: list[str]) -> None:
    venue = Venue.objects.create(mic="XXXX", name="x" * 351)
    Venue.objects.filter(pk=venue.pk).update(city="y" * 101)

    assert [problem.partition(":")[0] for problem in sql_server] == [
        "351 letters for instruments.Venue.name",
        "101 letters for instruments.Venue.city",
    ]
    sql_server.clear()


def test_what_only_other_databases_are_asked_is_sql_of_the_server(db: None) -> None:
    """SQLite has an index of names, by which it is asked; others compare."""
    with tsql.connected() as (_, server):
        every = Instrument.objects.using(tsql.ALIAS)
        asked = (
            every.search("siemens ag"),
            every.search("DE00072361"),
            every.of_category("E").with_status("active").after("DE0007236101"),
            every.in_currency("EUR").traded_on("XETR", register="ESMA"),
        )
        for found in asked:
            assert list(found.order_by("isin")[20:40]) == []
        codes = CfiCode.objects.using(tsql.ALIAS).matching(cfi.attribute_patterns("voting"))
        assert list(codes) == []

    statements = [sql for sql, _ in server.statements]
    assert [problem for sql in statements for problem in tsql.problems(sql)] == []
    assert any("UPPER([instruments_instrument].[full_name]) LIKE" in sql for sql in statements)
    assert any("FROM [instruments_cficode] WHERE (SUBSTRING(" in sql for sql in statements)
