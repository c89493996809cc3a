"""Database settings: SQLite, or SQL Server and Azure SQL."""

import dataclasses
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env

# WAL: reading is possible while a load writes. NORMAL: as safe as FULL if a process is killed. Large pages
# for temporary tables: merges fill and read them in order, with 3 % less CPU.
_SQLITE_PRAGMAS = (
    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    "PRAGMA cache_size=-65536; PRAGMA temp_store=FILE; PRAGMA temp.page_size=65536;"
    "PRAGMA temp.cache_size=-131072; PRAGMA journal_size_limit=67108864;"
)
# Without the name of a driver, mssql-django takes an older one that does not encrypt by default.
_DRIVERS = {
    "pyodbc": {"driver": "ODBC Driver 18 for SQL Server"},
    "mssql_python": {"python_driver": "mssql_python"},
}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_LOOPBACK_HOSTS = {"localhost", "127.0.0.1"}


def from_environment(base_dir: Path) -> dict[str, Any]:
    """Return Django's `DATABASES["default"]` according to DATABASE_TYPE."""
    if env.read("DATABASE_TYPE", env.one_of("sqlite", "azure_sql"), "sqlite") == "azure_sql":
        return azure_sql_from_environment()
    return _sqlite_from_environment(base_dir)


def replica_from_environment() -> dict[str, dict[str, Any]]:
    """Return Django's `DATABASES` of a read replica, of the type of the database; empty without one.

    On Azure SQL, ApplicationIntent=ReadOnly leads to a replica that the server has by itself, under its
    own name; a replica of another name (geo-replication) has another server.
    """
    if env.read("DATABASE_TYPE", env.one_of("sqlite", "azure_sql"), "sqlite") == "sqlite":
        path = env.read("READ_REPLICA_SQLITE_PATH", str, "")
        return {"replica": _sqlite_replica(Path(path).expanduser().resolve())} if path else {}
    host = env.read("READ_REPLICA_SERVER", str, "")
    if not host:
        return {}
    server = _server_from_environment()
    replica = dataclasses.replace(
        server,
        host=host,
        database=env.read("READ_REPLICA_DATABASE", str, server.database),
        timeout=5,  # The database answers instead, so requests do not wait for the replica.
        retry_seconds=1,
    )
    options = azure_sql(replica)
    options["OPTIONS"]["extra_params"] += ";ApplicationIntent=ReadOnly"
    return {"replica": options}


def _sqlite_replica(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"file:{quote(str(path))}?mode=ro",
        "OPTIONS": {"uri": True, "timeout": 5},
        "CONN_MAX_AGE": 60,  # seconds, after which a file that was put in its place is opened
        "CONN_HEALTH_CHECKS": True,
    }


def _sqlite_from_environment(base_dir: Path) -> dict[str, Any]:
    path = env.read("SQLITE_DB_PATH", env.path, base_dir / "var" / "marketdata.sqlite3")
    return sqlite(env.folder("SQLITE_DB_PATH", path.parent) / path.name)


