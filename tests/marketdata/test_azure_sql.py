"""The engine `marketdata.azure_sql` and its settings; these tests need no server."""

import os
import time
from pathlib import Path
from typing import Any

import mssql_python
import pyodbc
import pytest
import stamina
from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError
from django.db.backends.utils import CursorWrapper

from marketdata.azure_sql import faults, tokens
from marketdata.azure_sql.base import DatabaseWrapper
from marketdata.azure_sql.faults import TransientFault
from marketdata.settings import databases
from marketdata.web.apps import check_certificates, find_unverified
from tests import tsql

BY_PASSWORD = {
    "DATABASE_TYPE": "azure_sql",
    "AZURE_SQL_SERVER": "my.database.windows.net",
    "AZURE_SQL_DATABASE": "marketdata",
    "AZURE_SQL_USERNAME": "loader",
    "AZURE_SQL_PASSWORD": "p;w}d{",
}
BY_TOKEN = {
    **BY_PASSWORD,
    "AZURE_SQL_AUTH_METHOD": "entra",
    "AZURE_SQL_USERNAME": "",
    "AZURE_SQL_PASSWORD": "",
}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return the database settings for an environment, without the variables of the tests."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)

    def read(environment: dict[str, str]) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        databases.pool_size()
        return databases.from_environment(tmp_path)

    return read


def test_a_server_is_spoken_to_encrypted_and_its_certificate_verified(configured: Any) -> None:
    found = configured(BY_PASSWORD)

    assert found["ENGINE"] == "marketdata.azure_sql"
    assert found["OPTIONS"]["extra_params"] == "Encrypt=yes;TrustServerCertificate=no"
    assert found["CONN_HEALTH_CHECKS"] is True
    assert found["CONN_MAX_AGE"] == 600


@pytest.mark.parametrize(
    ("driver", "begins"),
    [
        ("mssql_python", "SERVER=my.database.windows.net,1433;UID=loader;PWD={p;w}}d{};DATABASE="),
        ("pyodbc", "DRIVER=ODBC Driver 18 for SQL Server;SERVER=my.database.windows.net,1433;UID="),
    ],
)
def test_both_drivers_get_the_same_settings(configured: Any, driver: str, begins: str) -> None:
    settings_dict = configured({**BY_PASSWORD, "AZURE_SQL_DRIVER": driver})
    options = settings_dict["OPTIONS"]

    text = DatabaseWrapper(settings_dict)._build_connection_string(
        settings_dict, options.get("driver", "")
    )

    assert text.startswith(begins)
    assert "Encrypt=yes;TrustServerCertificate=no" in text


