"""The database engine `marketdata.azure_sql`."""

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

_TEXTS = (
    "CharField",
    "FileField",
    "FilePathField",
    "GenericIPAddressField",
    "JSONField",
    "SlugField",
    "TextField",
)


class DatabaseOperations(mssql.operations.DatabaseOperations):
    # A cast takes a type without a collation.
    cast_data_types = {name: mssql.base.DatabaseWrapper.data_types[name] for name in _TEXTS}

    def max_in_list_size(self) -> None:
        """None: the backend's way with longer lists is a temporary table of the database's collation.

        No query of this project comes near the 2,100 parameters that a statement may have.
        """
        return


class _Translated(DatabaseErrorWrapper):
    """Drivers raise what passes as errors of many kinds: here it is one, TransientFault."""

    wrapper: Any  # the connection

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if (
            error is not None
            and isinstance(error, (self.wrapper.Database.Error, RuntimeError))
            and faults.passes(error)
        ):
            self.wrapper.errors_occurred = True
            raise TransientFault(f"{faults.explained(error)}: {error}") from error
        super().__exit__(kind, error, trace)


class DatabaseWrapper(mssql.base.DatabaseWrapper):
    """mssql-django, and beside it: Entra's tokens, retries, and a collation of our own."""

    data_types = {
        **mssql.base.DatabaseWrapper.data_types,
        **{
            name: f"{mssql.base.DatabaseWrapper.data_types[name]} COLLATE {COLLATION}"
            for name in _TEXTS
        },
    }
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._token_expires_on: float | None = None
        self.execute_wrappers.append(self._again_if_it_passes)

    @property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _Translated(self)

    @property
    def credential(self) -> Any:
        """What gives tokens, or None with a password."""
        entra = self.settings_dict["OPTIONS"].get("entra")
        return tokens.credential(**entra) if entra else None

    def get_connection_params(self) -> dict[str, Any]:
        params = cast(dict[str, Any], super().get_connection_params())
        self._token_expires_on = None
        if self.credential is not None:
            token = tokens.token_of(self.credential)
            params["TOKEN"], self._token_expires_on = token.token, token.expires_on
        return params

    def create_cursor(self, name: str | None = None) -> Cursor:
        return Cursor(self.connection.cursor(), self)

    close_at: float | None

    def connect(self) -> None:
        """Connect; and close again before the token ends, however long connections may live."""
        super().connect()
        if self._token_expires_on is not None:
            end = time.monotonic() + tokens.seconds_left(self._token_expires_on)
            self.close_at = end if self.close_at is None else min(self.close_at, end)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A database that sleeps (Azure's serverless tier) takes a minute to wake up."""
        patient = stamina.RetryingCaller(
            attempts=None, timeout=self._retry_seconds, wait_initial=0.5, wait_max=10
        )
        if settings.AZURE_SQL_POOL_SIZE:
            mssql_python.pooling(max_size=settings.AZURE_SQL_POOL_SIZE)
        return patient(faults.passes, super().get_new_connection, conn_params)

    @property
    def _retry_seconds(self) -> float:
        return float(self.settings_dict["OPTIONS"]["retry_seconds"])

    def _again_if_it_passes(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Send a statement again that failed for what passes, unless it is part of a transaction.

        What fails in a transaction takes all of it along: whoever began it begins it anew (a load goes
        back to its place in the queue). A statement that writes is not sent again when the link was
        lost, since it may have been carried out.
        """
        lost = False

        def may_pass(error: Exception) -> bool:
            nonlocal lost
            lost = faults.lost_link(error)
            alone = isinstance(error, TransientFault) and not self.in_atomic_block and not many
            return alone and (not lost or faults.only_reads(sql))

        def send() -> Any:
            if lost:
                self.close()
                context["cursor"].cursor = self._cursor().cursor
            return execute(sql, params, many, context)

        patient = stamina.RetryingCaller(
            attempts=6, timeout=self._retry_seconds, wait_initial=0.2, wait_max=5
        )
        return patient(may_pass, send)
