"""Background processes that are killed, and message queues that are emptied or damaged."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis as redis_client

from marketdata.sqlite_queue import MessageFile
from tests import servers
from tests.conftest import DATA, FIRDS
from tests.installation import Installation
from tests.servers import RestartableRedis

FILES = [*sorted((DATA / "firds_2021").glob("FULINS_*.zip")), FIRDS / "DLTINS_20171027_01of01.zip"]
RECORDS = 14_003 + 112_318
REQUEST_EVERYTHING = """
from pathlib import Path
from esma_files import queue, store
from esma_files.models import EsmaFile, Run
for path in PATHS:
    store.store_file(Path(path))
for file in EsmaFile.objects.all():
    queue.request_run("load", file=file, requested_by="curator")
queue.request_run("clean", requested_by="curator")
"""
OPEN_RUNS = "SELECT count(*) FROM esma_files_run WHERE state IN ('queued', 'running')"
FEWEST_KILLS = 16
# A file that a worker was finishing for another run, when it was killed, waits for the schedule: a minute. A
# clean-up that is done late deletes the bytes of the delta, which is old: then it is loaded, and not LOADED.
NOT_LOADED = "SELECT count(*) FROM esma_files_esmafile WHERE loaded_at IS NULL"
DONE_RUNS = "SELECT count(*) FROM esma_files_run WHERE state = 'done' AND requested_by = 'curator'"
RUNS_NOT_DONE = """
SELECT run.id, run.kind, file.name, run.state, run.requested_by, run.attempt, run.problem
FROM esma_files_run run LEFT JOIN esma_files_esmafile file ON file.id = run.file_id
WHERE run.requested_by = '' AND run.kind IN ('load', 'clean') OR run.state = 'failed'
ORDER BY run.id
"""
FILES_NOT_LOADED = """
SELECT name, state, attempts, not_before, claimed_by, is_partly_merged, problem
FROM esma_files_esmafile WHERE loaded_at IS NULL
"""


@pytest.fixture
def installation(tmp_path: Path, migrated_database: Path) -> Installation:
    return Installation(tmp_path).copy_database(migrated_database)


def request_everything(installation: Installation, files: list[Path]) -> None:
    """Store the files and request their loads and a clean-up, while no worker may be running."""
    code = REQUEST_EVERYTHING.replace("PATHS", repr([str(path) for path in files]))
    installation.run("shell", "-v", "0", "-c", code)


def wait_until(
    condition: Callable[[], bool], installation: Installation, *, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, installation.log.read_text()[-5000:]
        time.sleep(0.1)


@pytest.mark.slow
def test_strange_files_and_messages_stop_no_worker(installation: Installation) -> None:
    """Damage to the file itself: tests/marketdata/test_sqlite_queue.py."""
    messages = installation.queue / "messages.sqlite3"
    messages.parent.mkdir()
    messages.write_bytes(b"")
    for name in ("1_x.celery.msg", "messages", "messages.sqlite3.bak"):
        (installation.queue / name).write_bytes(b"")
    with installation.worker() as worker:
        wait_until(lambda: messages.stat().st_size > 0, installation, seconds=60)
        for body in ("", "[]", '{"body": "x", "properties": {"delivery_tag": "1"}}'):
            MessageFile(messages).put("celery", body)
        installation.send("no.such.task")
        request_everything(installation, FILES[:1])
        installation.wait_for(DONE_RUNS, 2)

        assert worker.poll() is None


@pytest.mark.slow
def test_an_unreadable_message_in_redis_stops_no_worker_for_good(
    tmp_path: Path, migrated_database: Path, redis: str
) -> None:
    installation = Installation(tmp_path, REDIS_URL=redis).copy_database(migrated_database)
    with redis_client.Redis.from_url(redis) as client, installation.supervised_worker():
        installation.wait_for("SELECT count(*) FROM esma_files_heartbeat", 2)
        client.lpush("celery", "{")
        request_everything(installation, FILES[:1])
        installation.wait_for(DONE_RUNS, 2, seconds=150)
        client.flushdb()


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_schedule_are_restarted(installation: Installation) -> None:
    alive = "SELECT count(DISTINCT identity) FROM esma_files_heartbeat"
    with installation.supervised_worker() as supervisor:
        installation.wait_for(alive, 2)
        for name in ("worker", "beat"):
            command = installation.processes("celery", name)
            main = next(process for process in command if process.ppid() == supervisor.pid)
            os.kill(main.pid, signal.SIGKILL)
        installation.wait_for(alive, 4)  # two of them have ended
        request_everything(installation, FILES[:1])
        installation.wait_for(DONE_RUNS, 2)
    assert installation.log.read_text().count("ended (signal SIGKILL)") == 2
    assert installation.processes("celery") == []


@pytest.mark.slow
def test_a_worker_that_hangs_is_restarted(tmp_path: Path, migrated_database: Path) -> None:
    installation = Installation(tmp_path, WORKER_STALLED_SECONDS="10")
    installation.copy_database(migrated_database)
    with installation.supervised_worker():
        installation.wait_for("SELECT count(*) FROM esma_files_heartbeat", 2)
        for process in installation.processes("celery", "worker"):
            process.suspend()
        request_everything(installation, FILES[:1])
        installation.wait_for(DONE_RUNS, 2, seconds=120)
    assert "has left work waiting for 10 seconds, and is killed" in installation.log.read_text()


@pytest.mark.slow
def test_a_worker_that_hangs_with_the_lock_of_the_queue_is_restarted(
    tmp_path: Path, migrated_database: Path
) -> None:
    installation = Installation(tmp_path, WORKER_STALLED_SECONDS="10")
    installation.copy_database(migrated_database)
    with installation.supervised_worker():
        installation.wait_for("SELECT count(*) FROM esma_files_heartbeat", 2)
        # The lock is the test's: when a process is suspended cannot be chosen so well.
        lock = sqlite3.connect(installation.queue / "messages.sqlite3", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        for process in installation.processes("celery", "worker"):
            process.suspend()
        request_everything(installation, FILES[:1])
        deadline = time.monotonic() + 120
        while "and is killed" not in installation.log.read_text():
            assert time.monotonic() < deadline, installation.log.read_text()
            time.sleep(0.5)
        lock.close()
        installation.wait_for(DONE_RUNS, 2, seconds=120)
    assert "no message could be sent" in installation.log.read_text()


@pytest.mark.slow
def test_lost_messages_are_sent_again_before_a_worker_is_killed(
    tmp_path: Path, migrated_database: Path
) -> None:
    installation = Installation(tmp_path, WORKER_STALLED_SECONDS="20")
    installation.copy_database(migrated_database)
    request_everything(installation, FILES[:1])
    MessageFile(installation.queue / "messages.sqlite3").clear("celery")
    with installation.supervised_worker():
        installation.wait_for(DONE_RUNS, 2, seconds=120)
    assert "has left work waiting" not in installation.log.read_text()


@pytest.mark.slow
def test_processes_end_after_their_supervisor_was_killed(installation: Installation) -> None:
    supervisor = installation.start_supervisor()
    try:
        installation.wait_for("SELECT count(*) FROM esma_files_heartbeat", 2)
    finally:
        supervisor.kill()
        supervisor.wait()

    wait_until(lambda: not installation.processes("celery"), installation, seconds=60)


@pytest.fixture(params=["embedded", "redis"])
def restartable_redis(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[RestartableRedis | None]:
    """A Redis that can be killed, or None for the embedded queue."""
    if request.param == "embedded":
        yield None
        return
    with servers.restartable_redis() as server:
        yield server


@pytest.mark.slow
def test_all_requested_work_is_done_once_while_processes_are_killed(
    tmp_path: Path, migrated_database: Path, restartable_redis: RestartableRedis | None
) -> None:
    """For two minutes, random processes are killed: workers, their processes, beat, supervisor, Redis.

    For longer on a machine so busy that two minutes are not enough for FEWEST_KILLS.
    """
    seed = random.randrange(10**9)
    print("seed", seed)
    choose = random.Random(seed)
    address = restartable_redis.address if restartable_redis else ""
    settings = {
        "WORKER_STALLED_SECONDS": "30",
        "MAX_ATTEMPTS": "100",  # chance may hit one run often
        "RETRY_SECONDS": "1",  # and each time that a worker ended makes the next pause longer
    }
    installation = Installation(tmp_path, REDIS_URL=address, **settings)
    installation.copy_database(migrated_database)
    request_everything(installation, FILES)
    supervisor = installation.start_supervisor()
    killed: list[str] = []
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end or len(killed) < FEWEST_KILLS:
            time.sleep(choose.uniform(1, 5))
            victims: list[psutil.Process | RestartableRedis] = [*installation.processes("celery")]
            victims += [psutil.Process(supervisor.pid)] if choose.random() < 0.3 else []
            victims += [restartable_redis] if restartable_redis else []
            if victims:
                victim = choose.choice(victims)
                killed.append(str(victim))
                victim.kill()
            if supervisor.poll() is not None:  # as systemd or a container platform does
                supervisor = installation.start_supervisor()
            if restartable_redis:
                restartable_redis.start_if_ended()
        # The last one killed may have been the supervisor, which takes a moment to end.
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(5)
            supervisor = installation.start_supervisor()
        for remaining in (NOT_LOADED, OPEN_RUNS):
            installation.wait_for(remaining, 0, seconds=300)
    finally:
        print("killed", *killed, sep="\n")
        print("runs not done", *installation.read_rows(RUNS_NOT_DONE), sep="\n")
        print("files not loaded", *installation.read_rows(FILES_NOT_LOADED), sep="\n")
        installation.stop_supervisor(supervisor)
    requested = len(FILES) + 1
    assert installation.read_number(DONE_RUNS) == requested
    done = "FROM esma_files_run WHERE state = 'done' AND requested_by = 'curator'"
    assert installation.read_number(
        f"SELECT count(DISTINCT kind || coalesce(file_id, '')) {done}"
    ) == (requested)
    assert installation.read_number(f"SELECT sum(read) {done} AND kind = 'load'") == RECORDS
    undisturbed = Installation(tmp_path / "undisturbed").copy_database(migrated_database)
    undisturbed.run("load", *FILES)
    assert installation.counts() == undisturbed.counts()
    assert list(installation.staging.iterdir()) == []
