"""The database engine `marketdata.azure_sql`."""

import math
import time
from collections.abc import Callable
from typing import Any, cast

import mssql.base
import mssql.operations
import mssql_python
import stamina
from django.conf import settings
from django.db.utils import DatabaseErrorWrapper

from marketdata.azure_sql import faults, tokens
from marketdata.azure_sql.collation import COLLATION
from marketdata.azure_sql.cursor import Cursor
from marketdata.azure_sql.faults import TransientFault
from marketdata.azure_sql.schema import DatabaseSchemaEditor
from marketdata.web import time_limits

_TEXT_FIELDS = (
    "CharField",
    "FileField",
    "FilePathField",
    "GenericIPAddressField",
    "JSONField",
    "SlugField",
    "TextField",
)


class DatabaseOperations(mssql.operations.DatabaseOperations):
    # CAST does not accept a type with a collation.
    cast_data_types = {name: mssql.base.DatabaseWrapper.data_types[name] for name in _TEXT_FIELDS}

    def max_in_list_size(self) -> None:
        """Return None, for no limit.

        The backend would put longer lists into a temporary table with the collation of the database. No query
        of this project comes near the 2,100 parameters that a statement may have.
        """
        return


class _TransientErrors(DatabaseErrorWrapper):
    """Raise TransientFault for all transient errors, which the drivers raise as errors of many types."""

    wrapper: Any  # the connection

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if (
            error is not None
            and isinstance(error, (self.wrapper.Database.Error, RuntimeError))
            and faults.is_transient(error)
        ):
            self.wrapper.errors_occurred = True
            raise TransientFault(f"{faults.describe(error)}: {error}") from error
        super().__exit__(kind, error, trace)


class DatabaseWrapper(mssql.base.DatabaseWrapper):
    """mssql-django's connection, extended by Entra tokens, retries and a fixed collation."""

    data_types = {
        **mssql.base.DatabaseWrapper.data_types,
        **{
            name: f"{mssql.base.DatabaseWrapper.data_types[name]} COLLATE {COLLATION}"
            for name in _TEXT_FIELDS
        },
    }
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._token_expires_on: float | None = None
        self.execute_wrappers.append(self._retry_transient_faults)

    @property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _TransientErrors(self)

    @property
    def credential(self) -> Any:
        """The credential that issues tokens; None if a password is used."""
        entra = self.settings_dict["OPTIONS"].get("entra")
        return tokens.credential(**entra) if entra else None

    def get_connection_params(self) -> dict[str, Any]:
        params = cast(dict[str, Any], super().get_connection_params())
        self._token_expires_on = None
        if self.credential is not None:
            token = tokens.get_token(self.credential)
            params["TOKEN"], self._token_expires_on = token.token, token.expires_on
        return params

    def create_cursor(self, name: str | None = None) -> Cursor:
        """Return a cursor whose statements end with the time limit of the request, if there is one."""
        remaining = time_limits.remaining_seconds()
        seconds = 0 if remaining is None else max(1, math.ceil(remaining))
        if self.connection.timeout != seconds:
            self.connection.timeout = seconds
        return Cursor(self.connection.cursor(), self)

    close_at: float | None

    def connect(self) -> None:
        """Connect. The connection is closed before its token expires, whatever CONN_MAX_AGE is."""
        super().connect()
        if self._token_expires_on is not None:
            expiry = time.monotonic() + tokens.seconds_left(self._token_expires_on)
            self.close_at = expiry if self.close_at is None else min(self.close_at, expiry)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect with retries: a paused database of Azure's serverless tier takes a minute to resume."""
        retry = stamina.RetryingCaller(
            attempts=None, timeout=self._retry_seconds, wait_initial=0.5, wait_max=10
        )
        if settings.AZURE_SQL_POOL_SIZE:
            mssql_python.pooling(max_size=settings.AZURE_SQL_POOL_SIZE)
        return retry(faults.is_transient, super().get_new_connection, conn_params)

    @property
    def _retry_seconds(self) -> float:
        return float(self.settings_dict["OPTIONS"]["retry_seconds"])

    def _retry_transient_faults(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Repeat a statement that failed with a transient fault, unless it is part of a transaction.

        A fault within a transaction rolls all of it back, so that only the caller can repeat it (a load
        returns to the queue). If the connection was lost, a statement that writes is not repeated, as it may
        have been executed.
        """
        is_lost = False

        def may_repeat(error: Exception) -> bool:
            nonlocal is_lost
            is_lost = faults.is_connection_lost(error)
            is_single = isinstance(error, TransientFault) and not self.in_atomic_block and not many
            return is_single and (not is_lost or faults.only_reads(sql))

        def send() -> Any:
            if is_lost:
                self.close()
                context["cursor"].cursor = self._cursor().cursor
            return execute(sql, params, many, context)

        remaining = time_limits.remaining_seconds()
        retry = stamina.RetryingCaller(
            attempts=6,
            timeout=self._retry_seconds if remaining is None else remaining,
            wait_initial=0.2,
            wait_max=5,
        )
        return retry(may_repeat, send)
