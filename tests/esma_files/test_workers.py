"""Real workers on real queues: shared work, repeated deliveries, killed processes."""

import datetime as dt
import html
import io
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from esma_files import processes, queue, runs, store
from esma_files.models import EsmaFile, Heartbeat, Run, heartbeat
from marketdata.celery import app
from marketdata.heartbeats import ReportingScheduler
from tests import register
from tests.conftest import DATA, FIRDS
from tests.installation import Installation
from tests.register import Trouble

pytestmark = pytest.mark.slow  # each test starts processes and waits for them

PARTS = sorted((DATA / "firds_2021").glob("FULINS_*.zip"))
DELTA = FIRDS / "DLTINS_20171027_01of01.zip"
NOT_LOADED = "SELECT count(*) FROM esma_files_esmafile WHERE loaded_at IS NULL"
STORE = "from esma_files import store; from pathlib import Path; "


def test_every_task_that_is_sent_is_registered() -> None:
    app.loader.import_default_modules()
    sent = {entry["task"] for entry in app.conf.beat_schedule.values()} | {*queue.TASKS.values()}

    assert sent <= set(app.tasks)
    assert set(Run.Kind) - set(queue.TASKS) == {Run.Kind.KEEP, Run.Kind.UNDO}, (
        "runs of these kinds are done at once"
    )


@pytest.fixture
def installation(tmp_path: Path, migrated_database: Path) -> Installation:
    """An installation with the queue that needs no server."""
    return Installation(tmp_path).copy_database(migrated_database)


@pytest.fixture(params=["embedded", "redis"])
def installation_with_each_queue(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_database: Path
) -> Installation:
    address = request.getfixturevalue("redis") if request.param == "redis" else ""
    return Installation(tmp_path, REDIS_URL=address).copy_database(migrated_database)


def store_files(installation: Installation, *paths: Path) -> None:
    """Store files without loading them."""
    names = ", ".join(f"Path({str(path)!r})" for path in paths)
    installation.run("shell", "-v", "0", "-c", f"{STORE}[store.store_file(p) for p in ({names},)]")


def test_workers_share_the_files_and_load_none_twice(
    installation_with_each_queue: Installation,
) -> None:
    installation = installation_with_each_queue
    store_files(installation, *PARTS)
    with installation.worker(beat=True), installation.worker(processes=2):
        for _ in range(3):  # more often than needed, as the schedule does
            installation.send("instruments.request_loads")
        installation.wait_for(NOT_LOADED, 0)
    done = "SELECT count(*) FROM esma_files_run WHERE state = 'done' AND kind = 'load'"
    assert installation.read_number(done) == len(PARTS)
    assert installation.read_number("SELECT count(*) FROM esma_files_run") == len(PARTS)
    assert installation.read_number("SELECT sum(read) FROM esma_files_run") == 14_003
    workers = "SELECT count(DISTINCT claimed_by) FROM esma_files_run"
    assert installation.read_number(workers) > 1
    assert list(installation.staging.iterdir()) == []
    assert any(installation.queue.glob("beat*")), "beat records what it has sent"
    assert "Traceback" not in installation.log.read_text()


def test_the_file_of_a_killed_worker_is_loaded_by_another_one(installation: Installation) -> None:
    store_files(installation, DELTA)
    with installation.worker() as worker:
        installation.send("instruments.request_loads")
        deadline = time.monotonic() + 60
        while not any(
            p.stat().st_size > 5_000_000 for p in installation.staging.rglob("*.sqlite3")
        ):
            assert time.monotonic() < deadline, installation.log.read_text()
            time.sleep(0.005)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert (
        installation.read_number("SELECT count(*) FROM esma_files_esmafile WHERE state = 'loading'")
        == 1
    )
    assert installation.read_number("SELECT count(*) FROM instruments_listing") == 0

    with installation.worker():
        installation.send("esma_files.recover_abandoned_work")
        abandoned = "SELECT count(*) FROM esma_files_run WHERE state = 'abandoned'"
        installation.wait_for(abandoned, 1)
        installation.send("instruments.request_loads")
        installation.wait_for(NOT_LOADED, 0)
    assert installation.read_number("SELECT count(*) FROM instruments_listing") == 112_318
    assert installation.read_number("SELECT attempts FROM esma_files_esmafile") == 0


