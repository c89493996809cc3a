"""SQL Server and Azure SQL: `manage.py database check`."""

import re
from collections.abc import Iterator
from typing import Any

from monitoring.databases.finding import Finding, Level, latency, megabytes, warn_unless

_AZURE = {5: "Azure SQL Database", 8: "Azure SQL Managed Instance", 12: "SQL database in Fabric"}
# What a load, the API and `migrate` do, and who is asked for it.
_NEEDED = {
    "SELECT": "ALTER ROLE db_datareader ADD MEMBER",
    "INSERT": "ALTER ROLE db_datawriter ADD MEMBER",
    "UPDATE": "ALTER ROLE db_datawriter ADD MEMBER",
    "DELETE": "ALTER ROLE db_datawriter ADD MEMBER",
    "ALTER": "GRANT ALTER ON SCHEMA::dbo TO",
    "REFERENCES": "GRANT REFERENCES ON SCHEMA::dbo TO",
}
_SNAPSHOT = (
    "Readers and loads wait for each other: as its administrator, with nobody connected,"
    " ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;"
)
# By number or words of the message: what to do.
_HINTS = (
    (
        r"40615|is not allowed to access the server",
        "The server's firewall keeps this address out: add the address that the message names to it"
        " (az sql server firewall-rule create), or use a private endpoint.",
    ),
    (
        r"18456|login failed",
        "The server does not know this name with this password: look at AZURE_SQL_USERNAME and"
        " AZURE_SQL_PASSWORD; with Entra, CREATE USER [name] FROM EXTERNAL PROVIDER in the database.",
    ),
    (
        r"4060|cannot open database",
        "There is no such database, or this login is no user of it: look at AZURE_SQL_DATABASE, and"
        " CREATE USER in it.",
    ),
    (r"40613|not currently available", "It is waking up or moving: try again in a minute."),
    (
        r"certificate|ssl",
        "The server's certificate cannot be verified: give it one that this machine trusts, use the"
        " name that the certificate is for, or for a test server set"
        " AZURE_SQL_TRUST_SERVER_CERTIFICATE=true.",
    ),
    (
        r"can't open lib|driver not found|IM002",
        "Install Microsoft's ODBC Driver 18, or set AZURE_SQL_DRIVER=mssql_python.",
    ),
    (
        r"gave no token",
        "Who this process is to Entra is not settled: a managed identity on this machine, or"
        " AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; `az login` on your own machine.",
    ),
    (
        r"timeout|timed out|establish connection|refused|0x2749|HYT00|resolve|name or service",
        "Nothing answers there: look at AZURE_SQL_SERVER and AZURE_SQL_PORT, at whether port 1433 is"
        " open from here, and at the server's firewall.",
    ),
)


def configured(connection: Any) -> Iterator[Finding]:
    """What the settings say: no secrets."""
    said, options = connection.settings_dict, connection.settings_dict["OPTIONS"]
    entra = options.get("entra")
    who = f"name and password of {said['USER']}"
    if entra:
        who = f"Entra, {'service principal' if entra['secret'] else 'managed identity'}"
        who += f" {entra['client']}".rstrip()
    yield Finding("database", f"{said['NAME']} on {said['HOST']}:{said['PORT']}")
    yield Finding("driver", options.get("python_driver") or "pyodbc")
    yield Finding("authentication", who)
    trusts = "TrustServerCertificate=yes" in options["extra_params"]
    encrypted = "Encrypt=yes" in options["extra_params"]
    yield warn_unless(
        encrypted and not trusts,
        "encryption",
        ("on" if encrypted else "off") + (", any certificate is taken" if trusts else ""),
        "Right for a test server only: take AZURE_SQL_TRUST_SERVER_CERTIFICATE and AZURE_SQL_ENCRYPT"
        " away.",
    )


def looked_at(connection: Any) -> Iterator[Finding]:
    """What the server says."""
    yield from _server(connection)
    yield from _database(connection)
    yield from _permissions(connection)
    taken = latency(connection)
    yield warn_unless(
        taken < 50,
        "latency",
        f"{taken:.1f} ms",
        "Far away: run the service in the region of the database.",
    )


def hint(error: Exception) -> str:
    """What to do about an error of connecting."""
    text = str(error)
    found = (advice for words, advice in _HINTS if re.search(words, text, re.IGNORECASE))
    return next(found, "docs/database.md says how the server has to be set up.")


def _server(connection: Any) -> Iterator[Finding]:
    version, edition, engine = _row(
        connection,
        "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(50)),"
        " CAST(SERVERPROPERTY('Edition') AS nvarchar(100)),"
        " CAST(SERVERPROPERTY('EngineEdition') AS int)",
    )
    yield Finding("version", f"{_AZURE.get(engine, f'SQL Server, {edition}')}, {version}")
    if engine in _AZURE:
        tier, objective = _row(
            connection,
            "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Edition') AS nvarchar(50)),"
            " CAST(DATABASEPROPERTYEX(DB_NAME(), 'ServiceObjective') AS nvarchar(50))",
        )
        yield warn_unless(
            tier != "Basic",
            "tier",
            f"{tier}, {objective}",
            "Basic holds 2 GB: docs/operations.md says what fits. Choose what is loaded, or a larger tier.",
        )


def _database(connection: Any) -> Iterator[Finding]:
    used, most = _row(
        connection,
        "SELECT CAST(SUM(CAST(FILEPROPERTY(name, 'SpaceUsed') AS bigint)) * 8192 AS bigint),"
        " CAST(DATABASEPROPERTYEX(DB_NAME(), 'MaxSizeInBytes') AS bigint)"
        " FROM sys.database_files WHERE type = 0",
    )
    share = used / most if used and most else 0
    yield warn_unless(
        share < 0.8,
        "size",
        megabytes(used or 0) + (f", {share:.0%} of {megabytes(most)}" if share else ""),
        "Soon full: a larger tier, or fewer categories to load.",
    )
    snapshot, collation, level = _row(
        connection,
        "SELECT is_read_committed_snapshot_on, collation_name, compatibility_level"
        " FROM sys.databases WHERE name = DB_NAME()",
    )
    value = "on" if snapshot else "off"
    yield warn_unless(bool(snapshot), "read-committed snapshot", value, _SNAPSHOT)
    yield Finding("collation", f"{collation}; this project's columns have one of their own")
    yield warn_unless(
        level >= 130,
        "compatibility level",
        str(level),
        "ISJSON and OPENJSON need 130: ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 160;",
    )


def _permissions(connection: Any) -> Iterator[Finding]:
    columns = [f"HAS_PERMS_BY_NAME('dbo', 'SCHEMA', '{name}')" for name in _NEEDED]
    columns.append("HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE')")
    user, *given = _row(connection, f"SELECT USER_NAME(), {', '.join(columns)}")
    needed = {**_NEEDED, "CREATE TABLE": "GRANT CREATE TABLE TO"}
    missing = [name for name, has in zip(needed, given, strict=True) if not has]
    grants = dict.fromkeys(f"{needed[name]} [{user}];" for name in missing)
    if missing:
        yield Finding(
            "permissions",
            f"no {', '.join(missing)}",
            Level.ERROR,
            f"Grant them: {' '.join(grants)}",
        )
    else:
        yield Finding("permissions", f"all that is needed, as {user}")


def _row(connection: Any, sql: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchone())
