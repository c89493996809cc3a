"""Checks of a database on SQL Server or Azure SQL."""

import re
from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError

from monitoring.databases.finding import Finding, Level, format_megabytes, latency, warn_unless

# Names of SERVERPROPERTY('EngineEdition').
_AZURE_EDITIONS = {
    5: "Azure SQL Database",
    8: "Azure SQL Managed Instance",
    12: "SQL database in Fabric",
}
# The permissions that loads, the API and `migrate` need, and the statement that grants each.
_REQUIRED_PERMISSIONS = {
    "SELECT": "ALTER ROLE db_datareader ADD MEMBER",
    "INSERT": "ALTER ROLE db_datawriter ADD MEMBER",
    "UPDATE": "ALTER ROLE db_datawriter ADD MEMBER",
    "DELETE": "ALTER ROLE db_datawriter ADD MEMBER",
    "ALTER": "GRANT ALTER ON SCHEMA::dbo TO",
    "REFERENCES": "GRANT REFERENCES ON SCHEMA::dbo TO",
}
_SNAPSHOT_ADVICE = (
    "Readers and loads block each other. As the database's administrator, while nobody is connected,"
    " run ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;"
)
# Patterns of error messages (numbers or words), and the advice for each.
_ADVICE_BY_ERROR = (
    (
        r"40615|is not allowed to access the server",
        "The server's firewall blocks this machine. Add the address in the message to the firewall rules"
        " (az sql server firewall-rule create), or use a private endpoint.",
    ),
    (
        r"18456|login failed",
        "The server rejected this user name and password. Check AZURE_SQL_USERNAME and"
        " AZURE_SQL_PASSWORD; with Entra, CREATE USER [name] FROM EXTERNAL PROVIDER in the database.",
    ),
    (
        r"4060|cannot open database",
        "The database does not exist, or this login is not one of its users. Check AZURE_SQL_DATABASE,"
        " and CREATE USER in that database.",
    ),
    (
        r"40613|not currently available",
        "The database is resuming or failing over. Try again in a minute.",
    ),
    (
        r"certificate|ssl",
        "The server's certificate cannot be verified. Install one that this machine trusts, connect by the"
        " name in the certificate, or for a test server set AZURE_SQL_TRUST_SERVER_CERTIFICATE=true.",
    ),
    (
        r"can't open lib|driver not found|IM002",
        "Install Microsoft's ODBC Driver 18, or set AZURE_SQL_DRIVER=mssql_python.",
    ),
    (
        r"issued no token",
        "This process has no identity in Entra. Use a managed identity, set AZURE_TENANT_ID,"
        " AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run `az login` on your own machine.",
    ),
    (
        r"timeout|timed out|establish connection|refused|0x2749|HYT00|resolve|name or service",
        "The server does not answer. Check AZURE_SQL_SERVER and AZURE_SQL_PORT, that port 1433 can be"
        " reached from this machine, and the server's firewall.",
    ),
)


def check_configuration(connection: Any) -> Iterator[Finding]:
    """Yield the connection's settings, without secrets."""
    options, settings = connection.settings_dict["OPTIONS"], connection.settings_dict
    if entra := options.get("entra"):
        identity = "service principal" if entra["secret"] else "managed identity"
        authentication = f"Entra, {identity} {entra['client']}".rstrip()
    else:
        authentication = f"name and password of {settings['USER']}"
    yield Finding("database", f"{settings['NAME']} on {settings['HOST']}:{settings['PORT']}")
    yield Finding("driver", options.get("python_driver") or "pyodbc")
    yield Finding("authentication", authentication)
    trusts_any = "TrustServerCertificate=yes" in options["extra_params"]
    is_encrypted = "Encrypt=yes" in options["extra_params"]
    yield warn_unless(
        is_encrypted and not trusts_any,
        "encryption",
        ("on" if is_encrypted else "off") + (", any certificate is accepted" if trusts_any else ""),
        "Only acceptable for a test server: remove AZURE_SQL_TRUST_SERVER_CERTIFICATE and"
        " AZURE_SQL_ENCRYPT.",
    )


