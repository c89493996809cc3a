"""manage.py database check, on real files, and on a server that does not answer."""

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


def found(settings: dict[str, Any]) -> dict[str, Finding]:
    other = ConnectionHandler({"default": settings})["default"]
    try:
        return {finding.what: finding for finding in check(other)}
    finally:
        other.close()


@pytest.mark.sqlite
@pytest.mark.django_db
def test_the_database_in_use_is_well() -> None:
    out = io.StringIO()

    call_command("database", "check", "--format", "json", stdout=out)

    rows = {row["what"]: row for row in json.loads(out.getvalue())}
    assert rows["database"]["value"] == f"SQLite, {connection.settings_dict['NAME']}"
    assert rows["version"]["value"] == f"SQLite {sqlite3.sqlite_version}"
    assert rows["journal mode"]["value"] == "wal"
    assert rows["integrity"]["value"] == "ok"
    assert rows["migrations"]["value"] == "all applied"
    assert rows["latency"]["value"].endswith(" ms")
    assert {row["level"] for row in rows.values()} <= {"ok", "warning"}


@pytest.mark.sqlite
@pytest.mark.django_db
def test_it_is_printed_for_people() -> None:
    out = io.StringIO()

    call_command("database", "check", stdout=out)

    assert "integrity                ok" in out.getvalue()


def test_a_file_that_is_not_there_is_not_made(db: None, tmp_path: Path) -> None:
    rows = found(databases.sqlite(tmp_path / "none.sqlite3"))

    assert rows["file"].level is Level.ERROR
    assert "manage.py migrate" in rows["file"].advice
    assert not (tmp_path / "none.sqlite3").exists()


def test_a_file_without_tables_has_to_be_migrated(db: None, tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    sqlite3.connect(path).close()

    rows = found(databases.sqlite(path))

    assert rows["migrations"].level is Level.WARNING
    assert "to be applied" in rows["migrations"].value


def test_what_is_no_database_is_said(db: None, tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_text("This is no database." * 100)

    rows = found(databases.sqlite(path))

    assert rows["connection"].level is Level.ERROR
    assert "file is not a database" in rows["connection"].value
    assert "version" not in rows


def test_a_damaged_file_is_said(db: None, tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite3"
    with sqlite3.connect(path) as writing:
        writing.execute("CREATE TABLE t (a TEXT)")
        writing.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,) for _ in range(500)])
    writing.close()
    with path.open("r+b") as file:
        file.seek(40_960)
        file.write(b"\xff" * 4_096)

    rows = found(databases.sqlite(path))

    assert rows["integrity"].level is Level.ERROR
    assert "backup" in rows["integrity"].advice


def test_a_server_that_does_not_answer_is_said_with_what_to_look_at(db: None) -> None:
    """Nothing listens on this port; Microsoft's driver finds that out."""
    server = databases.Server(
        host="127.0.0.1",
        port=9,
        database="marketdata",
        login={"USER": "reader", "PASSWORD": "secret"},
        trust=True,
        timeout=1,
        retry_seconds=1,
    )

    rows = found(databases.azure_sql(server))

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
        ("Something nobody has seen", "docs/database.md"),
    ],
)
def test_errors_of_connecting_come_with_what_to_do(message: str, advice: str) -> None:
    assert advice in sql_server.hint(OperationalError(message))


def test_the_questions_are_sql_of_the_server(db: None) -> None:
    """Nobody answers them here: SQL Server's are compiled only."""

    class Answering(tsql.Server):
        def fetchone(self) -> Any:
            sql = self.said[-1][0] if self.said else ""
            answers = {
                "EngineEdition": ("16.0.1", "Developer Edition", 3),
                "SpaceUsed": (900_000_000, 1_000_000_000),
                "is_read_committed_snapshot_on": (False, "SQL_Latin1_General_CP1_CI_AS", 160),
                "HAS_PERMS_BY_NAME": ("reader", 1, 1, 1, 0, 1, 1, 1),
            }
            return next((row for words, row in answers.items() if words in sql), (0,))

    with tsql.connected() as (server_connection, _):
        server = server_connection.connection = Answering()
        rows = {finding.what: finding for finding in sql_server.looked_at(server_connection)}

    assert [said for sql, _ in server.said for said in tsql.problems(sql)] == []
    assert rows["version"].value == "SQL Server, Developer Edition, 16.0.1"
    assert rows["size"].level is Level.WARNING
    assert "READ_COMMITTED_SNAPSHOT ON" in rows["read-committed snapshot"].advice
    assert rows["permissions"].value == "no DELETE"
    assert rows["permissions"].advice == "Grant them: ALTER ROLE db_datawriter ADD MEMBER [reader];"


def test_the_command_fails_where_the_database_cannot_be_used(db: None, tmp_path: Path) -> None:
    none = ConnectionHandler({"default": databases.sqlite(tmp_path / "none.sqlite3")})["default"]
    with tsql.known(none), pytest.raises(CommandError, match="cannot be used"):
        call_command("database", "check", "--database", tsql.ALIAS, stdout=io.StringIO())
