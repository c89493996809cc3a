"""`make bench`: CPU time of a request without telemetry and with each exporter.

Each line is a process with a database of its own, which sends to a server on loopback. The processes take
turns, so that all of them see the same load of the machine. The request counts in the cache, reads the
database and is answered as JSON.
"""

import contextlib
import os
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
_EXPORTERS = ("", "prometheus", "azure", "prometheus,azure", "opencensus")
_ROUNDS = 20
# Prints the CPU microseconds of a request, background threads included, for each line of its input.
_PLAY = """
import sys, time, warnings, django
warnings.simplefilter("ignore")  # no static files are collected
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
def play(requests):
    start = time.process_time()
    for _ in range(requests):
        assert client.get("/api/v1/venues/").status_code == 200
    return (time.process_time() - start) / requests * 1e6
play(100)
for line in sys.stdin:
    print(play(20), flush=True)
"""


def main() -> None:
    with contextlib.ExitStack() as stack:
        received = stack.enter_context(ingestion.running())
        players = {
            exporters: stack.enter_context(_player(exporters, received)) for exporters in _EXPORTERS
        }
        rounds = [
            {exporters: _play(player) for exporters, player in players.items()}
            for _ in range(_ROUNDS)
        ]
    table = Table(header_style="bold")
    table.add_column("telemetry")
    table.add_column("us CPU/request", justify="right")
    table.add_column("more than off", justify="right")
    for exporters in _EXPORTERS:
        cost = statistics.median(costs[exporters] for costs in rounds)
        more = statistics.median(costs[exporters] - costs[""] for costs in rounds)
        table.add_row(exporters or "off", f"{cost:,.0f}", f"{more:+,.0f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _play(player: "subprocess.Popen[str]") -> float:
    assert player.stdin
    assert player.stdout
    player.stdin.write("\n")
    player.stdin.flush()
    return float(player.stdout.readline())


@contextlib.contextmanager
def _player(exporters: str, received: ingestion.Ingestion) -> Iterator["subprocess.Popen[str]"]:
    needs_address = {"azure", "opencensus"} & set(exporters.split(","))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        settings = {
            "DJANGO_SETTINGS_MODULE": "marketdata.settings",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "a-key-of-the-benchmark-of-telemetry-that-is-long-enough",
            "ALLOWED_HOSTS": "testserver",
            "HTTPS": "false",
            "ANONYMOUS_READ": "true",
            "LIMIT_ANONYMOUS": "1000000/m",
            "SQLITE_DB_PATH": str(folder / "marketdata.sqlite3"),
            "COUNTS_PATH": str(folder / "counts.sqlite3"),
            "TELEMETRY_DIR": str(folder / "telemetry"),
            "METRICS_DIR": str(folder / "metrics"),
            "TELEMETRY": exporters,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": (
                received.connection_string if needs_address else ""
            ),
        }
        with subprocess.Popen(
            [sys.executable, "-c", _PLAY],
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
