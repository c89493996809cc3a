"""Running a step in a process of its own, and what that process used."""

import dataclasses
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# ru_maxrss is in kilobytes on Linux, in bytes on macOS.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclasses.dataclass(frozen=True)
class Measured:
    """Seconds on the clock and of CPU (user and system, all threads and processes), peak memory in bytes.

    `ready_seconds`: until all that was loaded could be asked for; the rest is tidying up.
    """

    what: str
    records: int
    seconds: float
    ready_seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def rate(self) -> float:
        return self.records / self.seconds


def run(what: str, module: str, *arguments: str, folder: Path) -> Measured:
    """Run `python -m module` on a database in `folder`.

    It prints `{"records": n}` at last, and may print `{"ready_at": t}` before, of `time.monotonic()`, and
    `{"peak_bytes": n}`, which counts its processes together.
    """
    started = time.monotonic()
    measured, out = _run(what, module, *arguments, folder=folder)
    reported: dict[str, float] = {}
    for line in out.splitlines():
        if line.startswith("{"):
            reported |= json.loads(line)
    ready = reported["ready_at"] - started if "ready_at" in reported else measured.seconds
    return dataclasses.replace(
        measured,
        records=int(reported.get("records", 0)),
        ready_seconds=ready,
        peak_bytes=int(reported.get("peak_bytes", measured.peak_bytes)),
    )


def printed(module: str, *arguments: str, folder: Path) -> str:
    """Return the output of `python -m module`, run on a database in `folder`."""
    return _run(module, module, *arguments, folder=folder)[1]


def _run(what: str, module: str, *arguments: str, folder: Path) -> tuple[Measured, str]:
    static = folder / "static"
    static.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",  # modules stay compiled, as in any installation
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_hex(32),
        "DJANGO_SETTINGS_MODULE": "marketdata.settings",
        "SQLITE_DB_PATH": str(folder / "marketdata.sqlite3"),
        "MEDIA_ROOT": str(folder / "files"),
        "STAGING_DIR": str(folder / "staging"),
        "STATIC_ROOT": str(static),
        "LAKE_DIR": str(folder / "lake"),
    }
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"{what} failed with exit code {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(what, 0, seconds, seconds, cpu, usage.ru_maxrss * _PEAK_UNIT), out
