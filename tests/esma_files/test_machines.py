"""Workers with names and disks of their own, as on several machines: one Redis, Blob Storage, database."""

import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import DATA, FIRDS
from tests.installation import Installation

PARTS = sorted((DATA / "firds_2021").glob("FULINS_*.zip"))
DELTA = FIRDS / "DLTINS_20171027_01of01.zip"
RECORDS = 14_003 + 112_318
STORE = "from pathlib import Path; from esma_files import store; "
NOT_LOADED = "SELECT count(*) FROM esma_files_esmafile WHERE loaded_at IS NULL"
RUNNING = "SELECT count(*) FROM esma_files_run WHERE state = 'running' AND claimed_by LIKE '{}/%'"
WORKERS = "SELECT count(*) FROM esma_files_heartbeat WHERE host IN ('second', 'third')"


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process another host name")
def test_a_machine_that_vanishes_is_replaced_and_every_file_is_loaded_once(
    tmp_path: Path, migrated_database: Path, redis: str
) -> None:
    (tmp_path / "blobs").mkdir()
    with servers.azurite(tmp_path / "blobs") as storage:
        first, second, third = (
            Installation(
                tmp_path / name,
                REDIS_URL=redis,
                AZURE_STORAGE_CONNECTION_STRING=storage,
                SQLITE_DB_PATH=str(tmp_path / "marketdata.sqlite3"),
            )
            for name in ("first", "second", "third")
        )
        for machine in (first, second, third):
            machine.database = tmp_path / "marketdata.sqlite3"
            machine.staging.parent.mkdir()
        first.copy_database(migrated_database)
        paths = ", ".join(f"Path({str(path)!r})" for path in (DELTA, *PARTS))
        first.run("shell", "-v", "0", "-c", f"{STORE}[store.store_file(p) for p in ({paths},)]")

        vanish_at_work(first)
        claimed = first.read_number(RUNNING.format("first"))
        assert claimed > 0
        with second.worker(host="second"), third.worker(host="third"):
            second.wait_for(WORKERS, 2)
            # The first machine was seen a moment ago: its files are left alone.
            second.send("esma_files.recover_abandoned_work")
            second.send("instruments.request_loads")
            second.wait_for(NOT_LOADED, claimed)
            assert second.read_number(RUNNING.format("first")) == claimed

            let_six_minutes_pass(first)
            second.send("esma_files.recover_abandoned_work")
            abandoned = "SELECT count(*) FROM esma_files_run WHERE state = 'abandoned'"
            second.wait_for(abandoned, claimed)
            second.send("instruments.request_loads")
            second.wait_for(NOT_LOADED, 0)

        loads = "FROM esma_files_run WHERE state = 'done' AND kind = 'load'"
        assert second.read_number(f"SELECT count(*) {loads}") == len(PARTS) + 1
        assert second.read_number(f"SELECT count(DISTINCT file_id) {loads}") == len(PARTS) + 1
        assert second.read_number(f"SELECT sum(read) {loads}") == RECORDS
        assert second.read_number(f"SELECT count(*) {loads} AND claimed_by LIKE 'first/%'") == 0
        listings = "SELECT count(*) FROM instruments_listing"
        assert second.read_number(listings) == one_machine(
            tmp_path / "alone", migrated_database, listings
        )
        # Nothing is on the disk of one machine that another one needed.
        for machine in (second, third):
            assert [*machine.staging.iterdir()] == []
            assert not Path(machine.environment["MEDIA_ROOT"]).exists()
            assert "Traceback" not in machine.log.read_text()


def vanish_at_work(machine: Installation) -> None:
    """Begin to load, and kill all processes of the machine while a file is staged."""
    with machine.worker(host="first") as worker:
        machine.send("instruments.request_loads")
        deadline = time.monotonic() + 120
        while not any(p.stat().st_size > 2_000_000 for p in machine.staging.rglob("*.sqlite3")):
            assert time.monotonic() < deadline, machine.log.read_text()
            time.sleep(0.005)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def let_six_minutes_pass(machine: Installation) -> None:
    """Set the last report of the machine back, past the five minutes for which it is waited for."""
    with contextlib.closing(sqlite3.connect(machine.database, timeout=60)) as database, database:
        database.execute(
            "UPDATE esma_files_heartbeat SET seen_at = datetime(seen_at, '-6 minutes')"
            " WHERE host = 'first'"
        )


def one_machine(folder: Path, migrated_database: Path, sql: str) -> int:
    """Return the answer of a database that one process has loaded by itself."""
    alone = Installation(folder).copy_database(migrated_database)
    alone.run("load", DELTA, *PARTS)
    return alone.read_number(sql)
