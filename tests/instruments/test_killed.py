"""kill -9 at any moment: the database is as before the file or as after it, and the next run finishes."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DATA, FIRDS

ROOT = DATA.parent.parent
DELTA = FIRDS / "DLTINS_20171027_01of01.zip"
RECORDS = 112_318
SMALL = DATA / "firds_2021" / "FULINS_F_20210117_01of01.zip"
SMALL_RECORDS = 2_664
IN_BOTH = 1  # a listing that is in the delta of 2017 and in the full file of 2021


class Installation:
    """The service in a folder of its own, worked by its commands."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "marketdata.sqlite3"
        self.staging = folder / "staging"
        self.environment = {
            **os.environ,
            "ENV_FILE": os.devnull,
            "SECRET_KEY": secrets.token_hex(32),
            "SQLITE_DB_PATH": str(self.database),
            "MEDIA_ROOT": str(folder / "files"),
            "STAGING_DIR": str(self.staging),
        }

    def start(self, *command: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, command)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str | Path) -> str:
        process = self.start(*command)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return out

    def one(self, sql: str) -> int:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            return int(connection.execute(sql).fetchone()[0])

    def counts(self) -> tuple[int, int]:
        """Listings and instruments."""
        return (
            self.one("SELECT count(*) FROM instruments_listing"),
            self.one("SELECT count(*) FROM instruments_instrument"),
        )


def staging_has_begun(installation: Installation) -> bool:
    return any(path.stat().st_size > 5_000_000 for path in installation.staging.glob("*.sqlite3"))


def merging_has_begun(installation: Installation) -> bool:
    """The log grows while the transaction is open: records are being written."""
    log = Path(f"{installation.database}-wal")
    return log.exists() and log.stat().st_size > 8_000_000


@pytest.mark.parametrize("moment", [staging_has_begun, merging_has_begun])
def test_a_load_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, moment: Callable[[Installation], bool]
) -> None:
    installation = Installation(tmp_path)
    installation.run("migrate")
    installation.run("load", SMALL)
    before = installation.counts()
    assert before[0] == SMALL_RECORDS

    process = installation.start("load", DELTA)
    deadline = time.monotonic() + 60
    while not moment(installation):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert installation.counts() == before, "as before the file: its merge was not committed"
    assert installation.one("SELECT count(*) FROM esma_files_rejectedrecord") == 0
    [result] = json.loads(installation.run("load", DELTA, "--format", "json"))
    assert (result["read"], result["state"]) == (RECORDS, "loaded")
    assert installation.counts()[0] == SMALL_RECORDS + RECORDS - IN_BOTH
    abandoned = "SELECT count(*) FROM esma_files_loadrun WHERE outcome = 'abandoned'"
    assert installation.one(abandoned) == 1
    assert list(installation.staging.iterdir()) == []


def test_a_file_that_another_process_loads_is_left_to_it(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.run("migrate")
    first = installation.start("load", DELTA, "--format", "json")
    while not installation.staging.exists() or not any(installation.staging.iterdir()):
        assert first.poll() is None
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # it is slow, and not dead

    [second] = json.loads(installation.run("load", DELTA, "--format", "json"))

    first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    assert second["state"] == "loading"
    assert second["read"] == 0
    [result] = json.loads(out)
    assert result["state"] == "loaded"