@pytest.mark.sqlite
def test_a_certificate_that_is_not_verified_is_known(configured: Any) -> None:
    assert [*find_unverified({"default": configured(BY_PASSWORD)}), *check_certificates()] == []
    trusting = configured({**BY_PASSWORD, "AZURE_SQL_TRUST_SERVER_CERTIFICATE": "true"})

    assert find_unverified({"default": trusting}) == ["default"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"DATABASE_TYPE": "oracle"}, "DATABASE_TYPE='oracle' is not a valid choice: sqlite or"),
        ({"AZURE_SQL_SERVER": ""}, "Set the environment variable AZURE_SQL_SERVER."),
        ({"AZURE_SQL_DATABASE": ""}, "Set the environment variable AZURE_SQL_DATABASE."),
        ({"AZURE_SQL_USERNAME": ""}, "Set the environment variable AZURE_SQL_USERNAME, or"),
        ({"AZURE_SQL_PASSWORD": ""}, "Set the environment variable AZURE_SQL_PASSWORD, or"),
        (
            {"AZURE_SQL_PORT": "0"},
            "AZURE_SQL_PORT='0' is not a valid port: a number from 1 to 65535.",
        ),
        (
            {"AZURE_SQL_PORT": "x"},
            "AZURE_SQL_PORT='x' is not a valid port: a number from 1 to 65535.",
        ),
        (
            {"AZURE_SQL_SERVER": "tcp:x,1433"},
            "AZURE_SQL_SERVER='tcp:x,1433' is not a plain host name",
        ),
        ({"AZURE_SQL_SERVER": "x;Encrypt=no"}, "is not a plain host name"),
        ({"AZURE_SQL_AUTH_METHOD": "ntlm"}, "AZURE_SQL_AUTH_METHOD='ntlm' is not a valid choice"),
        (
            {"AZURE_SQL_AUTH_METHOD": "entra"},
            "AZURE_SQL_PASSWORD is not used with AZURE_SQL_AUTH_METHOD",
        ),
        ({"AZURE_SQL_DRIVER": "freetds"}, "AZURE_SQL_DRIVER='freetds' is not a valid choice"),
        ({"AZURE_SQL_ENCRYPT": "false"}, "AZURE_SQL_ENCRYPT=false is permitted only"),
        (
            {"AZURE_SQL_DRIVER": "pyodbc", "AZURE_SQL_POOL_SIZE": "5"},
            "AZURE_SQL_POOL_SIZE requires AZURE_SQL_DRIVER=mssql_python",
        ),
        (
            {**BY_TOKEN, "AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": "c"},
            "AZURE_CLIENT_SECRET requires AZURE_TENANT_ID",
        ),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_named(
    configured: Any, changed: dict[str, str], message: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        configured({**BY_PASSWORD, **changed})

    assert message in str(raised.value)
    assert "p;w}d{" not in str(raised.value)


def test_entra_needs_no_password_and_sends_none(configured: Any) -> None:
    settings_dict = configured({**BY_TOKEN, "AZURE_CLIENT_ID": "c0ffee"})

    assert settings_dict["OPTIONS"]["entra"] == {"tenant": "", "client": "c0ffee", "secret": ""}
    text = DatabaseWrapper(settings_dict)._build_connection_string(
        {**settings_dict, "TOKEN": "x"}, ""
    )
    assert "UID" not in text
    assert "PWD" not in text


def test_who_one_is_to_entra_follows_from_what_is_set() -> None:
    with_secret = tokens.credential("11111111-2222-3333-4444-555555555555", "client", "secret")

    assert isinstance(with_secret, ClientSecretCredential)
    assert isinstance(tokens.credential("", "", ""), DefaultAzureCredential)


class Entra:
    """Gives a token that is good for some seconds."""

    def __init__(self, *, seconds: float) -> None:
        self.asked = 0
        self._seconds = seconds

    def get_token(self, scope: str) -> AccessToken:
        assert scope == "https://database.windows.net/.default"
        self.asked += 1
        return AccessToken("secret-token", int(time.time() + self._seconds))


class WithTokens(DatabaseWrapper):
    """Connects to a Server, and asks an Entra of our own."""

    credential: Any = Entra(seconds=3600)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self.last_token = conn_params["TOKEN"]
        return tsql.Server()

    def init_connection_state(self) -> None: ...


def test_a_connection_is_closed_before_its_token_ends(db: None) -> None:
    connection = WithTokens(tsql.unconnected().settings_dict, alias=tsql.ALIAS)
    connection.credential = Entra(seconds=400)

    connection.connect()

    assert connection.last_token == "secret-token"
    assert connection.close_at is not None
    assert 90 < connection.close_at - time.monotonic() < 101  # 400 less five minutes, not 600
    connection.close_at = time.monotonic() - 1
    connection.close_if_unusable_or_obsolete()
    assert connection.connection is None
    connection.connect()
    assert connection.credential.asked == 2


def fault(number: int, text: str = "it is busy") -> mssql_python.Error:
    return mssql_python.OperationalError("Statement failed", f"[SQL Server]{text} ({number})")


@pytest.mark.parametrize("number", [40613, 40501, 40197, 49918, 49919, 49920, 10928, 10929, 4060])
def test_what_passes_is_known_by_its_number(number: int) -> None:
    assert faults.find_number(fault(number)) == number
    assert faults.is_transient(
        pyodbc.Error("HY000", f"[HY000] [Microsoft]busy ({number}) (SQLExecDirectW)")
    )


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (pyodbc.Error("40001", "[40001] was deadlocked on lock resources (1205)"), True),
        (pyodbc.OperationalError("08S01", "[08S01] Communication link failure (0)"), True),
        (pyodbc.OperationalError("HYT00", "[HYT00] Login timeout expired (0)"), True),
        (mssql_python.OperationalError("x", "Database 'x' is not currently available."), True),
        (pyodbc.InterfaceError("28000", "[28000] Login failed for user 'x'. (18456)"), False),
        (
            pyodbc.OperationalError("08001", "[08001] SSL Provider: certificate verify failed"),
            False,
        ),
        (pyodbc.ProgrammingError("42S02", "[42S02] Invalid object name 'x'. (208)"), False),
        (pyodbc.IntegrityError("23000", "[23000] Violation of UNIQUE KEY: (10928). (2627)"), False),
    ],
)
def test_what_passes_and_what_does_not(error: Exception, *, passing: bool) -> None:
    assert faults.is_transient(error) is passing


