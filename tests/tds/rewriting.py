"""Parts of a statement in SQLite's words: each is changed in place, after the parts that it has."""

from sqlglot import expressions as exp

from tests.tds.tokens import SqlError
from tests.tds.typed import name_of, wider
from tests.tds.types import SqlType

_PARTS = {"DATEADD", "DATEDIFF", "DATEPART"}
# What SQLite has under the same name with the same meaning.
_THE_SAME = {
    "COUNT", "MIN", "MAX", "COALESCE", "NULLIF", "ROW_NUMBER", "RANK", "DENSE_RANK", "LEAD", "LAG",
    "REPLACE", "ABS", "IIF", "FIRST_VALUE", "LAST_VALUE", "ROUND",
}  # fmt: skip
_OTHERWISE = {"COUNT_BIG": "COUNT", "ISNULL": "COALESCE", "STRING_AGG": "GROUP_CONCAT"}


def table(node: exp.Expr) -> None:
    name, schema = name_of(node), node.text("db").lower()
    if not isinstance(node.this, exp.Identifier):
        return
    node.set("hints", None)
    node.set("catalog", None)
    prefix = {"sys": "sys_", "information_schema": "info_"}.get(schema, "")
    node.set("this", exp.to_identifier(prefix + name, quoted=True))
    node.set("db", exp.to_identifier("temp") if name.startswith("#") else None)
    if prefix and not node.args.get("alias"):
        node.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    elif name.startswith("#") and not node.args.get("alias"):
        node.set("alias", None)


def literal(node: exp.Expr) -> None:
    """A text without N before it has no other letters than those of the code page."""
    if isinstance(node, exp.National):
        node.replace(exp.Literal.string(node.name))
    elif node.is_string:
        node.set("this", node.name.encode("cp1252", "replace").decode("cp1252"))


def collate(node: exp.Expr) -> None:
    binary = "BIN" in node.expression.name.upper()
    node.set("expression", exp.Var(this="BIN2" if binary else "CI"))


def like(node: exp.Expr, *, binary: bool) -> None:
    outer = node.parent if isinstance(node.parent, exp.Escape) else node
    escape = outer.expression if outer is not node else exp.null()
    given = [node.this, node.expression, escape, exp.Literal.number(int(binary))]
    outer.replace(
        exp.Anonymous(this="ts_like", expressions=[argument.copy() for argument in given])
    )


def arithmetic(node: exp.Expr, type_: SqlType | None, *, part: bool) -> None:
    """Rewrite a sum as a whole, because SQLite's parser does not accept deep expressions."""
    if type_ is None or (part and not type_.is_text):
        return
    if type_.is_text:
        node.replace(exp.DPipe(this=node.this, expression=node.expression))
    elif type_.name in ("int", "bigint", "smallint"):
        type_name = exp.Literal.string(type_.name)
        node.replace(exp.Anonymous(this="ts_cast", expressions=[node.copy(), type_name]))


def compared(node: exp.Expr, types: list[SqlType | None]) -> None:
    left, right = types
    if left and right and left.is_text and right.is_text and left.binary != right.binary:
        columns = [isinstance(side, exp.Column) for side in (node.this, node.expression)]
        if all(columns):
            raise SqlError(468, "Cannot resolve the collation conflict between two columns.")
    same_type([node.this, node.expression], types)
    if (left and left.is_text) or (right and right.is_text):
        side = node.this
        binary = any(t is not None and t.binary for t in types)
        if not isinstance(side, (exp.Column, exp.Collate)) and not isinstance(
            node.expression, exp.Column
        ):
            collation = exp.Var(this="BIN2" if binary else "CI")
            side.replace(exp.Collate(this=side.copy(), expression=collation))


def same_type(sides: list[exp.Expr], types: list[SqlType | None]) -> None:
    """Convert operands of a comparison to the type with the highest precedence."""
    to = wider(types)
    if to is None or to.is_text:
        return
    for side, type_ in zip(sides, types, strict=True):
        if type_ is None or type_.name == to.name or (type_.is_number and to.name != "decimal"):
            continue
        if type_.is_number and to.is_time:
            raise SqlError(206, f"Operand type clash: {type_} is incompatible with {to}")
        if to.name == "decimal" and type_.is_number:
            continue
        type_name = exp.Literal.string(str(to))
        side.replace(exp.Anonymous(this="ts_cast", expressions=[side.copy(), type_name]))


def pieces(tree: exp.Expr) -> None:
    """CROSS APPLY (SELECT CAST(value AS ...) AS value FROM STRING_SPLIT(...)) AS y: pieces are short here."""
    for applied in tree.find_all(exp.Lateral):
        if isinstance(applied.this, exp.Subquery):
            applied.set("this", applied.this.this.args["from_"].this.this)


def split(node: exp.Expr) -> None:
    """CROSS APPLY STRING_SPLIT(x, ' ') AS y."""
    text, separator = node.this.expressions
    pieces_ = exp.Anonymous(this="ts_split", expressions=[text.copy(), separator.copy()])
    table = exp.Table(
        this=exp.Anonymous(this="json_each", expressions=[pieces_]), alias=node.args["alias"].copy()
    )
    node.replace(table)


def function(node: exp.Expr, types: list[SqlType | None]) -> None:
    name = str(node.name).upper()
    if name in _PARTS:
        node.expressions[0].replace(exp.Literal.string(node.expressions[0].name.lower()))
    if name in ("SUM", "AVG"):
        decimal = types and types[0] is not None and types[0].name == "decimal"
        node.set("this", f"ts_{name.lower()}_decimal" if decimal else name)
        if name == "AVG" and types and types[0] and types[0].name in ("int", "bigint"):
            node.set("this", "ts_avg_whole")
    elif name in _OTHERWISE:
        node.set("this", _OTHERWISE[name])
    elif name == "JSON_EACH" or name.startswith("TS_"):
        return
    elif name not in _THE_SAME:
        node.set("this", f"ts_{name.lower()}")
