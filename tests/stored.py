"""The values that the database of the tests returns for stored ones."""

from decimal import Decimal

from django.db import connection


def stored(number: str) -> str:
    """A decimal: SQL Server keeps no noughts at its end."""
    return number if connection.vendor == "sqlite" else f"{Decimal(number).normalize():f}"
