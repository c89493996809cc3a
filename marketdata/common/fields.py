"""A decimal that stays exact on every database."""

from decimal import Context, Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import lookups
from django.db.models.functions import Cast

# Wider than any column: Python's own context rounds to 28 digits.
_WIDE = Context(prec=100)


def exact_text(value: Decimal) -> str:
    """All digits of a value, without noughts at their end."""
    return format(value.normalize(_WIDE), "f")


class ExactDecimalField(models.DecimalField[Decimal | str | None, Decimal | None]):
    """A DecimalField that SQLite keeps as text.

    Django declares decimals there with NUMERIC affinity, and SQLite turns such a value of more than
    15 digits into a float: ESMA allows 18. Text is exact; comparisons are made exact by the lookups
    below, and `numerically()` sorts.
    """

    def get_internal_type(self) -> str:
        """Not DecimalField: Django's SQLite backend converts these as floats."""
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
        """As published on SQLite; elsewhere without the noughts that the column's 17 decimals add."""
        if value is None or not isinstance(value, Decimal):
            return None if value is None else Decimal(value)
        return Decimal(exact_text(value))


def numerically(column: str) -> Cast:
    """What to `order_by` to sort an ExactDecimalField, to the precision of a float."""
    return Cast(column, models.FloatField())


class _SqliteExact:
    """Compare as floats, and where these are equal, exactly: an index on the float still serves."""

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


def _lookup(base: type[lookups.Lookup[Any]], operator: str) -> None:
    name = f"Decimal{base.__name__}"
    ExactDecimalField.register_lookup(type(name, (_SqliteExact, base), {"operator": operator}))


_lookup(lookups.Exact, "=")
_lookup(lookups.LessThan, "<")
_lookup(lookups.LessThanOrEqual, "<=")
_lookup(lookups.GreaterThan, ">")
_lookup(lookups.GreaterThanOrEqual, ">=")


def decimal_compare(left: str | None, right: str | None) -> int | None:
    """-1, 0 or 1; None where one is absent. SQLite calls it by this name."""
    if left is None or right is None:
        return None
    first, second = Decimal(left), Decimal(right)
    return (first > second) - (first < second)
