"""Database connections, the log of retries, and deployment checks of certificates and folders."""

from pathlib import Path
from typing import Any

import stamina.instrumentation
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.db import reset_queries
from django.db.backends.signals import connection_created

from marketdata.common import http
from marketdata.common.fields import decimal_compare
from marketdata.settings.private import readable_by_others
from marketdata.web import time_limits
from marketdata.web.credentials import mask_log_records


def _add_sqlite_function(connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            "decimal_compare", 2, decimal_compare, deterministic=True
        )


def find_unverified(databases: dict[str, Any]) -> list[str]:
    """Return the aliases of databases whose server certificate is not verified."""
    parameters = {
        alias: database.get("OPTIONS", {}).get("extra_params", "")
        for alias, database in databases.items()
    }
    return [alias for alias, text in parameters.items() if "TrustServerCertificate=yes" in text]


@checks.register("security", deploy=True)
def check_certificates(**kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of databases whose server certificate is not verified, which is only right for test servers."""
    return [
        checks.Warning(
            f"The certificate of the database server of {alias!r} is not verified.",
            hint="Unset AZURE_SQL_TRUST_SERVER_CERTIFICATE.",
            id="marketdata.W001",
        )
        for alias in find_unverified(settings.DATABASES)
    ]


@checks.register("security", deploy=True)
def folders_are_private(**kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of existing folders of the service that other users of the machine can read."""
    names = ("MEDIA_ROOT", "STAGING_DIR", "DOWNLOAD_DIR", "BACKUP_DIR", "QUEUE_DIR")
    by_path = {Path(getattr(settings, name)): name for name in names}
    return [
        checks.Warning(
            f"Other users of this machine can read {by_path[path]}={path}.",
            hint=f"Take their rights away: chmod --recursive go= {path}",
            id="marketdata.W002",
        )
        for path in readable_by_others(by_path)
    ]


class WebConfig(AppConfig):
    name = "marketdata.web"

    def ready(self) -> None:
        mask_log_records()
        connection_created.connect(_add_sqlite_function, dispatch_uid="decimal_compare")
        stamina.instrumentation.set_on_retry_hooks([http.log_retry])
        connection_created.connect(time_limits.prepare_connection, dispatch_uid="time_limits")
        _leave_out_idle_receivers()


def _leave_out_idle_receivers() -> None:
    """Disconnect receivers of Django that each request calls, and that have nothing to do here.

    None of the cache backends closes anything after a request, and statements are collected for DEBUG alone.
    Together they take 6 % of the time of a kept answer.
    """
    request_finished.disconnect(close_caches)
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)
