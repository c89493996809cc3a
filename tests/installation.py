"""An installation of the service: a folder, environment variables and real processes."""

import contextlib
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from marketdata import sqlite_queue
from marketdata.settings import schedule
from tests.conftest import DATA

ROOT = DATA.parent.parent


class Installation:
    """The service in a folder of its own, worked by its commands."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.database = folder / "marketdata.sqlite3"
        self.staging = folder / "staging"
        self.queue = folder / "queue"
        self.log = folder / "worker.log"
        self.environment = {
            **os.environ,
            "ENV_FILE": os.devnull,
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_TYPE": "sqlite",
            "SQLITE_DB_PATH": str(self.database),
            "MEDIA_ROOT": str(folder / "files"),
            "STAGING_DIR": str(self.staging),
            "DOWNLOAD_DIR": str(folder / "downloads"),
            "QUEUE_DIR": str(self.queue),
            "BACKUP_DIR": str(folder / "backups"),
            "FETCH_ON_SCHEDULE": "false",
            **settings,
        }

    def copy_database(self, database: Path) -> "Installation":
        """Begin with a copy of a SQLite file that is not in use."""
        self.database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(database, self.database)
        return self

    def start(self, *command: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, command)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def worker(
        self, *, processes: int = 1, beat: bool = False, host: str = ""
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A Celery worker in a process group of its own, ended with the context.

        With `host`, it runs under that host name, as on another machine, which only root can do.
        """
        command = ["-m", "celery", "-A", "marketdata", "worker", "--loglevel", "WARNING"]
        options = ["--concurrency", str(processes), "--without-gossip", "--without-mingle"]
        options += ["--beat"] if beat else []
        as_host = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [
                    *(as_host if host else []),
                    *[sys.executable, *command, *options, "--hostname", f"{uuid.uuid4()}@test"],
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @contextlib.contextmanager
    def supervised_worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run `manage.py run_worker` and end it, with its processes, with the context."""
        process = self.start_supervisor()
        try:
            yield process
        finally:
            self.stop_supervisor(process)

    def start_supervisor(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "run_worker", "--patience", "1"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    @staticmethod
    def stop_supervisor(process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the running processes of this installation whose command has all of the words."""
        marker = str(self.database)
        matching = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    process.environ().get("SQLITE_DB_PATH") == marker
                    and process.status() != psutil.STATUS_ZOMBIE
                    and set(words) <= set(process.cmdline())
                ):
                    matching.append(process)
        return matching

    def send(self, task: str, *arguments: int) -> None:
        """Send a message for a task."""
        broker = self.environment.get("REDIS_URL") or f"{sqlite_queue.SCHEME}://localhost/"
        with Celery("tests", broker=broker, set_as_current=False) as app:
            if not self.environment.get("REDIS_URL"):
                app.conf.broker_transport_options = schedule.embedded_queue_options(self.queue)
            app.send_task(task, args=arguments)

    def wait_for(self, sql: str, value: int, *, seconds: float = 90) -> None:
        """Wait until a query returns the value."""
        deadline = time.monotonic() + seconds
        while self.read_number(sql) != value:
            assert time.monotonic() < deadline, (
                f"{sql} is {self.read_number(sql)}\n{self.log.read_text()}"
            )
            time.sleep(0.1)

    def run(self, *command: str | Path) -> str:
        process = self.start(*command)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return out

    def read_number(self, sql: str) -> int:
        """Return the number that a statement selects."""
        return int(self.read_rows(sql)[0][0])

    def read_rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows that a statement selects."""
        opened = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        with contextlib.closing(opened) as connection:
            return connection.execute(sql).fetchall()

    def counts(self) -> tuple[int, int]:
        """Listings and instruments."""
        return (
            self.read_number("SELECT count(*) FROM instruments_listing"),
            self.read_number("SELECT count(*) FROM instruments_instrument"),
        )