class Failing(tsql.Server):
    """Fails some times, then works."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self._errors = list(errors)

    def execute(self, sql: str, parameters: Any = ()) -> tsql.Server:
        if "@@TRANCOUNT" in sql:  # Django's, about the transaction
            return self
        super().execute(sql, parameters)
        if self._errors:
            raise self._errors.pop(0)
        return self


@pytest.fixture
def without_pauses() -> Any:
    stamina.set_testing(True, attempts=3)
    yield
    stamina.set_testing(False)


def cursor_on(server: tsql.Server) -> CursorWrapper:
    """A cursor of Django's that ends at the server, however often it is connected to."""

    class Connected(DatabaseWrapper):
        def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
            return server

        def init_connection_state(self) -> None: ...

    connection = Connected(tsql.unconnected().settings_dict, alias=tsql.ALIAS)
    connection.Database = mssql_python
    cursor: CursorWrapper = connection.cursor()
    return cursor


@pytest.mark.usefixtures("without_pauses")
class TestRetries:
    def test_a_busy_database_is_asked_again(self, db: None) -> None:
        server = Failing(fault(40501), fault(10928))

        cursor_on(server).execute("UPDATE t SET a = 1")

        assert [sql for sql, _ in server.statements] == ["UPDATE t SET a = 1"] * 3

    def test_not_for_ever(self, db: None) -> None:
        server = Failing(*(fault(40501) for _ in range(10)))

        with pytest.raises(TransientFault, match="the service is busy"):
            cursor_on(server).execute("SELECT 1")
        assert len(server.statements) == 3

    def test_not_what_stays_wrong(self, db: None) -> None:
        server = Failing(mssql_python.IntegrityError("x", "Violation of UNIQUE KEY (2627)"))

        with pytest.raises(IntegrityError):
            cursor_on(server).execute("INSERT INTO t (a) VALUES (1)")
        assert len(server.statements) == 1

    def test_a_lost_connection_is_opened_again_for_reading(self, db: None) -> None:
        lost = mssql_python.OperationalError("Communication link failure", "")
        server = Failing(lost)

        cursor_on(server).execute("SELECT 1")

        assert [sql for sql, _ in server.statements] == ["SELECT 1"] * 2

    def test_nothing_is_written_twice_when_the_connection_was_lost(self, db: None) -> None:
        server = Failing(mssql_python.OperationalError("Communication link failure", ""))

        with pytest.raises(OperationalError, match="the connection was lost"):
            cursor_on(server).execute("INSERT INTO t (a) VALUES (1)")
        assert len(server.statements) == 1

    def test_a_transaction_is_begun_anew_by_whoever_began_it(self, db: None) -> None:
        server = Failing(fault(1205, "deadlocked"))
        cursor = cursor_on(server)
        cursor.db.in_atomic_block = True

        with pytest.raises(TransientFault, match="deadlock"):
            cursor.execute("UPDATE t SET a = 1")
        assert len(server.statements) == 1
