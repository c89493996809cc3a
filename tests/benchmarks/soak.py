"""`make bench-soak`: the service under load while files are loaded, parts are killed and the disk is full.

Real processes: the web server as `deploy/start` runs it, a supervised worker, Redis. Clients look up, list,
search, export and sign in all the time. Meanwhile the worker loads a full set and a delta, then faults
happen: Redis and a process of the web server are killed, the worker while it loads another delta, the disk of
the staging folder is full when it should load one more, and another program locks the database.

After faults that requests notice, they may fail for some seconds, with clear errors: 503, or no connection.
All files must be loaded in the end, without help. Prints each criterion with its figures; exit status 1
if one is not met. Needs root, since a small file system is mounted as the staging folder.
"""

import argparse
import contextlib
import dataclasses
import datetime as dt
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import psutil
import requests
from rich.console import Console

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")
django.setup()  # before modules that import models

from tests import servers  # noqa: E402
from tests.benchmarks import soak_report  # noqa: E402
from tests.benchmarks.generator import grow, grow_delta  # noqa: E402
from tests.benchmarks.soak_clients import Clients  # noqa: E402
from tests.benchmarks.soak_report import Criterion, Event  # noqa: E402
from tests.installation import ROOT, Installation  # noqa: E402

SOURCES = Path(__file__).parent.parent / "data"
DAY = dt.date(2026, 1, 3)
_LOCK_SECONDS = 5.0
_PATIENCE_SECONDS = (
    600.0  # for the start, and for the loads that are left at the end, on a slow machine
)
_REQUEST_LOADS = """
from pathlib import Path
from esma_files import queue
from esma_files.models import Run
from instruments import pipeline
for file in pipeline.register_files([Path(path) for path in {paths!r}]):
    queue.request_run(Run.Kind.LOAD, file=file)
"""
# Each client signs in with a name of its own: five attempts of a name may be under way at a time.
_CREATE_USERS = """
from accounts.models import User
password = User.objects.get(username="client").password
User.objects.bulk_create(User(username=f"client-{{n}}", password=password) for n in range({count}))
"""
_NOT_LOADED = "SELECT count(*) FROM esma_files_esmafile WHERE loaded_at IS NULL"
_BEGUN = (
    "SELECT count(*) FROM esma_files_esmafile WHERE state IN ('loading', 'loaded') AND name = '{}'"
)
_LOADED = "SELECT count(*) FROM esma_files_esmafile WHERE state = 'loaded' AND name = '{}'"
# The type and message of an exception: the first line of its traceback that is not indented. In JSON, the end
# of a line is the two characters of its escape.
_EXCEPTION_LINE = re.compile(r"(?:\n|\\n)([A-Za-z_][\w.]*[^\n\\]{0,100})")
_DISK_FULL = "SELECT count(*) FROM esma_files_esmafile WHERE problem LIKE '%cannot be staged in%'"