def sqlite(path: Path) -> dict[str, Any]:
    """Return the settings of a SQLite file.

    Transactions are IMMEDIATE, so that concurrent writers wait for each other and never deadlock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 60,  # Seconds to wait for another writer: longer than any merge holds the lock.
            "transaction_mode": "IMMEDIATE",
            "init_command": _SQLITE_PRAGMAS,
        },
        "CONN_MAX_AGE": 600,  # seconds: opening one costs more than most requests
        "CONN_HEALTH_CHECKS": True,
        # On disk, not in memory: a load attaches it from another connection.
        "TEST": {"NAME": path.with_name("test.sqlite3")},
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Server:
    """Address and options of a SQL Server or Azure SQL database.

    `login` is {"USER": ..., "PASSWORD": ...}, or {"entra": {"tenant": ..., "client": ..., "secret": ...}}.
    """

    host: str
    database: str
    login: dict[str, Any]
    port: int = 1433
    driver: str = "mssql_python"
    encrypt: bool = True
    trust: bool = False  # accept any certificate
    max_age: int = 600  # seconds for which a connection is reused
    timeout: int = 30  # seconds for one attempt to connect
    retry_seconds: int = 60  # seconds for which transient faults are retried


def azure_sql_from_environment() -> dict[str, Any]:
    """Return the settings of the database that AZURE_SQL_* describe.

    Raises ImproperlyConfigured, naming the variable, for missing or contradictory values.
    """
    return azure_sql(_server_from_environment())


def _server_from_environment() -> Server:
    return Server(
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


def azure_sql(server: Server) -> dict[str, Any]:
    """Return Django's settings for a server. Raises ImproperlyConfigured for unsafe values."""
    if not _HOST.fullmatch(server.host):
        raise ImproperlyConfigured(
            f"AZURE_SQL_SERVER={server.host!r} is not a plain host name, as my.database.windows.net."
            " Set the port by AZURE_SQL_PORT."
        )
    if not server.encrypt and server.host.lower() not in _LOOPBACK_HOSTS:
        raise ImproperlyConfigured(
            "AZURE_SQL_ENCRYPT=false is permitted only for a server on this machine: traffic to"
            f" {server.host} could be read by others. For a test server with a self-signed certificate, set"
            " AZURE_SQL_TRUST_SERVER_CERTIFICATE=true instead."
        )
    flags = {"Encrypt": server.encrypt, "TrustServerCertificate": server.trust}
    if server.driver == "pyodbc":
        flags["MARS_Connection"] = False  # one open result at a time, as with mssql_python
    return {
        "ENGINE": "marketdata.azure_sql",
        "HOST": server.host,
        "PORT": str(server.port),
        "NAME": server.database,
        "USER": server.login.get("USER", ""),
        "PASSWORD": server.login.get("PASSWORD", ""),
        "OPTIONS": {
            **_DRIVERS[server.driver],
            "extra_params": ";".join(f"{key}={'yes' if on else 'no'}" for key, on in flags.items()),
            "connection_timeout": server.timeout,
            "connection_retries": 0,  # The engine retries, as it distinguishes more faults.
            "retry_seconds": server.retry_seconds,
            "entra": server.login.get("entra"),
        },
        # A new connection takes half a second, so connections are kept and checked before use.
        "CONN_MAX_AGE": server.max_age,
        "CONN_HEALTH_CHECKS": True,
    }


def pool_size() -> int:
    """Return the number of idle connections that mssql_python keeps per process; 0 for no pool."""
    size = env.read("AZURE_SQL_POOL_SIZE", env.count, 0)
    if size and _driver() == "pyodbc":
        raise ImproperlyConfigured(
            "AZURE_SQL_POOL_SIZE requires AZURE_SQL_DRIVER=mssql_python. With pyodbc, connections are kept"
            " by AZURE_SQL_CONN_MAX_AGE."
        )
    return size


def _login() -> dict[str, Any]:
    """Return the login: user and password, or tenant, client and secret of an Entra identity."""
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
            f"{name} is not used with AZURE_SQL_AUTH_METHOD=entra. Remove it, or set"
            " AZURE_SQL_AUTH_METHOD=sql."
        )
    tenant = env.read("AZURE_TENANT_ID", str, "")
    client = env.read("AZURE_CLIENT_ID", str, "")
    secret = env.read("AZURE_CLIENT_SECRET", str, "")
    if secret and not (tenant and client):
        missing = "AZURE_CLIENT_ID" if tenant else "AZURE_TENANT_ID"
        raise ImproperlyConfigured(f"AZURE_CLIENT_SECRET requires {missing}. Set it too.")
    return {"entra": {"tenant": tenant, "client": client, "secret": secret}}


def _driver() -> str:
    return env.read("AZURE_SQL_DRIVER", env.one_of("pyodbc", "mssql_python"), "mssql_python")


def by_name(base_dir: Path) -> dict[str, dict[str, Any]]:
    """Return all configured databases by the names that `manage.py transfer` takes."""
    named = {"sqlite": _sqlite_from_environment(base_dir)}
    if env.read("AZURE_SQL_SERVER", str, ""):
        named["azure_sql"] = azure_sql_from_environment()
    return named
