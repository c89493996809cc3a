"""A decimal field that is exact on every database."""

from decimal import Context, Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import lookups

# More digits than any column has: Python's default context rounds to 28.
_WIDE = Context(prec=100)


def exact_text(value: Decimal) -> str:
    """Return all digits of a value, without trailing zeros."""
    return format(value.normalize(_WIDE), "f")


class ExactDecimalField(models.DecimalField[Decimal | str | None, Decimal | None]):
    """A DecimalField that is stored as text on SQLite.

    Django declares decimals with NUMERIC affinity there, and SQLite converts values of more than 15 digits
    to floats; ESMA allows 18 digits. Text is exact, and the lookups below compare exactly.
    """

    def get_internal_type(self) -> str:
        """Return a type of its own: Django's SQLite backend converts DecimalField to float."""
        return "ExactDecimalField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "sqlite":
            return "text"
        return str(connection.data_types["DecimalField"]) % self.db_type_parameters(connection)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        if connection.vendor != "sqlite":
            return super().get_db_prep_value(value, connection, prepared)
        number = self.to_python(value)
        return None if number is None else format(number, "f")

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, *args: Any) -> Decimal | None:
        """Return the value as published, without the zeros with which SQL Server fills its 17 decimals."""
        if value is None or not isinstance(value, Decimal):
            return None if value is None else Decimal(value)
        return Decimal(exact_text(value))


class _ExactOnSqlite:
    """Compare as floats first, so that an index on the float can be used, and then exactly."""

    operator = ""

    def as_sqlite(self: Any, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        coarse = {"<": "<=", ">": ">="}.get(self.operator, self.operator)
        sql = (
            f"(CAST({left} AS REAL) {coarse} CAST({right} AS REAL)"
            f" AND decimal_compare({left}, {right}) {self.operator} 0)"
        )
        params = (*left_params, *right_params)
        return sql, (*params, *params)


def _register_lookup(base: type[lookups.Lookup[Any]], operator: str) -> None:
    name = f"Decimal{base.__name__}"
    ExactDecimalField.register_lookup(type(name, (_ExactOnSqlite, base), {"operator": operator}))


_register_lookup(lookups.Exact, "=")
_register_lookup(lookups.LessThan, "<")
_register_lookup(lookups.LessThanOrEqual, "<=")
_register_lookup(lookups.GreaterThan, ">")
_register_lookup(lookups.GreaterThanOrEqual, ">=")


def decimal_compare(left: str | None, right: str | None) -> int | None:
    """Return -1, 0 or 1, or None if a value is NULL. SQL on SQLite calls it by this name."""
    if left is None or right is None:
        return None
    first, second = Decimal(left), Decimal(right)
    return (first > second) - (first < second)
