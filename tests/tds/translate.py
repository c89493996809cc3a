"""A statement of T-SQL as one of SQLite's, with the conversions that SQL Server would make."""

import dataclasses
from collections.abc import Callable

from sqlglot import expressions as exp

from tests.tds import rewriting
from tests.tds.catalogue import Table, TableColumn
from tests.tds.dialects import WriteSQLite, read
from tests.tds.tokens import Column, SqlError
from tests.tds.typed import Typed, Typer, name_of, type_named, wider
from tests.tds.types import SqlType


@dataclasses.dataclass(frozen=True)
class Statement:
    sql: str
    columns: list[Column] | None  # of its result
    writes: bool
    kind: str  # select, insert, update, delete, into
    target: Table | None = None
    into: str = ""
    assigned: tuple[str, ...] = ()  # the variables that a SELECT sets
    given: tuple[str, ...] = ()  # the columns that an INSERT names


class Translator:
    def __init__(self, typer: Typer, find: Callable[[str], Table]) -> None:
        self._typer, self._find = typer, find

    def translate(self, sql: str) -> Statement:
        """Raises SqlError."""
        tree = read(sql)
        rewriting.pieces(tree)
        match tree:
            case exp.Insert():
                return self._insert(tree)
            case exp.Update():
                return self._update(tree)
            case exp.Delete():
                table = self._find(name_of(tree.this))
                return Statement(self._write(tree), None, True, "delete", table)
            case exp.Query():
                return self._select(tree)
        raise SqlError(102, f"Incorrect syntax near {sql[:200]}", 15)

    def expression(self, sql: str, table: Table | None = None) -> str:
        """A condition or a value of T-SQL by itself, as in a CHECK or a DEFAULT."""
        source = f" FROM [{table.name}]" if table else ""
        tree = read(f"SELECT CASE WHEN {sql} THEN 1 END{source}" if table else f"SELECT {sql}")
        self._rewrite(tree)
        selected = tree.expressions[0]
        return str((selected.args["ifs"][0].this if table else selected).sql(dialect=WriteSQLite))

    def _select(self, tree: exp.Query) -> Statement:
        assigned = []
        if isinstance(tree, exp.Select):
            for expression in tree.expressions:
                target = expression.this if isinstance(expression, exp.EQ) else expression
                if isinstance(expression, exp.EQ) and isinstance(target, exp.Parameter):
                    assigned.append(target.name)
                    expression.replace(expression.expression)
        self._strict(tree)
        into = tree.args.get("into")
        columns = self._typer.described(tree)
        if into is not None:
            tree.set("into", None)
            for column in columns:
                if not column.name:
                    raise SqlError(1038, "An object or column name is missing or empty.")
            return Statement(self._write(tree), columns, True, "into", into=name_of(into.this))
        return Statement(self._write(tree), columns, False, "select", assigned=tuple(assigned))

    def _strict(self, tree: exp.Expr) -> None:
        for select in tree.find_all(exp.Select):
            if select.args.get("offset") and not select.args.get("order"):
                raise SqlError(102, "Incorrect syntax near 'OFFSET'.", 15)
            bounded = select.args.get("offset") or select.args.get("limit")
            inner = select.parent is not None and not isinstance(select.parent, exp.Insert)
            if select.args.get("order") and not bounded and inner:
                raise SqlError(1033, "The ORDER BY clause is invalid in subqueries.", 15)
            self._grouped(select)

    def _grouped(self, select: exp.Select) -> None:
        """Columns beside aggregates must be among those that are grouped by."""
        group = select.args.get("group")
        if group is None:
            return
        by = {expression.sql().lower() for expression in group.expressions}
        names = {
            expression.name.lower()
            for expression in group.expressions
            if isinstance(expression, exp.Column)
        }

        def check(node: exp.Expr) -> None:
            if node.sql().lower() in by or isinstance(node, (exp.Subquery, exp.Literal)):
                return
            aggregates = ("COUNT", "COUNT_BIG", "SUM", "MIN", "MAX", "AVG", "STRING_AGG")
            if isinstance(node, exp.Anonymous) and str(node.this).upper() in aggregates:
                return
            if isinstance(node, exp.GroupConcat):
                return
            if isinstance(node, exp.Column) and node.name.lower() not in names:
                raise SqlError(8120, f"Column '{node.sql()}' is invalid in the select list.")
            for inner in node.iter_expressions():
                check(inner)

        for expression in select.expressions:
            check(expression.this if isinstance(expression, exp.Alias) else expression)

    def _insert(self, tree: exp.Insert) -> Statement:
        table = self._find(name_of(tree.this))
        named = (
            [column_.name for column_ in tree.this.expressions]
            if isinstance(tree.this, exp.Schema)
            else []
        )
        given = [table.column(name) for name in named] or [
            c for c in table.columns if not c.identity
        ]
        columns = self._returned(tree, table)
        source = tree.expression
        if isinstance(source, exp.Values):
            for row in source.expressions:
                if len(row.expressions) != len(given):
                    raise SqlError(
                        109, "There are more columns in the INSERT statement than values."
                    )
                for cell, column in zip(list(row.expressions), given, strict=True):
                    self._put(cell, column, table)
        elif source is not None:
            self._strict(tree)
            selected = self._typer.columns(source)
            if len(selected) != len(given):
                raise SqlError(213, "Column name or number of supplied values does not match.")
            tree.set("expression", self._fitted(source, selected, given, table))
        kinds = tuple(column.name for column in given)
        return Statement(self._write(tree), columns, True, "insert", table, given=kinds)

    def _fitted(
        self, source: exp.Expr, selected: list[Typed], given: list[TableColumn], table: Table
    ) -> exp.Expr:
        """The same rows, each value as one of its column's type."""
        if all(t and _fits(t, c.type) for (_, t, _), c in zip(selected, given, strict=True)):
            return source
        if isinstance(source, exp.Select):
            for expression, column in zip(list(source.expressions), given, strict=True):
                self._put(
                    expression.this if isinstance(expression, exp.Alias) else expression,
                    column,
                    table,
                )
        return source

    def _put(self, node: exp.Expr, column: TableColumn, table: Table) -> None:
        if isinstance(node, exp.Null):
            return
        type_ = self._typer.of(node)
        if type_ is not None:
            _allowed(type_, column.type)
            if _fits(type_, column.type):
                return
        where = exp.Literal.string(f"{table.name}.{column.name}")
        type_name = exp.Literal.string(str(column.type))
        node.replace(exp.Anonymous(this="ts_put", expressions=[node.copy(), type_name, where]))

    def _returned(self, tree: exp.Expr, table: Table) -> list[Column] | None:
        """OUTPUT INSERTED.x is RETURNING x."""
        returning = tree.args.get("returning")
        if returning is None:
            return None
        columns = []
        for expression in returning.expressions:
            column = table.column(expression.name)
            columns.append(Column(column.name, column.type, column.nullable))
            expression.set("table", None)
        return columns

    def _update(self, tree: exp.Update) -> Statement:
        table = self._find(name_of(tree.this))
        for assignment in tree.expressions:
            column = table.column(assignment.this.name)
            if column.identity:
                raise SqlError(8102, f"Cannot update identity column '{column.name}'.")
            self._put(assignment.expression, column, table)
            assignment.this.set("table", None)
        start = tree.args.get("from_")
        if start is not None and name_of(start.this) == name_of(tree.this):
            raise SqlError(40000, "This server takes no target in FROM: it would be joined twice.")
        return Statement(self._write(tree), None, True, "update", table)

    def _write(self, tree: exp.Expr) -> str:
        self._rewrite(tree)
        return str(tree.sql(dialect=WriteSQLite))

    def _rewrite(self, tree: exp.Expr) -> None:
        """Rewrite in place, from the leaves; types are read before their leaves are changed."""
        changes = [(node, self._changed(node)) for node in tree.walk()]
        for node, change in reversed(changes):
            if change is not None:
                change(node)

    def _changed(self, node: exp.Expr) -> Callable[[exp.Expr], object] | None:
        match node:
            case exp.Table():
                return rewriting.table
            case exp.Column() if node.args.get("table") and node.args["table"].args.get(
                "temporary"
            ):
                named = exp.to_identifier(f"#{node.table}", quoted=True)
                return lambda n: n.set("table", named)
            case exp.Cast() | exp.TryCast() | exp.Convert():
                return self._cast
            case exp.Collate():
                return rewriting.collate
            case exp.National() | exp.Literal():
                return rewriting.literal
            case exp.Like():
                type_ = wider([self._typer.of(node.this), self._typer.of(node.expression)])
                binary = bool(type_ and type_.binary)
                return lambda n: rewriting.like(n, binary=binary)
            case exp.Add() | exp.Mul() | exp.Sub():
                type_ = self._typer.of(node)
                outer = node.parent.unnest() if isinstance(node.parent, exp.Paren) else node.parent
                part = isinstance(outer, (exp.Add, exp.Mul, exp.Sub))
                return lambda n: rewriting.arithmetic(n, type_, part=part)
            case exp.In() if node.expressions:
                types = [self._typer.of(node.this), *map(self._typer.of, node.expressions)]
                return lambda n: rewriting.same_type([n.this, *n.expressions], types)
            case exp.EQ() | exp.NEQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                types = [self._typer.of(node.this), self._typer.of(node.expression)]
                return lambda n: rewriting.compared(n, types)
            case exp.Parameter():
                return lambda n: n.replace(exp.Placeholder(this=n.name))
            case exp.Lateral():
                return rewriting.split
            case exp.Anonymous():
                types = [self._typer.of(argument) for argument in node.expressions]
                return lambda n: rewriting.function(n, types)
        return None

    def _cast(self, node: exp.Expr) -> None:
        to = node.this if isinstance(node, exp.Convert) else node.args["to"]
        value = node.expression if isinstance(node, exp.Convert) else node.this
        type_name = exp.Literal.string(str(type_named(to)))
        style = node.args.get("style") if isinstance(node, exp.Convert) else None
        name = (
            "ts_try_cast" if isinstance(node, exp.TryCast) else "ts_convert" if style else "ts_cast"
        )
        given = [value, type_name, style] if style else [value, type_name]
        node.replace(exp.Anonymous(this=name, expressions=given))


def _fits(type_: SqlType, column: SqlType) -> bool:
    """Return whether every value of a type can be stored unchanged."""
    if type_.is_text and column.is_text:
        return column.size == -1 or (type_.size != -1 and type_.size <= column.size)
    return type_.name == column.name and (type_.size, type_.scale) == (column.size, column.scale)


def _allowed(type_: SqlType, column: SqlType) -> None:
    """Raise SqlError where SQL Server does not convert implicitly."""
    binary = ("binary", "varbinary")
    texts_and_bytes = (type_.is_text and column.name in binary) or (
        type_.name in binary and column.is_text
    )
    if texts_and_bytes:
        raise SqlError(257, f"Implicit conversion from {type_} to {column} is not allowed.")
    times = (type_.is_time and column.is_number) or (type_.is_number and column.is_time)
    if times:
        raise SqlError(206, f"Operand type clash: {type_} is incompatible with {column}")
