"""The type of an expression of T-SQL, for the columns of results and for comparisons."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot import expressions as exp

from tests.tds.catalogue import Catalogue
from tests.tds.tokens import Column
from tests.tds.types import MAX, SqlType, declared

Typed = tuple[
    str, SqlType | None, bool
]  # the name, the type (None: NULL alone), and whether NULL may be

_INT, _BIGINT = SqlType("int"), SqlType("bigint")
_ORDER = (
    "datetimeoffset", "datetime2", "date", "time", "float", "decimal", "bigint", "int", "smallint",
    "tinyint", "bit", "uniqueidentifier", "nvarchar", "nchar", "varchar", "char", "varbinary", "binary",
)  # fmt: skip
_DIGITS = {"bigint": 19, "int": 10, "smallint": 5, "tinyint": 3, "bit": 1}
_FUNCTIONS: dict[str, SqlType] = {
    **dict.fromkeys(("LEN", "CHARINDEX", "DATEDIFF", "DATEPART", "YEAR", "COUNT", "ISJSON"), _INT),
    **dict.fromkeys(("OBJECT_ID", "SCHEMA_ID", "COLUMNPROPERTY", "DATALENGTH", "FILEPROPERTY"), _INT),
    **dict.fromkeys(("HAS_PERMS_BY_NAME", "TS_TRANCOUNT", "TS_ROWCOUNT", "MONTH", "DAY", "SIGN"), _INT),
    **dict.fromkeys(("COUNT_BIG", "ROW_NUMBER", "RANK", "DENSE_RANK"), _BIGINT),
    **dict.fromkeys(("SCOPE_IDENTITY", "IDENT_CURRENT", "TS_IDENTITY"), SqlType("decimal", 38, 0)),
    **dict.fromkeys(("SYSDATETIME", "SYSUTCDATETIME", "GETDATE", "GETUTCDATE"), SqlType("datetime2", 7)),
    **dict.fromkeys(("DB_NAME", "SCHEMA_NAME", "OBJECT_NAME", "COL_NAME"), SqlType("nvarchar", 128)),
    **dict.fromkeys(("USER_NAME", "SUSER_SNAME", "TS_SERVERNAME"), SqlType("nvarchar", 128)),
    **dict.fromkeys(("JSON_VALUE", "CONCAT"), SqlType("nvarchar", 4000)),
    "SERVERPROPERTY": SqlType("nvarchar", 128),
    "DATABASEPROPERTYEX": SqlType("nvarchar", 128),
    "SYSDATETIMEOFFSET": SqlType("datetimeoffset", 7),
    "TS_VERSION": SqlType("nvarchar", 300),
    "JSON_QUERY": SqlType("nvarchar", MAX),
    "STRING_AGG": SqlType("nvarchar", 4000),
}  # fmt: skip
_AS_FIRST = {
    "MIN",
    "MAX",
    "LEAD",
    "LAG",
    "UPPER",
    "LOWER",
    "LTRIM",
    "RTRIM",
    "LEFT",
    "RIGHT",
    "ABS",
    "ROUND",
}
_AS_FIRST |= {"FIRST_VALUE", "LAST_VALUE", "REPLACE", "ISNULL", "NULLIF", "TRIM"}


def type_named(node: exp.Expr) -> SqlType:
    """The type of a cast: without a length, a text has 30 letters in it."""
    type_ = declared(node.sql(dialect="tsql").replace("TIMESTAMPTZ", "datetimeoffset"))
    if type_.is_text and not node.expressions:
        return dataclasses.replace(type_, size=30)
    return type_


def wider(types: list[SqlType | None]) -> SqlType | None:
    """The type of a choice between expressions."""
    known = [type_ for type_ in types if type_ is not None]
    if not known:
        return None
    best = min(known, key=lambda type_: _ORDER.index(type_.name))
    same = [type_ for type_ in known if type_.name == best.name]
    if best.is_text:
        texts = [type_ for type_ in known if type_.is_text]
        size = MAX if any(t.size == MAX for t in texts) else max(t.size for t in texts)
        return SqlType(best.name, size, binary=any(t.binary for t in texts))
    if best.name == "decimal":
        scale = max(t.scale for t in same)
        whole = max([t.size - t.scale for t in same] + [_DIGITS.get(t.name, 0) for t in known])
        return SqlType("decimal", min(38, whole + scale), scale)
    return max(same, key=lambda type_: type_.size)


class Typer:
    """Types of the parts of one statement; `variables` are those of parameters and variables."""

    def __init__(self, catalogue: Catalogue, variables: Mapping[str, SqlType]) -> None:
        self._catalogue = catalogue
        self._within: set[int] = set()
        self._cut = False
        self._columns: dict[int, tuple[exp.Expr, list[Typed]]] = {}  # of queries seen already
        self._variables = {name.lower(): type_ for name, type_ in variables.items()}

    def columns(self, query: exp.Expr) -> list[Typed]:
        """The columns of a result."""
        if id(query) not in self._columns:
            before, self._cut = self._cut, False
            typed_columns = self._read_columns(query)
            if self._cut:  # it refers to itself: this is not the whole answer
                self._cut = bool(self._within)
                return typed_columns
            self._cut = before
            self._columns[id(query)] = query, typed_columns
        return self._columns[id(query)][1]

    def _read_columns(self, query: exp.Expr) -> list[Typed]:
        if isinstance(query, exp.Subquery):
            return self.columns(query.this)
        if isinstance(query, exp.SetOperation):
            sides = zip(self.columns(query.left), self.columns(query.right), strict=False)
            return [
                (expression[0], wider([expression[1], two[1]]), expression[2] or two[2])
                for expression, two in sides
            ]
        if isinstance(query, exp.Values):
            rows = [row.expressions for row in query.expressions]
            types = [wider([self.of(cell) for cell in cells]) for cells in zip(*rows, strict=True)]
            named = query.args["alias"].columns if query.args.get("alias") else []
            return [(named[i].name if i < len(named) else "", t, True) for i, t in enumerate(types)]
        typed_columns: list[Typed] = []
        for expression in query.expressions:
            if isinstance(expression, exp.Star):
                typed_columns += [
                    column for _, columns in self._sources(query) for column in columns
                ]
            elif isinstance(expression, exp.Column) and isinstance(expression.this, exp.Star):
                name = expression.table.lower()
                typed_columns += [
                    c for its, columns in self._sources(query) if its == name for c in columns
                ]
            else:
                inner = expression.this if isinstance(expression, exp.Alias) else expression
                named = (
                    expression.alias_or_name
                    if isinstance(expression, (exp.Alias, exp.Column))
                    else ""
                )
                typed_columns.append((named, self.of(inner), self._nullable(inner)))
        return typed_columns

    def described(self, query: exp.Expr) -> list[Column]:
        return [Column(name, type_, null) for name, type_, null in self.columns(query)]  # type: ignore[arg-type]

    def _nullable(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Column):
            column = self._column(node)
            return column is None or column[2]
        return not isinstance(node, exp.Literal)

    def _sources(self, query: exp.Expr) -> Iterator[tuple[str, list[Typed]]]:
        """Yield the sources of a query by name."""
        start = query.args.get("from_")
        tables = [start.this] if start else []
        if isinstance(query, (exp.Update, exp.Delete, exp.Insert)) and query.this is not None:
            target = query.this.this if isinstance(query.this, exp.Schema) else query.this
            tables.append(target)
        for table in list(tables):
            tables += [join.this for join in table.args.get("joins") or []]
        tables += [join.this for join in query.args.get("joins") or []]
        for table in tables:
            yield table.alias_or_name.lower(), self._of_source(table, query)

    def _of_source(self, table: exp.Expr, query: exp.Expr) -> list[Typed]:
        if id(table) in self._within:  # a column of a view of the system: it is not outside either
            self._cut = True
            return []
        self._within.add(id(table))
        try:
            return self._read_from(table, query)
        finally:
            self._within.discard(id(table))

    def _read_from(self, table: exp.Expr, query: exp.Expr) -> list[Typed]:
        if isinstance(table, exp.Lateral):
            given = self.of(table.this.expressions[0]) or SqlType("nvarchar", 4000)
            return [("value", given, True)]
        if not isinstance(table, exp.Table):
            return self._renamed(table, self.columns(table))
        cte = self._cte(table.name, query) if not table.db else None
        if cte is not None:
            return self._renamed(cte, self.columns(cte.this))
        if table.db.lower() in ("sys", "information_schema"):
            return []
        definition = self._catalogue.find(name_of(table))
        return [(c.name, c.type, c.nullable) for c in definition.columns] if definition else []

    def _renamed(self, node: exp.Expr, columns: list[Typed]) -> list[Typed]:
        alias = node.args.get("alias")
        names = [name.name for name in alias.columns] if isinstance(alias, exp.TableAlias) else []
        if not names:
            return columns
        return [(name, t, null) for name, (_, t, null) in zip(names, columns, strict=True)]

    def _cte(self, name: str, at: exp.Expr | None) -> exp.CTE | None:
        while at is not None:
            known = at.args.get("with_")
            for cte in known.expressions if known else []:
                if isinstance(cte, exp.CTE) and cte.alias.lower() == name.lower():
                    return cte
            at = at.parent
        return None

    def _column(self, node: exp.Column) -> Typed | None:
        name, table = node.name.lower(), node.table.lower().lstrip("#")
        at = node.parent
        while at is not None:
            if isinstance(at, (exp.Select, exp.Update, exp.Delete)):
                for its, columns in self._sources(at):
                    if table in ("", its.lstrip("#")):
                        for column in columns:
                            if column[0].lower() == name:
                                return column
            at = at.parent
        return None

    def of(self, node: exp.Expr) -> SqlType | None:
        """The type of an expression; None for NULL alone, and where it is not known."""
        match node:
            case exp.Column():
                column = self._column(node)
                return column[1] if column else None
            case exp.Literal():
                return _of_literal(node)
            case exp.National():
                return SqlType("nvarchar", max(1, len(node.name)))
            case exp.Parameter():
                return self._variables.get(node.name.lower())
            case exp.Cast() | exp.TryCast():
                return type_named(node.args["to"])
            case exp.Convert():
                return type_named(node.this)
            case exp.Collate():
                inner = self.of(node.this)
                binary = "BIN" in node.expression.name.upper()
                return inner and SqlType(inner.name, inner.size, inner.scale, binary=binary)
            case exp.Paren() | exp.Neg() | exp.Window() | exp.Alias() | exp.Distinct():
                inside = node.expressions[0] if isinstance(node, exp.Distinct) else node.this
                return self.of(inside)
            case exp.Subquery() | exp.Select():
                return self.columns(node)[0][1]
            case exp.Case():
                results = [branch.args["true"] for branch in node.args["ifs"]] + [
                    node.args.get("default")
                ]
                return wider([self.of(branch) for branch in results if branch is not None])
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.Mod() | exp.BitwiseAnd():
                sides = [self.of(node.this), self.of(node.expression)]
                type_ = wider(sides)
                return _joined(sides) if type_ and type_.is_text else type_
            case exp.Anonymous() | exp.GroupConcat():
                return self._of_function(node)
        return None

    def _of_function(self, node: Any) -> SqlType | None:
        if isinstance(node, exp.GroupConcat):
            return _FUNCTIONS["STRING_AGG"]
        name, given = str(node.name).upper(), node.expressions
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        if name in _AS_FIRST or name == "SUBSTRING":
            return self.of(given[0])
        if name in ("COALESCE", "IIF"):
            return wider(
                [self.of(argument) for argument in (given[1:] if name == "IIF" else given)]
            )
        if name in ("SUM", "AVG"):
            type_ = self.of(given[0])
            if type_ and type_.name == "decimal":
                return SqlType("decimal", 38, type_.scale)
            return _INT if type_ and type_.name in ("int", "smallint", "tinyint") else type_
        if name == "DATEADD":
            type_ = self.of(given[2])
            return type_ if type_ and type_.is_time else SqlType("datetime2", 7)
        return None


def _joined(types: list[SqlType | None]) -> SqlType:
    """Of texts that are joined by a plus."""
    sides = [side for side in types if side]
    size = MAX if any(side.size == MAX for side in sides) else sum(side.size for side in sides)
    binary = any(side.binary for side in sides)
    name = "nvarchar" if any(side.name.startswith("n") for side in sides) else "varchar"
    return SqlType(name, min(size, 4000 if name == "nvarchar" else 8000), binary=binary)


def _of_literal(node: exp.Literal) -> SqlType:
    text = node.name
    if node.is_string:
        return SqlType("varchar", max(1, len(text)))
    if "e" in text.lower():
        return SqlType("float")
    whole, _, part = text.partition(".")
    if part or abs(int(whole)) > 2**31 - 1:  # a number that is too large for int is a decimal
        return SqlType("decimal", max(1, len(whole) + len(part)), len(part))
    return _INT


def name_of(table: exp.Expr) -> str:
    """The name of a table, `#x` for a temporary one."""
    if isinstance(table, exp.Schema):
        table = table.this
    temporary = isinstance(table.this, exp.Identifier) and table.this.args.get("temporary")
    return f"#{table.name}" if temporary and not table.name.startswith("#") else table.name
