"""The project on a server that speaks SQL Server's protocol, with Microsoft's driver and TLS.

tests/tds says what that server is, and that it is not SQL Server.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mssql_python
import pytest

from tests import firds
from tests.conftest import FIRDS
from tests.tds import server
from tests.tds.database import CUT, Fault
from tests.tds.tokens import SqlError

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.sqlite]  # a server of its own
Run = Callable[..., str]


@pytest.fixture(scope="module")
def tds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """A server, migrated, with a full file and the excerpt of a delta."""
    with server.running(tmp_path_factory.mktemp("tds")) as running:
        folder = tmp_path_factory.mktemp("service")
        manage(running, folder, "migrate", "--verbosity", "0")
        paths = ["FULINS_F_20250830_01of01.zip", "DLTINS_20210117_01of01.zip"]
        manage(running, folder, "load", *(str(FIRDS / path) for path in paths))
        yield running


@pytest.fixture
def run(tds: server.Server, tmp_path: Path) -> Iterator[Run]:
    """`manage.py` on the server, in a process of its own; no fault is left for the next test."""
    yield lambda *arguments, **changed: manage(tds, tmp_path, *arguments, **changed)
    tds.database.faults.clear()
    tds.database.login_faults.clear()


def environment(running: server.Server, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "HTTPS": "false",
        "ANONYMOUS_READ": "true",
        "DATABASE_TYPE": "azure_sql",
        **running.settings,
        "AZURE_SQL_RETRY_SECONDS": "20",
        "SQLITE_DB_PATH": str(folder / "marketdata.sqlite3"),
        "MEDIA_ROOT": str(folder / "files"),
        "STAGING_DIR": str(folder / "staging"),
    }


def manage(running: server.Server, folder: Path, *arguments: str, **changed: str) -> str:
    """Return the output of a command. Raises AssertionError if it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**environment(running, folder), **changed},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asked(running: server.Server, sql: str) -> list[Any]:
    """Return the rows that the driver itself reads."""
    database = running.database
    password = database.password.replace("}", "}}")
    text = (
        f"Server=127.0.0.1,{running.port};Database={database.name};UID={database.user};"
        f"PWD={{{password}}};Encrypt=yes;TrustServerCertificate=yes"
    )
    with mssql_python.connect(text) as link:
        return [tuple(row) for row in link.cursor().execute(sql).fetchall()]


def test_a_database_is_checked(run: Run) -> None:
    found = {one["name"]: one for one in json.loads(run("database", "check", "--format", "json"))}

    assert found["connection"]["value"] == "ok"
    assert found["version"]["value"] == "Azure SQL Database, 12.0.2000.8"
    assert found["migrations"]["value"] == "all applied"
    assert found["permissions"]["level"] == "ok"


def test_a_server_that_does_not_tell_its_size_can_be_used(tds: server.Server, run: Run) -> None:
    text = "Invalid object name 'sys.database_files'."
    tds.database.faults.append(Fault(208, r"FILEPROPERTY", text=text))

    findings = {
        row["name"]: row for row in json.loads(run("database", "check", "--format", "json"))
    }

    assert findings["size"]["level"] == "warning"
    assert text in findings["size"]["value"]
    assert findings["permissions"]["level"] == "ok"
    assert findings["migrations"]["value"] == "all applied"


def test_a_certificate_that_nobody_trusts_is_refused(run: Run) -> None:
    with pytest.raises(AssertionError, match=r"certificate cannot be verified"):
        run("database", "check", AZURE_SQL_TRUST_SERVER_CERTIFICATE="false")


def test_a_wrong_password_is_refused(run: Run) -> None:
    with pytest.raises(AssertionError, match=r"rejected this user name and password"):
        run("database", "check", AZURE_SQL_PASSWORD="wrong")


def test_a_key_that_becomes_wider_takes_along_what_points_to_it(tds: server.Server) -> None:
    """token_blacklist.0008, which mssql-django alone cannot apply."""
    table = "token_blacklist_blacklistedtoken"

    rows = asked(
        tds,
        f"SELECT c.name, i.is_unique FROM sys.columns c JOIN sys.index_columns k"
        f" ON k.object_id = c.object_id AND k.column_id = c.column_id JOIN sys.indexes i"
        f" ON i.object_id = k.object_id AND i.index_id = k.index_id"
        f" WHERE c.object_id = OBJECT_ID('{table}') AND i.is_unique_constraint = 1",
    )

    assert rows == [("token_id", 1)]


def test_files_are_loaded_in_bulk(tds: server.Server) -> None:
    assert asked(tds, "SELECT COUNT(*) FROM instruments_listing") == [(452,)]
    assert any(sql.startswith("INSERT BULK") for sql in tds.database.statements)


def test_the_load_gate_takes_back_the_merge_of_a_truncated_full_file(
    tds: server.Server, run: Run, make_zip: Callable[..., Path]
) -> None:
    counting = "SELECT status, COUNT(*) FROM instruments_listing GROUP BY status ORDER BY status"
    before = asked(tds, counting)
    name = "FULINS_F_20250906_01of01"
    path = make_zip(name, firds.message(name, firds.record("RefData", "SE0000115446", "XSTO")))

    with pytest.raises(AssertionError, match="Held by the load gate"):
        run("load", str(path), LOAD_GATE_RECORDS="1")

    assert asked(tds, counting) == before
    states = f"SELECT state FROM esma_files_esmafile WHERE name = '{name}.zip'"
    assert asked(tds, states) == [("held",)]


def test_instruments_are_listed(run: Run) -> None:
    [isin] = json.loads(
        run("instruments", "list", "--category", "C", "--limit", "1", "--format", "json")
    )
    assert isin


def test_a_database_that_wakes_up_is_waited_for(tds: server.Server, run: Run) -> None:
    text = "Database 'marketdata' on server 'x' is not currently available. Please retry later."
    tds.database.login_faults += [SqlError(40613, text, 14)] * 2

    run("stats")

    assert not tds.database.login_faults


def test_a_deadlock_is_tried_again(tds: server.Server, run: Run) -> None:
    text = "Transaction (Process ID 51) was deadlocked on lock resources with another process."
    fault = Fault(1205, r"FROM \[instruments_instrument\]", text=text)
    tds.database.faults.append(fault)

    run("instruments", "list", "--limit", "1")

    assert fault.times == 0


def test_a_question_whose_connection_is_cut_is_asked_again(tds: server.Server, run: Run) -> None:
    fault = Fault(CUT, r"FROM \[instruments_instrument\]")
    tds.database.faults.append(fault)

    run("instruments", "list", "--limit", "1")

    assert fault.times == 0