def test_the_run_of_a_killed_worker_is_done_by_another_one(installation: Installation) -> None:
    """The schedule sends the next attempt once a minute; here its task is sent at once."""
    store_files(installation, DELTA)
    request = "from esma_files import queue; from esma_files.models import EsmaFile; "
    request += "queue.request_run('load', file=EsmaFile.objects.get(), requested_by='somebody')"
    installation.run("shell", "-v", "0", "-c", request)
    with installation.worker() as worker:
        installation.wait_for("SELECT count(*) FROM esma_files_run WHERE state = 'running'", 1)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    with installation.worker():
        installation.wait_for("SELECT count(*) FROM esma_files_run WHERE state = 'queued'", 1)
        assert "No message has been sent yet" in installation.run("runs", "list")
        installation.send("esma_files.recover_abandoned_work")
        installation.wait_for(NOT_LOADED, 0)
    runs_of = (
        "SELECT requested_by, attempt, state FROM esma_files_run WHERE kind = 'load' ORDER BY id"
    )
    assert installation.read_rows(runs_of) == [
        ("somebody", 1, "abandoned"),
        ("somebody", 2, "done"),
    ]


def test_a_killed_worker_leaves_no_temporary_files(
    installation: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    installation.environment["TMPDIR"] = str(folder)
    with installation.worker() as worker:
        shared_memory = Path(f"/proc/{worker.pid}/maps")
        deadline = time.monotonic() + 60
        while f"{folder}/" not in shared_memory.read_text():  # its pool of processes has started
            assert time.monotonic() < deadline, installation.log.read_text()
            time.sleep(0.1)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    assert list(folder.iterdir()) == []


def test_a_queued_run_without_a_message_is_sent_again(installation: Installation) -> None:
    """As after the queue was emptied, or could not be reached at the time of the request."""
    store_files(installation, PARTS[0])
    installation.run(
        "shell",
        "-v",
        "0",
        "-c",
        "from esma_files.models import *; Run.objects.create("
        "kind='load', state='queued', file=EsmaFile.objects.get(), requested_by='somebody')",
    )
    with installation.worker():
        installation.send("esma_files.recover_abandoned_work")
        installation.wait_for(NOT_LOADED, 0)
    assert installation.read_number("SELECT count(*) FROM esma_files_run WHERE state = 'done'") == 1


def test_a_listed_file_is_downloaded_and_loaded_despite_server_errors(
    tmp_path: Path, migrated_database: Path
) -> None:
    """Downloads that fail are postponed, and repeated when they are due."""
    source = FIRDS / "FULINS_C_20250830_01of01.zip"
    with register.running() as esma:
        esma.publish(source.name, source.read_bytes(), day="2025-08-30")
        esma.trouble(f"/files/{source.name}", *[Trouble(status=503)] * 2)
        installation = Installation(
            tmp_path,
            ESMA_REGISTER_URL=f"{esma.url}/solr",
            DOWNLOAD_HOSTS=esma.url,
            DOWNLOAD_DAYS="100000",
            HTTP_ATTEMPTS="1",
            RETRY_SECONDS="1",
        )
        installation.copy_database(migrated_database)
        synced = installation.run(
            "sync_register", "--since", "2025-08-01", "--until", "2025-09-01", "--format", "json"
        )
        assert json.loads(synced)[0]["new"] == 1
        with installation.worker():
            deadline = time.monotonic() + 90
            while installation.read_number(NOT_LOADED):
                assert time.monotonic() < deadline, installation.log.read_text()
                for task in ("esma_files.request_downloads", "instruments.request_loads"):
                    installation.send(task)
                time.sleep(0.5)
    assert installation.read_number("SELECT count(*) FROM instruments_listing") == 5
    failed = "SELECT count(*) FROM esma_files_run WHERE state = 'failed' AND kind = 'download'"
    assert installation.read_number(failed) == 2
    assert "HTTP 503" in installation.log.read_text()


class TestObstacles:
    """Queued runs that no worker can take."""

    @pytest.fixture
    def run(self, db: None) -> Run:
        return Run.objects.create(kind=Run.Kind.CLEAN, state=Run.State.QUEUED)

    @staticmethod
    def report_a_worker(**fields: Any) -> None:
        Heartbeat.objects.report(Heartbeat.Role.WORKER, **fields)

    def test_the_api_says_that_no_worker_is_running(
        self, run: Run, anonymous_reading: None, client: Client
    ) -> None:
        answer = client.get(f"/api/v1/runs/{run.pk}/").json()

        assert answer["obstacle"] == queue.NO_WORKER

    def test_the_api_says_that_no_message_has_been_sent(
        self, run: Run, anonymous_reading: None, client: Client
    ) -> None:
        self.report_a_worker()

        [answer] = client.get("/api/v1/runs/").json()["results"]

        assert "The schedule sends it within a minute" in answer["obstacle"]

    def test_a_run_that_was_sent_to_a_worker_has_no_obstacle(
        self, run: Run, anonymous_reading: None, client: Client
    ) -> None:
        self.report_a_worker()
        Run.objects.update(sent_at=timezone.now())

        assert client.get(f"/api/v1/runs/{run.pk}/").json()["obstacle"] == ""

    def test_the_answer_to_a_request_has_no_obstacle_where_the_queue_can_be_reached(
        self, db: None, django_capture_on_commit_callbacks: Any
    ) -> None:
        self.report_a_worker()
        with django_capture_on_commit_callbacks(execute=True):
            run = queue.request_run(Run.Kind.CLEAN)

        assert queue.obstacle(run, is_worked=True) == ""

    @pytest.mark.parametrize("age", [heartbeat.MISSING_AFTER, dt.timedelta(hours=3)])
    def test_a_worker_without_recent_heartbeat_takes_no_runs(
        self, run: Run, age: dt.timedelta
    ) -> None:
        self.report_a_worker()
        assert queue.has_worker()

        Heartbeat.objects.update(seen_at=timezone.now() - age)

        assert not queue.has_worker()

    def test_a_worker_that_has_ended_takes_no_runs(self, run: Run) -> None:
        self.report_a_worker()

        Heartbeat.objects.update(identity=f"{socket.gethostname()}/999999999/1")

        assert not queue.has_worker()

    def test_the_admin_says_so(self, run: Run, admin_client: Client) -> None:
        page = admin_client.get("/admin/esma_files/run/").content.decode()

        assert queue.NO_WORKER in html.unescape(page)

    def test_the_command_says_so(self, run: Run) -> None:
        out, err = io.StringIO(), io.StringIO()

        call_command("runs", "list", "--state", "queued", stdout=out, stderr=err)

        assert queue.NO_WORKER in out.getvalue()
        assert queue.NO_WORKER in err.getvalue()


@pytest.mark.django_db
class TestAbandonedRuns:
    """Runs whose worker has ended."""

    ENDED = f"{socket.gethostname()}/999999999/1"

    def abandon(self, **fields: Any) -> list[Run]:
        """Create a running run with these fields, recover, and return all runs, the first one first."""
        values = {"kind": Run.Kind.CLEAN, "state": Run.State.RUNNING, "claimed_by": self.ENDED}
        Run.objects.create(**{**values, "sent_at": timezone.now(), **fields})
        runs.release_abandoned()
        return list(Run.objects.order_by("pk"))

    def test_a_run_from_the_queue_is_queued_again(self) -> None:
        first, second = self.abandon(requested_by="carla", arguments={"a": "b"})

        assert (first.state, first.attempt) == (Run.State.ABANDONED, 1)
        assert first.problem == (
            f"The worker ended during this run. Run {second.pk} is its next attempt."
        )
        assert (second.state, second.attempt, second.requested_by) == ("queued", 2, "carla")
        assert (second.kind, second.arguments) == (Run.Kind.CLEAN, {"a": "b"})

    def test_a_run_that_was_claimed_before_its_message_was_sent_is_queued_again(self) -> None:
        run = Run.objects.create(kind=Run.Kind.CLEAN, state=Run.State.QUEUED)
        Run.objects.claim(run.pk)
        Run.objects.update(claimed_by=self.ENDED)

        runs.release_abandoned()

        assert [run.state for run in Run.objects.order_by("pk")] == ["abandoned", "queued"]

    def test_a_run_of_a_command_is_not_repeated(self) -> None:
        [run] = self.abandon(sent_at=None)

        assert run.state == Run.State.ABANDONED

    def test_a_run_is_given_up_after_the_last_attempt(self, settings: LazySettings) -> None:
        [run] = self.abandon(attempt=settings.MAX_ATTEMPTS)

        assert run.state == Run.State.FAILED
        assert f"attempt {settings.MAX_ATTEMPTS}" in run.problem

    def test_a_run_of_a_running_process_is_left_alone(self) -> None:
        [run] = self.abandon(claimed_by=processes.current_process())

        assert run.state == Run.State.RUNNING

    @pytest.mark.parametrize(
        ("silence", "expected"),
        [
            (heartbeat.HOST_GONE_AFTER + dt.timedelta(seconds=1), ["abandoned", "queued"]),
            (heartbeat.MISSING_AFTER, ["running"]),
        ],
    )
    def test_a_run_on_another_host_is_recovered_when_the_host_is_silent(
        self, silence: dt.timedelta, expected: list[str]
    ) -> None:
        Heartbeat.objects.report(Heartbeat.Role.WORKER)
        Heartbeat.objects.update(host="elsewhere", seen_at=timezone.now() - silence)

        assert [run.state for run in self.abandon(claimed_by="elsewhere/1/2")] == expected

    def test_what_a_failed_task_could_not_release_is_released_before_the_next_one(self) -> None:
        """As when the database refused to save the end of the run."""
        file = store.store_file(PARTS[0])
        run = Run.objects.create(kind=Run.Kind.LOAD, file=file, state=Run.State.QUEUED)
        Run.objects.claim(run.pk)
        EsmaFile.objects.claim(
            file.pk, from_state=EsmaFile.State.DOWNLOADED, to_state=EsmaFile.State.LOADING
        )
        app.loader.import_default_modules()
        app.tasks["esma_files.recover_abandoned_work"].apply()
        file.refresh_from_db()
        left, again = Run.objects.order_by("pk")

        assert (file.state, file.claimed_by, file.attempts) == (EsmaFile.State.DOWNLOADED, "", 1)
        assert left.state == Run.State.ABANDONED
        assert left.problem == (
            f"An error ended this run and could not be saved. Run {again.pk} is its next attempt."
        )
        assert (again.state, again.attempt) == (Run.State.QUEUED, 2)

    def test_what_a_failed_task_could_not_release_is_released_at_its_end(self) -> None:
        run = Run.objects.create(kind=Run.Kind.SYNC, state=Run.State.QUEUED)
        app.loader.import_default_modules()
        task = app.tasks["esma_files.run_sync"].apply(args=(run.pk,))  # without its dataset

        assert task.state == "FAILURE"
        assert [run.state for run in Run.objects.order_by("pk")] == ["abandoned", "queued"]

    @pytest.mark.sqlite
    def test_a_run_is_not_lost_when_its_next_attempt_cannot_be_saved(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON esma_files_run WHEN NEW.attempt = 2"
                " BEGIN SELECT raise(ABORT, 'refused'); END"
            )
        with pytest.raises(DatabaseError, match="refused"):
            self.abandon()

        assert [run.state for run in Run.objects.all()] == ["running"]

    def test_a_run_on_a_host_that_never_reported_is_left_alone(self) -> None:
        [run] = self.abandon(claimed_by="elsewhere/1/2")

        assert run.state == Run.State.RUNNING


@pytest.mark.django_db
def test_the_schedule_goes_on_after_the_clock_was_set_back(tmp_path: Path) -> None:
    """It keeps when each task was last sent: a machine may start with a clock that is a day ahead."""
    scheduler = ReportingScheduler(app=app, schedule_filename=str(tmp_path / "beat"))
    try:
        for entry in scheduler.schedule.values():
            entry.last_run_at = app.now() + dt.timedelta(days=1)
        scheduler.tick()

        waits = [entry.is_due()[1] for entry in scheduler.schedule.values()]
    finally:
        scheduler.close()
    assert min(waits) <= 60
    assert max(waits) <= 24 * 3600
