"""`make bench`: processor time of a request without telemetry, and what each exporter adds to it.

Each line is a process with a database of its own, which sends to a server on loopback. In each round, all
processes play the same requests in a random order, so that all of them see the same load of the machine;
what is compared is a process with the one without telemetry in the same round. The median and the middle
half of these differences are printed. One more process without telemetry is the control: its line shows what
the method takes for a difference where there is none. The plain lines are a middleware that calls
prometheus-client, or Microsoft's exporter, itself (plain_telemetry.py): what it costs whoever adds these in
the simplest way.

Processor time is that of the whole process since its last turn, so that the threads that send in the
background count. A turn of 100 requests ends with sending what it has left. Both views are asked through all
of the middleware: the plain one reads a number from the database, the other one is a list of the API. Each
request is also counted for its limit, in a file.
"""

import argparse
import contextlib
import dataclasses
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import ingestion

ROOT = Path(__file__).parent.parent.parent
_OFF = "off"
_PLAIN = "tests.benchmarks.plain_telemetry."
# What TELEMETRY is for each line, and the middleware beside those of the service.
_LINES = {
    _OFF: ("", ""),
    "off (control)": ("", ""),
    "plain metrics": ("", f"{_PLAIN}PlainMetrics"),
    "prometheus": ("prometheus", ""),
    "plain spans": ("", f"{_PLAIN}PlainSpans"),
    "azure": ("azure", ""),
    "prometheus, azure": ("prometheus,azure", ""),
    "opencensus": ("opencensus", ""),
}
_VIEWS = {"plain view": "/plain/", "list of the API": "/api/v1/venues/"}
_REQUESTS = 100  # of a turn
# Prints the microseconds of processor time of a request since the last turn, for each address of its input.
_PLAY = """
import sys, time, warnings, django
warnings.simplefilter("ignore")  # no static files are collected
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from marketdata.common import telemetry
from tests.benchmarks import plain_telemetry
settings.ROOT_URLCONF = "tests.benchmarks.plain_view"
settings.MIDDLEWARE = [*filter(None, [sys.argv[2]]), *settings.MIDDLEWARE]
call_command("migrate", verbosity=0)
client = Client()
def play(address, requests):
    for _ in range(requests):
        assert client.get(address).status_code == 200
for address in sys.argv[3:]:
    play(address, 100)
requests, used = int(sys.argv[1]), time.process_time()
for line in sys.stdin:
    play(line.strip(), requests)
    for exporter in telemetry.exporters:
        getattr(exporter, "flush", bool)()
    plain_telemetry.flush()
    now = time.process_time()
    print((now - used) / requests * 1e6, flush=True)
    used = now
"""


@dataclasses.dataclass
class _Cost:
    """Microseconds of a request, one number for each round."""

    whole: list[float] = dataclasses.field(default_factory=list)
    more: list[float] = dataclasses.field(default_factory=list)  # than without telemetry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--views", nargs="+", choices=_VIEWS, default=list(_VIEWS))
    parser.add_argument("--lines", nargs="+", choices=_LINES, default=list(_LINES))
    options = parser.parse_args()
    costs = {(view, line): _Cost() for view in options.views for line in options.lines}
    with contextlib.ExitStack() as stack:
        received = stack.enter_context(ingestion.running())
        players = {
            line: stack.enter_context(_player(exporters, middleware, received))
            for line, (exporters, middleware) in _LINES.items()
            if line in options.lines
        }
        chance = random.Random(1)
        for _ in range(options.rounds):
            for view in options.views:
                address = _VIEWS[view]
                order = chance.sample(list(players), len(players))
                played = {line: _play(players[line], address) for line in order}
                for line, microseconds in played.items():
                    costs[view, line].whole.append(microseconds)
                    costs[view, line].more.append(microseconds - played[_OFF])
    _print(costs)


def _print(costs: dict[tuple[str, str], _Cost]) -> None:
    table = Table(header_style="bold", title="Microseconds of processor time of a request")
    table.add_column("view")
    table.add_column("telemetry")
    for column in ("request", "more than off", "middle half", "% of the request"):
        table.add_column(column, justify="right")
    for (view, line), cost in costs.items():
        whole, more = statistics.median(cost.whole), statistics.median(cost.more)
        low, _, high = statistics.quantiles(cost.more, n=4)
        percent = 100 * more / statistics.median(costs[view, _OFF].whole)
        cells = [f"{more:+,.0f}", f"{low:+,.0f} to {high:+,.0f}", f"{percent:+.1f}"]
        table.add_row(view, line, f"{whole:,.0f}", *(cells if line != _OFF else ()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _play(player: "subprocess.Popen[str]", address: str) -> float:
    assert player.stdin
    assert player.stdout
    player.stdin.write(f"{address}\n")
    player.stdin.flush()
    return float(player.stdout.readline())


@contextlib.contextmanager
def _player(
    exporters: str, middleware: str, received: ingestion.Ingestion
) -> Iterator["subprocess.Popen[str]"]:
    needs_address = {"azure", "opencensus"} & set(exporters.split(",")) or "Spans" in middleware
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "metrics").mkdir()
        settings = {
            "DJANGO_SETTINGS_MODULE": "marketdata.settings",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "a-key-of-the-benchmark-of-telemetry-that-is-long-enough",
            "PYTHONHASHSEED": "0",  # the processes differ in nothing but telemetry
            "ALLOWED_HOSTS": "testserver",
            "HTTPS": "false",
            "ANONYMOUS_READ": "true",
            "LIMIT_ANONYMOUS": "1000000/m",
            "REQUEST_TIMEOUT_SECONDS": "600",  # processor time counts, however long it takes
            "SQLITE_DB_PATH": str(folder / "marketdata.sqlite3"),
            "COUNTS_PATH": str(folder / "counts.sqlite3"),
            "TELEMETRY_DIR": str(folder / "telemetry"),
            "METRICS_DIR": str(folder / "metrics"),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "TELEMETRY": exporters,
            "TELEMETRY_SECONDS": "3600",  # a turn ends with sending, however long the turns of others take
            "APPLICATIONINSIGHTS_CONNECTION_STRING": (
                received.connection_string if needs_address else ""
            ),
        }
        with subprocess.Popen(
            [sys.executable, "-c", _PLAY, str(_REQUESTS), middleware, *_VIEWS.values()],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield process
            assert process.stdin
            process.stdin.close()


if __name__ == "__main__":
    main()
