"""Every migration, executed on a SQL Server's catalog: nothing is altered on which something depends."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from databases import named
from tests import tsql
from tests.catalog import Catalog, Refused


@pytest.fixture
def migrated(db: None) -> Catalog:
    """The catalog after all migrations of the project and of what it is built on."""
    graph, state = MigrationLoader(None).graph, ProjectState()
    plan = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    with tsql.connected() as (connection, _), named.as_default(tsql.ALIAS):
        catalog = connection.connection = Catalog()
        for app, name in plan:
            with connection.schema_editor(atomic=False) as editor:
                state = graph.nodes[app, name].apply(state, editor)
    return catalog


def asked_for(model: type[models.Model]) -> Iterator[tuple[str, list[str]]]:
    """Return the constraints and indexes of a model, with their columns."""
    for field in model._meta.local_concrete_fields:
        if field.unique:
            yield "unique", [str(field.column)]
        elif getattr(field, "db_index", False):
            yield "index", [str(field.column)]
    for index in model._meta.indexes:
        yield "index", [str(model._meta.get_field(f).column) for f, _ in index.fields_orders]  # type: ignore[union-attr]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            yield "unique", [str(model._meta.get_field(f).column) for f in constraint.fields]  # type: ignore[union-attr]


def test_migrations_make_what_the_models_ask_for(migrated: Catalog) -> None:
    managed = [
        m
        for m in apps.get_models(include_auto_created=True)
        if m._meta.managed and not m._meta.proxy
    ]
    lacking = []
    for model in managed:
        table = model._meta.db_table
        made = {str(f.column) for f in model._meta.local_concrete_fields}
        assert set(migrated.tables[table]) == made
        there = [kept for kept in migrated.kept.values() if kept.table == table]
        for what, columns in asked_for(model):
            fits = [
                kept
                for kept in there
                if kept.columns == columns
                and (what == "index" or kept.kind in ("UNIQUE", "UNIQUE INDEX", "PRIMARY KEY"))
            ]
            if not fits:
                lacking.append((table, what, columns))
    assert lacking == []


@pytest.mark.slow
def test_a_key_is_widened_with_what_points_to_it(migrated: Catalog) -> None:
    assert migrated.tables["token_blacklist_outstandingtoken"]["id"] == "bigint"
    assert migrated.tables["token_blacklist_blacklistedtoken"]["token_id"] == "bigint"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("ALTER TABLE [a] ALTER COLUMN [n] bigint NOT NULL", "5074"),
        ("ALTER TABLE [a] DROP COLUMN [n]", "5074"),
        ("ALTER TABLE [a] DROP CONSTRAINT [a_idx]", "3728"),
        ("ALTER TABLE [a] DROP CONSTRAINT [a_pk]", "3725"),
        ("ALTER TABLE [b] ADD CONSTRAINT [x] FOREIGN KEY ([t]) REFERENCES [a] ([id])", "1778"),
        ("CREATE INDEX [x] ON [b] ([long])", "1919"),
        ("CREATE INDEX [a_idx] ON [a] ([n])", "2714"),
        ("DROP INDEX [x] ON [a]", "3701"),
        ("EXEC sp_rename '[a].[n]', [m], 'COLUMN'", "15336"),
        ("ALTER TABLE [a] DROP COLUMN [x]", "4924"),
    ],
)
def test_what_the_server_would_refuse_is_noticed(sql: str, error: str) -> None:
    catalog = Catalog()
    for made in (
        "CREATE TABLE [a] ([id] int NOT NULL, [n] int NULL, CONSTRAINT [a_pk] PRIMARY KEY ([id]))",
        "CREATE TABLE [b] ([id] int NOT NULL, [t] nvarchar(9) NULL, [long] nvarchar(max) NULL)",
        "CREATE INDEX [a_idx] ON [a] ([n]) WHERE [n] IS NOT NULL",
        "ALTER TABLE [b] ADD CONSTRAINT [b_fk] FOREIGN KEY ([id]) REFERENCES [a] ([id])",
    ):
        catalog.execute(made)

    with pytest.raises(Refused, match=error):
        catalog.execute(sql)
