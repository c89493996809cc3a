"""Write rows with their own keys, and set the key that a database assigns next.

Django lets the database assign keys, so this is SQL of our own; SQLite and SQL Server differ.
"""

from typing import Any

from django.db import connections, models

from databases import tables
from databases.tables import Model


def last_given(model: Model, alias: str) -> int | None:
    """Return the last key that the database has assigned; None where it assigns none, or has not yet."""
    if model._meta.auto_field is None:
        return None
    connection = connections[alias]
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        else:
            cursor.execute(
                "SELECT CAST(last_value AS bigint) FROM sys.identity_columns"
                " WHERE object_id = OBJECT_ID(%s)",
                [table],
            )
        row = cursor.fetchone()
    return int(row[0]) if row and row[0] is not None else None


def go_on_after(model: Model, alias: str, last: int) -> None:
    """Make the next key higher than `last`, and than all existing keys."""
    connection = connections[alias]
    table = model._meta.db_table
    highest = model._base_manager.using(alias).aggregate(highest=models.Max("pk"))["highest"]
    last = max(last, highest or 0)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])
        else:
            # A table that never had a row assigns this number itself, any other the next one.
            number = int(last) + (last_given(model, alias) is None)
            name = connection.ops.quote_name(table).replace("'", "''")
            cursor.execute(f"DBCC CHECKIDENT ('{name}', RESEED, {number}) WITH NO_INFOMSGS")


def insert(model: Model, alias: str, rows: list[tuple[Any, ...]]) -> None:
    """Insert rows with all columns of the model, in its order.

    Columns that are NULL in all of these rows are left out: half of a listing's columns are.
    """
    connection = connections[alias]
    quoted = connection.ops.quote_name
    table = quoted(model._meta.db_table)
    columns = {
        quoted(str(field.column)): values
        for field, values in zip(tables.fields(model), zip(*rows, strict=True), strict=True)
        if values.count(None) < len(rows) or field.has_db_default()
    }
    places = ", ".join(["%s"] * len(columns))
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
    own_keys = connection.vendor == "microsoft" and model._meta.auto_field is not None
    with connection.cursor() as cursor:
        if own_keys:
            cursor.execute(f"SET IDENTITY_INSERT {table} ON")
        _in_arrays(cursor)
        cursor.executemany(sql, list(zip(*columns.values(), strict=True)))
        if own_keys:
            cursor.execute(f"SET IDENTITY_INSERT {table} OFF")


def _in_arrays(cursor: Any) -> None:
    """Make pyodbc send many rows at once, as other drivers do anyway."""
    while (inner := getattr(cursor, "cursor", None)) is not None:
        cursor = inner
    if hasattr(cursor, "fast_executemany"):
        cursor.fast_executemany = True