@dataclasses.dataclass
class Files:
    """Published files of four days: a full set and the deltas after it."""

    first: list[Path]
    full: list[Path]
    delta: Path
    delta_of_killed_worker: Path
    delta_of_full_disk: Path

    @classmethod
    def create(cls, folder: Path, *, records: int) -> "Files":
        sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
        changes, next_day = max(100, records // 20), DAY + dt.timedelta(days=7)
        deltas = [
            grow_delta(
                sources,
                records=records,
                changes=changes,
                folder=folder / "next",
                day=next_day + dt.timedelta(days=days),
            )
            for days in (1, 2, 3)
        ]
        return cls(
            grow(sources, records=records, folder=folder / "first", day=DAY),
            grow(sources, records=records, folder=folder / "next", day=next_day),
            *deltas,
        )


class Faults:
    """The loads and faults; `criteria` says whether each fault has happened as it should."""

    def __init__(
        self, installation: Installation, files: Files, service: "subprocess.Popen[bytes]"
    ) -> None:
        self._installation, self._files, self._service = installation, files, service
        self.criteria: list[Criterion] = []

    def load(self) -> None:
        self._request(*self._files.full, self._files.delta)

    def kill_a_web_process(self) -> None:
        psutil.Process(self._service.pid).children(recursive=True)[-1].kill()

    def kill_the_worker(self) -> None:
        """Kill all processes of the worker while it loads a delta."""
        path = self._files.delta_of_killed_worker
        request = self._installation.start(
            "shell", "-c", _REQUEST_LOADS.format(paths=[str(path)])
        )  # not waited for: the load may end before this process does
        has_begun = self._wait(_BEGUN.format(path.name), 1)
        is_loading = has_begun and not self._installation.read_number(_LOADED.format(path.name))
        workers = self._installation.processes("celery", "worker")
        for process in workers:
            with contextlib.suppress(psutil.Error):
                process.kill()
        request.communicate()
        figure = f"{len(workers)} processes" + ("" if is_loading else ", but it loaded nothing")
        self.criteria.append(Criterion("the worker is killed during a load", figure, is_loading))

    def fill_the_disk(self) -> None:
        """Fill the staging folder, request a load, and make room when it has failed."""
        staging = self._installation.staging
        ballast = staging / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        self._request(self._files.delta_of_full_disk)
        start = time.monotonic()
        is_named = self._wait(_DISK_FULL, 1)
        figure = f"cannot be staged in ... after {time.monotonic() - start:.0f} s"
        ballast.unlink()
        self.criteria.append(Criterion("a load on a full disk says so", figure, is_named))

    def lock_the_database(self) -> None:
        """Hold the write lock for some seconds, as a program that forgot to commit."""
        opened = sqlite3.connect(self._installation.database, timeout=60, isolation_level=None)
        with contextlib.closing(opened) as lock:
            lock.execute("BEGIN IMMEDIATE")
            time.sleep(_LOCK_SECONDS)
            lock.execute("ROLLBACK")

    def _request(self, *paths: Path) -> None:
        self._installation.run("shell", "-c", _REQUEST_LOADS.format(paths=[*map(str, paths)]))

    def _wait(self, sql: str, at_least: int) -> bool:
        """Return whether the number that a query selects has reached a value in time."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._installation.read_number(sql) >= at_least:
                return True
            time.sleep(0.05)
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as name,
        servers.restartable_redis() as redis,
        _small_disk(Path(name) / "staging", megabytes=max(64, options.records // 250)),
    ):
        folder = Path(name)
        console.print(f"Loading {options.records:,} records ...")
        files = Files.create(folder, records=options.records)
        installation = _install(folder, redis.address)
        installation.run("load", *files.first)
        port = servers.free_port()
        clients = _create_clients(installation, f"http://127.0.0.1:{port}", options.clients)
        with _service(installation, port) as service, installation.supervised_worker():
            faults = Faults(installation, files, service)
            timeline: list[tuple[float, str, Callable[[], object], bool]] = [
                (0.30, "load a full set and a delta", faults.load, False),
                (0.60, "kill Redis", redis.kill, True),
                (0.63, "start Redis", redis.start_if_ended, True),
                (0.68, "kill a process of the web server", faults.kill_a_web_process, True),
                (0.74, "kill the worker while it loads", faults.kill_the_worker, False),
                (0.84, "fill the disk of the staging folder", faults.fill_the_disk, False),
                (0.94, "lock the database", faults.lock_the_database, False),
            ]
            memory, events = _run(clients, options, timeline, service, console)
            phases = soak_report.split(clients.answers, events, options.seconds)
            soak_report.print_answers(phases, console)
            criteria = [
                *soak_report.judge_answers(phases, events, console),
                soak_report.judge_memory(memory, events, options.seconds),
                *faults.criteria,
                Criterion(
                    "each fault has happened",
                    f"{len(faults.criteria)} of 2 were looked at",
                    len(faults.criteria) == 2,
                ),
                *_judge_end(installation, f"http://127.0.0.1:{port}"),
            ]
        if not soak_report.print_criteria(criteria, console):
            console.print(
                f"Tracebacks in the log:\n{_show_tracebacks(installation.log)}", markup=False
            )
            console.print(
                f"The last lines of the log:\n{_last_lines(installation.log)}", markup=False
            )
            sys.exit(1)


@contextlib.contextmanager
def _small_disk(folder: Path, *, megabytes: int) -> Iterator[None]:
    """Mount a file system in memory, which can be filled without harm to others."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "soak", str(folder)]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("bench-soak has to be run by root: it mounts a small file system.")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _install(folder: Path, redis: str) -> Installation:
    generous = {f"LIMIT_{name}": "10000000/m" for name in ("ANONYMOUS", "CLIENT", "ADMIN", "KEY")}
    generous |= {f"LIMIT_{name}": "10000000/m" for name in ("COSTLY", "LOGIN", "NAME")}
    generous |= {"REQUESTS_AT_A_TIME": "1000", "COSTLY_REQUESTS_AT_A_TIME": "1000"}  # one address
    installation = Installation(
        folder,
        REDIS_URL=redis,
        HTTPS="false",
        STATIC_ROOT=str(folder / "static"),
        ALLOWED_HOSTS="127.0.0.1",
        RETRY_SECONDS="10",
        **generous,
    )
    installation.run("migrate", "--verbosity", "0")
    installation.run("collectstatic", "--noinput", "--verbosity", "0")
    return installation


def _create_clients(installation: Installation, address: str, count: int) -> Clients:
    password = installation.run("create_admin", "--username", "client").splitlines()[0].split()
    installation.run("shell", "-c", _CREATE_USERS.format(count=count))
    permissions = ("instruments.view_instrument", "instruments.export_instrument")
    options_of_key = ("create", "client", "soak", "--permission", *permissions)
    key = installation.run("api_keys", *options_of_key).strip()
    with contextlib.closing(sqlite3.connect(installation.database)) as database:
        sql = "SELECT isin FROM instruments_instrument ORDER BY random() LIMIT 1000"
        isins = [isin for (isin,) in database.execute(sql)]
    return Clients(address, key=key, password=password[-1], isins=isins)


@contextlib.contextmanager
def _service(installation: Installation, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    path = f"{Path(sys.executable).parent}:{installation.environment['PATH']}"
    environment = {**installation.environment, "PORT": str(port), "PATH": path}
    with installation.log.open("ab") as log:
        process = subprocess.Popen(
            ["bash", "deploy/start", "web"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        assert _is_ready(f"http://127.0.0.1:{port}", seconds=_PATIENCE_SECONDS), (
            installation.log.read_text()
        )
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def _is_ready(address: str, *, seconds: float) -> bool:
    """Return whether the service becomes ready in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{address}/health/ready/", timeout=5).ok:
                return True
        time.sleep(0.5)
    return False


def _run(
    clients: Clients,
    options: argparse.Namespace,
    timeline: list[tuple[float, str, Callable[[], object], bool]],
    service: "subprocess.Popen[bytes]",
    console: Console,
) -> tuple[list[tuple[float, float]], list[Event]]:
    """Play the timeline, each event in a thread. Return the megabytes of the web server, and the events."""
    memory, events, waiting, threads = [], [], list(timeline), []
    clients.start(options.clients)
    start = time.monotonic()
    while (now := time.monotonic() - start) < options.seconds:
        if waiting and now >= waiting[0][0] * options.seconds:
            _, name, act, is_fault = waiting.pop(0)
            console.print(f"{now:6.0f} s  {name}")
            events.append(Event(now, name, is_fault))
            threads.append(threading.Thread(target=act))
            threads[-1].start()
        processes = [psutil.Process(service.pid)]
        processes += processes[0].children(recursive=True)
        used = 0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                used += process.memory_info().rss
        memory.append((now, used / 1e6))
        time.sleep(1)
    clients.stop()
    for thread in threads:
        thread.join()
    return memory, events


def _judge_end(installation: Installation, address: str) -> list[Criterion]:
    """Wait until everything is loaded, and look at what is left."""
    start = time.monotonic()
    while (left := installation.read_number(_NOT_LOADED)) and (
        time.monotonic() < start + _PATIENCE_SECONDS
    ):
        time.sleep(0.5)
    waited = time.monotonic() - start
    log = installation.log.read_text(errors="replace")
    remains = [path.name for path in installation.staging.iterdir()]
    is_ready = _is_ready(address, seconds=10)
    workers = installation.processes("celery", "worker")
    raised = _count_tracebacks(log)
    return [
        Criterion(
            "all files are loaded in the end",
            f"{left} are not, {waited:.0f} s after the last request",
            not left,
        ),
        Criterion("nothing is left in the staging folder", str(remains or "empty"), not remains),
        Criterion("the service is ready in the end", str(is_ready), is_ready),
        Criterion("a worker runs in the end", f"{len(workers)} processes", bool(workers)),
        Criterion(
            "no traceback in the log",
            "; ".join(f"{n} of {error}" for error, n in raised.most_common(5)) or "none",
            not raised,
        ),
    ]


def _count_tracebacks(log: str) -> Counter[str]:
    """Return how many tracebacks the log has, by the type and message of the exception."""
    tracebacks = log.split("Traceback (most recent call last)")[1:]
    matches = map(_EXCEPTION_LINE.search, tracebacks)
    return Counter(match[1] if match else "an exception without a line" for match in matches)


def _show_tracebacks(log: Path) -> str:
    """Return the first lines of the log that have a traceback each."""
    lines = log.read_text(errors="replace").splitlines()
    shown = [line for line in lines if "Traceback (most recent call last)" in line]
    return "\n".join(line.replace("\\n", "\n") for line in shown[:5])


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])


if __name__ == "__main__":
    main()
