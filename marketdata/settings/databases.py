"""Which database the environment asks for."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env

# WAL lets people read while a load writes; NORMAL is as safe as FULL against a killed process.
_SQLITE_START = (
    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    "PRAGMA cache_size=-65536; PRAGMA temp_store=FILE; PRAGMA temp.cache_size=-131072;"
    "PRAGMA journal_size_limit=67108864;"
)
# Without its name mssql-django would take an older driver, which does not ask for encryption.
_DRIVERS = {
    "pyodbc": {"driver": "ODBC Driver 18 for SQL Server"},
    "mssql_python": {"python_driver": "mssql_python"},
}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_THIS_MACHINE = {"localhost", "127.0.0.1"}


def from_environment(base_dir: Path) -> dict[str, Any]:
    """Django's `DATABASES["default"]` for `DATABASE_TYPE`."""
    if env.read("DATABASE_TYPE", env.one_of("sqlite", "azure_sql"), "sqlite") == "azure_sql":
        return azure_sql_from_environment()
    return _sqlite_from_environment(base_dir)


def _sqlite_from_environment(base_dir: Path) -> dict[str, Any]:
    return sqlite(env.read("SQLITE_DB_PATH", env.path, base_dir / "var" / "marketdata.sqlite3"))


def sqlite(path: Path) -> dict[str, Any]:
    """One SQLite file; IMMEDIATE, so that two writers wait for each other and never deadlock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 60,  # seconds to wait for another writer: longer than a merge holds the lock
            "transaction_mode": "IMMEDIATE",
            "init_command": _SQLITE_START,
        },
        "CONN_HEALTH_CHECKS": True,
        # On disk, as in life: a load attaches it from a connection of its own.
        "TEST": {"NAME": path.with_name("test.sqlite3")},
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Server:
    """Where a database of SQL Server or Azure SQL is, and how it is spoken to.

    `login` is {"USER": ..., "PASSWORD": ...}, or {"entra": {"tenant": ..., "client": ..., "secret": ...}}.
    """

    host: str
    database: str
    login: dict[str, Any]
    port: int = 1433
    driver: str = "mssql_python"
    encrypt: bool = True
    trust: bool = False  # takes any certificate
    max_age: int = 600  # seconds that a connection is kept
    timeout: int = 30  # seconds that one try to connect may take
    retry_seconds: int = 60  # for which what passes is tried again


def azure_sql_from_environment() -> dict[str, Any]:
    """The database of `AZURE_SQL_*`. One line says what is missing, or contradicts itself."""
    return azure_sql(
        Server(
            host=env.read("AZURE_SQL_SERVER", str),
            database=env.read("AZURE_SQL_DATABASE", str),
            login=_login(),
            port=env.read("AZURE_SQL_PORT", env.port, 1433),
            driver=_driver(),
            encrypt=env.read("AZURE_SQL_ENCRYPT", env.flag, True),
            trust=env.read("AZURE_SQL_TRUST_SERVER_CERTIFICATE", env.flag, False),
            max_age=env.read("AZURE_SQL_CONN_MAX_AGE", env.count, 600),
            retry_seconds=env.read("AZURE_SQL_RETRY_SECONDS", env.positive, 60),
        )
    )


def azure_sql(server: Server) -> dict[str, Any]:
    """Django's settings of a database. Raises ImproperlyConfigured for what is read as something else."""
    if not _HOST.fullmatch(server.host):
        raise ImproperlyConfigured(
            f"AZURE_SQL_SERVER={server.host!r} must be a host name alone, as my.database.windows.net;"
            " the port goes to AZURE_SQL_PORT."
        )
    if not server.encrypt and server.host.lower() not in _THIS_MACHINE:
        raise ImproperlyConfigured(
            "AZURE_SQL_ENCRYPT=false is for a server on this machine only: everybody on the way to"
            f" {server.host} could read along. For a test server without a certificate of its own, set"
            " AZURE_SQL_TRUST_SERVER_CERTIFICATE=true instead."
        )
    said = {"Encrypt": server.encrypt, "TrustServerCertificate": server.trust}
    if server.driver == "pyodbc":
        said["MARS_Connection"] = False  # one result at a time, as with the other driver
    return {
        "ENGINE": "marketdata.azure_sql",
        "HOST": server.host,
        "PORT": str(server.port),
        "NAME": server.database,
        "USER": server.login.get("USER", ""),
        "PASSWORD": server.login.get("PASSWORD", ""),
        "OPTIONS": {
            **_DRIVERS[server.driver],
            "extra_params": ";".join(f"{key}={'yes' if on else 'no'}" for key, on in said.items()),
            "connection_timeout": server.timeout,
            "connection_retries": 0,  # the engine's own retries know more of what passes
            "retry_seconds": server.retry_seconds,
            "entra": server.login.get("entra"),
        },
        # A new connection takes half a second: keep each one, look whether it still works.
        "CONN_MAX_AGE": server.max_age,
        "CONN_HEALTH_CHECKS": True,
    }


def pool_size() -> int:
    """Connections that mssql_python keeps for a process beside those in use; 0 for none."""
    size = env.read("AZURE_SQL_POOL_SIZE", env.count, 0)
    if size and _driver() == "pyodbc":
        raise ImproperlyConfigured(
            "AZURE_SQL_POOL_SIZE needs AZURE_SQL_DRIVER=mssql_python: pyodbc's pool has no size, and"
            " AZURE_SQL_CONN_MAX_AGE keeps its connections."
        )
    return size


def _login() -> dict[str, Any]:
    """A password, or for Entra who this process is: tenant, client and secret."""
    method = env.read("AZURE_SQL_AUTH_METHOD", env.one_of("sql", "entra"), "sql")
    user = env.read("AZURE_SQL_USERNAME", str, "")
    password = env.read("AZURE_SQL_PASSWORD", str, "")
    if method == "sql":
        for name, value in (("AZURE_SQL_USERNAME", user), ("AZURE_SQL_PASSWORD", password)):
            if not value:
                raise ImproperlyConfigured(
                    f"Set the environment variable {name}, or AZURE_SQL_AUTH_METHOD=entra."
                )
        return {"USER": user, "PASSWORD": password}
    if user or password:
        name = "AZURE_SQL_PASSWORD" if password else "AZURE_SQL_USERNAME"
        raise ImproperlyConfigured(
            f"{name} contradicts AZURE_SQL_AUTH_METHOD=entra, which takes none: remove it, or set"
            " AZURE_SQL_AUTH_METHOD=sql."
        )
    tenant = env.read("AZURE_TENANT_ID", str, "")
    client = env.read("AZURE_CLIENT_ID", str, "")
    secret = env.read("AZURE_CLIENT_SECRET", str, "")
    if secret and not (tenant and client):
        missing = "AZURE_CLIENT_ID" if tenant else "AZURE_TENANT_ID"
        raise ImproperlyConfigured(f"AZURE_CLIENT_SECRET needs {missing}: set it too.")
    return {"entra": {"tenant": tenant, "client": client, "secret": secret}}


def _driver() -> str:
    return env.read("AZURE_SQL_DRIVER", env.one_of("pyodbc", "mssql_python"), "mssql_python")


def by_name(base_dir: Path) -> dict[str, dict[str, Any]]:
    """All databases that the environment configures, for `transfer`."""
    named = {"sqlite": _sqlite_from_environment(base_dir)}
    if env.read("AZURE_SQL_SERVER", str, ""):
        named["azure_sql"] = azure_sql_from_environment()
    return named
