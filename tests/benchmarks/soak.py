"""`make bench-soak`: the service under load while files are loaded and its parts are killed.

Real processes: the web server as `deploy/start` runs it, a worker, Redis. Clients look up, list, search,
export and sign in all the time, and a timeline of events happens meanwhile. After the events with a fault,
errors are allowed for some seconds, and only clear ones: 503, or a refused connection.

Exit status 1 if an error was seen elsewhere, if 95 % of the requests during loads took longer than two
seconds or than three times those before them, or if the memory of the web server grew by a quarter.
"""

import argparse
import contextlib
import dataclasses
import datetime as dt
import math
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import psutil
import requests
from rich.console import Console
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketdata.settings")
django.setup()  # before modules that import models

from tests import servers  # noqa: E402
from tests.benchmarks.generator import grow, grow_delta  # noqa: E402
from tests.installation import ROOT, Installation  # noqa: E402

SOURCES = Path(__file__).parent.parent / "data"
DAY = dt.date(2026, 1, 3)
_RECOVERY_SECONDS = 20.0
_LOCK_SECONDS = 5.0
_MOST_P95, _MOST_TIMES_IDLE, _MOST_GROWTH = 2.0, 3.0, 1.25


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer; `at` and `seconds` on the clock of the run, status 0 where there was no connection."""

    at: float
    request: str
    status: int
    seconds: float


class Clients:
    """Threads that ask as people and programs do, with pauses, until `stop`."""

    def __init__(self, address: str, *, key: str, password: str, isins: list[str]) -> None:
        self._address, self._key, self._password, self._isins = address, key, password, isins
        self.answers: list[Answer] = []
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._begin = time.monotonic()

    def start(self, count: int) -> None:
        self._begin = time.monotonic()
        for number in range(count):
            thread = threading.Thread(target=self._play, args=(random.Random(number),))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _play(self, chance: random.Random) -> None:
        while not self._is_over.wait(chance.uniform(0.5, 2.5)):
            isin = chance.choice(self._isins)
            [request] = chance.choices(
                ("look up", "list", "search", "changes", "export", "sign in"),
                (60, 15, 10, 5, 5, 5),
            )
            path, parameters = {
                "look up": (f"instruments/{isin}/", {}),
                "list": ("instruments/", {"category": chance.choice("DEORS")}),
                "search": ("instruments/", {"q": isin[:6]}),
                "changes": ("instruments/changes/", {}),
                "export": ("instruments/export/", {"isin": isin}),
                "sign in": ("auth/token/", {}),
            }[request]
            start, status = time.monotonic(), 0
            url = f"{self._address}/api/v1/{path}"
            with contextlib.suppress(requests.RequestException):
                if request == "sign in":
                    body = {"username": "client", "password": self._password}
                    answer = requests.post(url, json=body, timeout=60)
                else:
                    headers = {"Authorization": f"Api-Key {self._key}"}
                    answer = requests.get(url, params=parameters, headers=headers, timeout=60)
                status = answer.status_code
            now = time.monotonic()
            self.answers.append(Answer(start - self._begin, request, status, now - start))


@contextlib.contextmanager
def _service(installation: Installation, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    path = f"{Path(sys.executable).parent}:{installation.environment['PATH']}"
    environment = {**installation.environment, "PORT": str(port), "PATH": path}
    with installation.log.open("ab") as log:
        process = subprocess.Popen(
            ["bash", "deploy/start", "web"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"http://127.0.0.1:{port}/health/ready/", timeout=5).ok:
                    break
            assert time.monotonic() < deadline, installation.log.read_text()
            time.sleep(0.5)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="soak-") as name, servers.restartable_redis() as redis:
        folder = Path(name)
        console.print(f"Loading {options.records:,} records ...")
        sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
        records, next_day = options.records, DAY + dt.timedelta(days=7)
        first = grow(sources, records=records, folder=folder / "first", day=DAY)
        full = grow(sources, records=records, folder=folder / "next", day=next_day)
        changes, day_after = max(100, records // 20), DAY + dt.timedelta(days=8)
        delta = grow_delta(
            sources, records=records, changes=changes, folder=folder / "next", day=day_after
        )
        installation = _install(folder, redis.address)
        installation.run("load", *first)
        password = installation.run("create_admin", "--username", "client").splitlines()[0].split()
        permissions = ("instruments.view_instrument", "instruments.export_instrument")
        options_of_key = ("create", "client", "soak", "--permission", *permissions)
        key = installation.run("api_keys", *options_of_key).strip()
        with contextlib.closing(sqlite3.connect(installation.database)) as database:
            sql = "SELECT isin FROM instruments_instrument ORDER BY random() LIMIT 1000"
            isins = [isin for (isin,) in database.execute(sql)]
        port = servers.free_port()
        with _service(installation, port) as service, installation.supervised_worker():
            clients = Clients(
                f"http://127.0.0.1:{port}", key=key, password=password[-1], isins=isins
            )

            def kill_a_web_process() -> None:
                psutil.Process(service.pid).children(recursive=True)[-1].kill()

            def kill_the_worker() -> None:
                installation.processes("celery", "worker")[-1].kill()

            load = _Load(installation, [*full, delta])
            timeline: list[tuple[float, str, Callable[[], object], bool]] = [
                (0.30, "load a full set and a delta", load.begin, False),
                (0.60, "kill Redis", redis.kill, True),
                (0.63, "start Redis", redis.start_if_ended, True),
                (0.70, "kill a process of the web server", kill_a_web_process, True),
                (0.78, "kill the worker", kill_the_worker, False),
                (0.86, "lock the database", lambda: _lock(installation.database), False),
            ]
            memory, happened = _run(clients, options, timeline, service, console)
            problems = load.finish(console)
        problems += _report(clients.answers, memory, happened, options.seconds, console)
    if problems:
        sys.exit("; ".join(problems))


def _install(folder: Path, redis: str) -> Installation:
    generous = {f"LIMIT_{name}": "10000000/m" for name in ("ANONYMOUS", "CLIENT", "ADMIN", "KEY")}
    generous |= {f"LIMIT_{name}": "10000000/m" for name in ("COSTLY", "LOGIN", "NAME")}
    generous |= {"REQUESTS_AT_A_TIME": "1000", "COSTLY_REQUESTS_AT_A_TIME": "1000"}  # one address
    installation = Installation(
        folder,
        REDIS_URL=redis,
        HTTPS="false",
        FETCH_ON_SCHEDULE="false",
        STATIC_ROOT=str(folder / "static"),
        ALLOWED_HOSTS="127.0.0.1",
        **generous,
    )
    installation.run("migrate", "--verbosity", "0")
    installation.run("collectstatic", "--noinput", "--verbosity", "0")
    return installation


class _Load:
    """A load of files in a process of its own, which may go on after the last request."""

    def __init__(self, installation: Installation, paths: list[Path]) -> None:
        self._installation, self._paths = installation, paths
        self._process: subprocess.Popen[str] | None = None
        self._begin = 0.0

    def begin(self) -> None:
        self._begin = time.monotonic()
        self._process = self._installation.start("load", *self._paths)

    def finish(self, console: Console) -> list[str]:
        """Wait for the end; return what went wrong."""
        assert self._process
        _, errors = self._process.communicate()
        console.print(f"the load ended {time.monotonic() - self._begin:.0f} s after its begin")
        return [errors.strip()] if self._process.returncode else []


def _lock(database: Path) -> None:
    """Hold the write lock for some seconds, as a program that forgot to commit."""
    with contextlib.closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        time.sleep(_LOCK_SECONDS)
        lock.execute("ROLLBACK")


def _run(
    clients: Clients,
    options: argparse.Namespace,
    timeline: list[tuple[float, str, Callable[[], object], bool]],
    service: "subprocess.Popen[bytes]",
    console: Console,
) -> tuple[list[tuple[float, float]], list[tuple[float, str, bool]]]:
    """Play the timeline. Return the megabytes of the web server and the events, each by the second."""
    memory, happened, waiting = [], [], list(timeline)
    clients.start(options.clients)
    start = time.monotonic()
    while (now := time.monotonic() - start) < options.seconds:
        if waiting and now >= waiting[0][0] * options.seconds:
            _, name, act, is_fault = waiting.pop(0)
            console.print(f"{now:6.0f} s  {name}")
            happened.append((now, name, is_fault))
            act()
        processes = [psutil.Process(service.pid)]
        processes += processes[0].children(recursive=True)
        used = 0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                used += process.memory_info().rss
        memory.append((now, used / 1e6))
        time.sleep(1)
    clients.stop()
    return memory, happened


def _report(
    answers: list[Answer],
    memory: list[tuple[float, float]],
    happened: list[tuple[float, str, bool]],
    seconds: float,
    console: Console,
) -> list[str]:
    """Print the answers by phase and request; return what is not as it should be."""
    load = next(at for at, name, _ in happened if name.startswith("load"))
    faults = [at for at, _, is_fault in happened if is_fault]
    first_fault = min(faults)
    phases = {
        "idle": [a for a in answers if 0.05 * seconds <= a.at < load],
        "load": [a for a in answers if load <= a.at < first_fault],
        "faults": [a for a in answers if a.at >= first_fault],
    }
    table = Table(header_style="bold")
    for column in ("phase", "request", "answers", "errors", "median s", "95 % s", "longest s"):
        table.add_column(column, justify="left" if column in ("phase", "request") else "right")
    for phase, of_phase in phases.items():
        for request in ("", *sorted({answer.request for answer in of_phase})):
            rows = [a for a in of_phase if request in ("", a.request)]
            times = [a.seconds for a in rows]
            errors = sum(a.status != 200 for a in rows)
            numbers = (statistics.median(times), _p95(times), max(times))
            table.add_row(
                phase,
                request or "all",
                str(len(rows)),
                str(errors),
                *(f"{number:.2f}" for number in numbers),
            )
    console.print(table)
    problems = []
    unexpected = [
        a
        for a in answers
        if a.status != 200
        and not (
            a.status in (0, 503)
            and any(at - a.seconds <= a.at <= at + _RECOVERY_SECONDS for at in faults)
        )
    ]
    for answer in unexpected[:10]:
        console.print(f"{answer.at:6.0f} s  {answer.request}: {answer.status}")
    if unexpected:
        problems.append(f"{len(unexpected)} unexpected errors")
    idle, busy = (_p95([a.seconds for a in phases[name]]) for name in ("idle", "load"))
    if busy > _MOST_P95:
        problems.append(f"95 % took {busy:.2f} s during loads, more than {_MOST_P95} s")
    if busy > _MOST_TIMES_IDLE * idle:
        problems.append(f"95 % took {busy / idle:.1f} times as long during loads")
    before = statistics.median(mb for at, mb in memory if 0.1 * seconds < at < load)
    after = statistics.median(mb for at, mb in memory if at > 0.9 * seconds)
    console.print(
        f"memory of the web server: {before:,.0f} MB before the loads, {after:,.0f} after"
    )
    if after > _MOST_GROWTH * before:
        problems.append(f"memory grew from {before:,.0f} to {after:,.0f} MB")
    return problems


def _p95(times: list[float]) -> float:
    return sorted(times)[math.ceil(0.95 * len(times)) - 1] if times else 0.0


if __name__ == "__main__":
    main()
