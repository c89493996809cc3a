"""What every connection to SQLite must know."""

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from marketdata.common.fields import decimal_compare


def _teach_sqlite(connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            "decimal_compare", 2, decimal_compare, deterministic=True
        )


class CommonConfig(AppConfig):
    name = "marketdata.common"

    def ready(self) -> None:
        connection_created.connect(_teach_sqlite, dispatch_uid="decimal_compare")
