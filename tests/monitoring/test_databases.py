"""`manage.py database check` on real files and on a server that does not answer."""

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.utils import ConnectionHandler

from marketdata.settings import databases
from monitoring.databases import sql_server
from monitoring.databases.check import check
from monitoring.databases.finding import Finding, Level
from tests import tsql

# All queries are parsed for SQL Server.
pytestmark = pytest.mark.slow


def findings_for(settings: dict[str, Any]) -> dict[str, Finding]:
    """Return the findings about the database with these settings, by name."""
    database = ConnectionHandler({"default": settings})["default"]
    try:
        return {finding.name: finding for finding in check(database)}
    finally:
        database.close()


@pytest.mark.sqlite
@pytest.mark.django_db
def test_check_finds_no_error_in_the_database_in_use() -> None:
    out = io.StringIO()

    call_command("database", "check", "--format", "json", stdout=out)

    rows = {row["name"]: row for row in json.loads(out.getvalue())}
    assert rows["database"]["value"] == f"SQLite, {connection.settings_dict['NAME']}"
    assert rows["version"]["value"] == f"SQLite {sqlite3.sqlite_version}"
    assert rows["journal mode"]["value"] == "wal"
    assert rows["integrity"]["value"] == "ok"
    assert rows["migrations"]["value"] == "all applied"
    assert rows["latency"]["value"].endswith(" ms")
    assert {row["level"] for row in rows.values()} <= {"ok", "warning"}


@pytest.mark.sqlite
@pytest.mark.django_db
def test_check_prints_a_line_for_each_finding() -> None:
    out = io.StringIO()

    call_command("database", "check", stdout=out)

    assert "integrity                ok" in out.getvalue()


def test_check_does_not_create_a_missing_file(db: None, tmp_path: Path) -> None:
    rows = findings_for(databases.sqlite(tmp_path / "none.sqlite3"))

    assert rows["file"].level is Level.ERROR
    assert "manage.py migrate" in rows["file"].advice
    assert not (tmp_path / "none.sqlite3").exists()


def test_check_warns_of_a_file_without_tables(db: None, tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    sqlite3.connect(path).close()

    rows = findings_for(databases.sqlite(path))

    assert rows["migrations"].level is Level.WARNING
    assert "not applied yet" in rows["migrations"].value


def test_check_reports_a_file_that_is_not_a_database(db: None, tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_text("This is no database." * 100)

    rows = findings_for(databases.sqlite(path))

    assert rows["connection"].level is Level.ERROR
    assert "file is not a database" in rows["connection"].value
    assert "version" not in rows


def test_check_reports_a_damaged_file(db: None, tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite3"
    with sqlite3.connect(path) as writing:
        writing.execute("CREATE TABLE t (a TEXT)")
        writing.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,) for _ in range(500)])
    writing.close()
    with path.open("r+b") as file:
        file.seek(40_960)
        file.write(b"\xff" * 4_096)

    rows = findings_for(databases.sqlite(path))

    assert rows["integrity"].level is Level.ERROR
    assert "backup" in rows["integrity"].advice


def test_check_advises_on_a_server_that_does_not_answer(db: None) -> None:
    """Nothing listens on this port; the error is that of Microsoft's own driver."""
    server = databases.Server(
        host="127.0.0.1",
        port=9,
        database="marketdata",
        login={"USER": "reader", "PASSWORD": "secret"},
        trust=True,
        timeout=1,
        retry_seconds=1,
    )

    rows = findings_for(databases.azure_sql(server))

    assert rows["database"].value == "marketdata on 127.0.0.1:9"
    assert rows["encryption"].level is Level.WARNING
    assert rows["connection"].level is Level.ERROR
    assert "AZURE_SQL_SERVER" in rows["connection"].advice
    assert "secret" not in str(rows)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (
            "Client with IP address '1.2.3.4' is not allowed to access the server. (40615)",
            "firewall",
        ),
        ("Login failed for user 'x'. (18456)", "AZURE_SQL_PASSWORD"),
        ('Cannot open database "x" requested by the login. (4060)', "AZURE_SQL_DATABASE"),
        ("SSL Provider: certificate verify failed: self-signed", "TRUST_SERVER_CERTIFICATE"),
        ("Can't open lib 'ODBC Driver 18 for SQL Server' : file not found", "mssql_python"),
        ("An unknown error", "docs/database.md"),
    ],
)
def test_connection_errors_come_with_advice(message: str, advice: str) -> None:
    assert advice in sql_server.advice_for(OperationalError(message))


def test_the_queries_are_valid_for_sql_server(db: None) -> None:
    """The queries are compiled only: the answers are given by the test."""

    class AnsweringServer(tsql.Server):
        def fetchone(self) -> Any:
            sql = self.statements[-1][0] if self.statements else ""
            answers = {
                "EngineEdition": ("16.0.1", "Developer Edition", 3),
                "SpaceUsed": (900_000_000, 1_000_000_000),
                "is_read_committed_snapshot_on": (False, "SQL_Latin1_General_CP1_CI_AS", 160),
                "HAS_PERMS_BY_NAME": ("reader", 1, 1, 1, 0, 1, 1, 1),
            }
            return next((row for words, row in answers.items() if words in sql), (0,))

    with tsql.connected() as (server_connection, _):
        server = server_connection.connection = AnsweringServer()
        findings = list(sql_server.check_contents(server_connection))
    rows = {finding.name: finding for finding in findings}

    assert [problem for sql, _ in server.statements for problem in tsql.problems(sql)] == []
    assert rows["version"].value == "SQL Server, Developer Edition, 16.0.1"
    assert rows["size"].level is Level.WARNING
    assert "READ_COMMITTED_SNAPSHOT ON" in rows["read-committed snapshot"].advice
    assert rows["permissions"].value == "missing: DELETE"
    assert rows["permissions"].advice == "Grant them: ALTER ROLE db_datawriter ADD MEMBER [reader];"


def test_the_command_fails_if_the_database_cannot_be_used(db: None, tmp_path: Path) -> None:
    missing = ConnectionHandler({"default": databases.sqlite(tmp_path / "none.sqlite3")})["default"]
    with tsql.known(missing), pytest.raises(CommandError, match="cannot be used"):
        call_command("database", "check", "--database", tsql.ALIAS, stdout=io.StringIO())
