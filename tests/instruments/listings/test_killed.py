"""kill -9 at any moment: each slice of a file is in the database or not, and the next run finishes."""

import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATA, FIRDS
from tests.installation import Installation

pytestmark = pytest.mark.slow  # each test starts processes and waits for them

DELTA = FIRDS / "DLTINS_20171027_01of01.zip"
RECORDS = 112_318
SMALL = DATA / "firds_2021" / "FULINS_F_20210117_01of01.zip"
SMALL_RECORDS = 2_664
OTHER = next((DATA / "fitrs").glob("FULECR*.zip"))  # writes into other tables
WHOLE = {"MERGE_RECORDS": "1000000"}  # all of it in one transaction
IN_BOTH = 1  # a listing that is in the delta of 2017 and in the full file of 2021


def staging_has_begun(installation: Installation) -> bool:
    return any(path.stat().st_size > 5_000_000 for path in installation.staging.rglob("*.sqlite3"))


def merging_has_begun(installation: Installation) -> bool:
    """The log grows while the transaction is open: records are being written."""
    log = Path(f"{installation.database}-wal")
    return log.exists() and log.stat().st_size > 8_000_000


def kill_loading(installation: Installation, moment: Callable[[Installation], bool]) -> None:
    process = installation.start("load", DELTA)
    deadline = time.monotonic() + 180
    while not moment(installation):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("moment", [staging_has_begun, merging_has_begun])
def test_a_load_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, moment: Callable[[Installation], bool]
) -> None:
    installation = Installation(tmp_path, **WHOLE)
    installation.run("migrate")
    installation.run("load", SMALL)
    before = installation.counts()
    assert before[0] == SMALL_RECORDS

    kill_loading(installation, moment)

    assert installation.counts() == before, "as before the file: its merge was not committed"
    assert installation.read_number("SELECT count(*) FROM esma_files_rejectedrecord") == 0
    [result] = json.loads(installation.run("load", DELTA, "--format", "json"))
    assert (result["read"], result["state"]) == (RECORDS, "loaded")
    assert installation.counts()[0] == SMALL_RECORDS + RECORDS - IN_BOTH
    abandoned = "SELECT count(*) FROM esma_files_run WHERE state = 'abandoned'"
    assert installation.read_number(abandoned) == 1
    assert list(installation.staging.iterdir()) == []


def read_tables(installation: Installation) -> list[list[Any]]:
    """Return the rows of the tables, without keys that depend on the order of loading."""
    tables: list[Any] = []
    with contextlib.closing(sqlite3.connect(installation.database)) as connection:
        for table in ("listing", "listingversion", "instrument", "underlying", "listedvenue"):
            rows = connection.execute(f"SELECT * FROM instruments_{table}")
            columns = [name for name, *_ in rows.description]
            kept = [n for n, name in enumerate(columns) if name not in ("id", "change_id")]
            tables.append(sorted(repr([row[n] for n in kept]) for row in rows))
    return tables


def test_a_file_that_is_partly_merged_is_finished_by_the_next_load_of_any_file(
    tmp_path: Path,
) -> None:
    """The tables are then as if its load had never been interrupted."""
    installation = Installation(tmp_path, MERGE_RECORDS="3000")
    installation.run("migrate")
    kill_loading(installation, lambda of: of.counts()[0] > RECORDS / 4)

    merged, _ = installation.counts()
    assert RECORDS / 4 < merged < RECORDS
    marked = "SELECT count(*) FROM esma_files_esmafile WHERE is_partly_merged"
    assert installation.read_number(marked) == 1
    assert (
        installation.read_number("SELECT count(*) FROM esma_files_esmafile WHERE loaded_at IS NULL")
        == 1
    )
    result, other = json.loads(installation.run("load", OTHER, "--format", "json"))

    assert (result["file"], other["file"]) == (DELTA.name, OTHER.name)
    assert (result["state"], result["read"]) == ("loaded", RECORDS)
    assert installation.read_number(marked) == 0
    assert installation.counts()[0] == RECORDS
    runs = "FROM esma_files_run WHERE state"
    assert installation.read_number(f"SELECT new + ended {runs} = 'abandoned'") == merged
    assert installation.read_number(f"SELECT new + ended {runs} = 'done'") == RECORDS - merged
    assert installation.read_number(f"SELECT unchanged {runs} = 'done'") == merged
    (tmp_path / "at_once").mkdir()
    at_once = Installation(tmp_path / "at_once", **WHOLE)
    at_once.run("migrate")
    at_once.run("load", DELTA)
    assert read_tables(installation) == read_tables(at_once)


def test_a_load_that_is_killed_has_left_nothing_when_a_question_is_answered(tmp_path: Path) -> None:
    installation = Installation(tmp_path, MERGE_RECORDS="3000")
    installation.run("migrate")
    installation.run("load", SMALL)
    before = read_tables(installation)
    kill_loading(installation, lambda of: of.counts()[0] > SMALL_RECORDS + RECORDS / 4)

    installation.run("instruments", "list", "--limit", "1")

    assert read_tables(installation) == before
    [result] = json.loads(installation.run("load", DELTA, "--format", "json"))
    assert (result["state"], result["read"]) == ("loaded", RECORDS)


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