def check_contents(connection: Any) -> Iterator[Finding]:
    """Yield findings that need a connection: server, database, permissions, latency."""
    yield from _check_server(connection)
    yield from _check_size(connection)
    yield from _check_database(connection)
    yield from _check_permissions(connection)
    milliseconds = latency(connection)
    yield warn_unless(
        milliseconds < 50,
        "latency",
        f"{milliseconds:.1f} ms",
        "The database is far away: run the service in the same region.",
    )


def advice_for(error: Exception) -> str:
    """Return advice on an error met while connecting."""
    text = str(error)
    for pattern, advice in _ADVICE_BY_ERROR:
        if re.search(pattern, text, re.IGNORECASE):
            return advice
    return "See docs/database.md for how to set up the server."


def _check_server(connection: Any) -> Iterator[Finding]:
    version, edition, engine = _fetch_row(
        connection,
        "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(50)),"
        " CAST(SERVERPROPERTY('Edition') AS nvarchar(100)),"
        " CAST(SERVERPROPERTY('EngineEdition') AS int)",
    )
    yield Finding("version", f"{_AZURE_EDITIONS.get(engine, f'SQL Server, {edition}')}, {version}")
    if engine in _AZURE_EDITIONS:
        tier, objective = _fetch_row(
            connection,
            "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Edition') AS nvarchar(50)),"
            " CAST(DATABASEPROPERTYEX(DB_NAME(), 'ServiceObjective') AS nvarchar(50))",
        )
        yield warn_unless(
            tier != "Basic",
            "tier",
            f"{tier}, {objective}",
            "Basic holds 2 GB; docs/operations.md lists what fits. Load fewer categories, or choose a"
            " larger tier.",
        )


def _check_size(connection: Any) -> Iterator[Finding]:
    """Yield the size, or a warning if the server cannot tell it: the database is usable all the same."""
    try:
        used, maximum = _fetch_row(
            connection,
            "SELECT CAST(SUM(CAST(FILEPROPERTY(name, 'SpaceUsed') AS bigint)) * 8192 AS bigint),"
            " CAST(DATABASEPROPERTYEX(DB_NAME(), 'MaxSizeInBytes') AS bigint)"
            " FROM sys.database_files WHERE type = 0",
        )
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        yield Finding(
            "size",
            f"unknown: {reason}",
            Level.WARNING,
            "The server does not answer the question about its size; check it by other means.",
        )
        return
    share = used / maximum if used and maximum else 0
    yield warn_unless(
        share < 0.8,
        "size",
        format_megabytes(used or 0)
        + (f", {share:.0%} of {format_megabytes(maximum)}" if share else ""),
        "Nearly full: choose a larger tier, or load fewer categories.",
    )


def _check_database(connection: Any) -> Iterator[Finding]:
    snapshot, collation, level = _fetch_row(
        connection,
        "SELECT is_read_committed_snapshot_on, collation_name, compatibility_level"
        " FROM sys.databases WHERE name = DB_NAME()",
    )
    value = "on" if snapshot else "off"
    yield warn_unless(bool(snapshot), "read-committed snapshot", value, _SNAPSHOT_ADVICE)
    yield Finding("collation", f"{collation} (this project's columns define their own)")
    yield warn_unless(
        level >= 130,
        "compatibility level",
        str(level),
        "ISJSON and OPENJSON need level 130: run ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 160;",
    )


def _check_permissions(connection: Any) -> Iterator[Finding]:
    columns = [f"HAS_PERMS_BY_NAME('dbo', 'SCHEMA', '{name}')" for name in _REQUIRED_PERMISSIONS]
    columns.append("HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE')")
    user, *granted = _fetch_row(connection, f"SELECT USER_NAME(), {', '.join(columns)}")
    statements = {**_REQUIRED_PERMISSIONS, "CREATE TABLE": "GRANT CREATE TABLE TO"}
    missing = [name for name, is_granted in zip(statements, granted, strict=True) if not is_granted]
    grants = dict.fromkeys(f"{statements[name]} [{user}];" for name in missing)
    if missing:
        yield Finding(
            "permissions",
            f"missing: {', '.join(missing)}",
            Level.ERROR,
            f"Grant them: {' '.join(grants)}",
        )
    else:
        yield Finding("permissions", f"complete, as {user}")


def _fetch_row(connection: Any, sql: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchone())
