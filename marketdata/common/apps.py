"""What every connection to SQLite must know, and what is checked of those to SQL Server."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db.backends.signals import connection_created

from marketdata.common.fields import decimal_compare


def _teach_sqlite(connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            "decimal_compare", 2, decimal_compare, deterministic=True
        )


def unverified(databases: dict[str, Any]) -> list[str]:
    """The databases whose servers may show any certificate."""
    extra = {
        alias: of.get("OPTIONS", {}).get("extra_params", "") for alias, of in databases.items()
    }
    return [alias for alias, said in extra.items() if "TrustServerCertificate=yes" in said]


@checks.register("security", deploy=True)
def certificates_are_verified(**kwargs: Any) -> list[checks.CheckMessage]:
    """Any certificate is good enough for a test server, and for nothing else."""
    return [
        checks.Warning(
            f"The certificate of the database server of {alias!r} is not verified.",
            hint="Take AZURE_SQL_TRUST_SERVER_CERTIFICATE away.",
            id="marketdata.W001",
        )
        for alias in unverified(settings.DATABASES)
    ]


class CommonConfig(AppConfig):
    name = "marketdata.common"

    def ready(self) -> None:
        connection_created.connect(_teach_sqlite, dispatch_uid="decimal_compare")
