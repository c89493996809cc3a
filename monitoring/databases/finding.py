"""The result of one check of a database."""

import dataclasses
import enum
import statistics
import time
from typing import Any


class Level(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The checked property, its value, and advice where the level is not OK."""

    name: str
    value: str
    level: Level = Level.OK
    advice: str = ""


def warn_unless(is_good: bool, name: str, value: str, advice: str) -> Finding:
    """Return an OK finding without advice, or a warning with it."""
    return Finding(name, value) if is_good else Finding(name, value, Level.WARNING, advice)


def latency(connection: Any, *, repetitions: int = 10) -> float:
    """Return the median number of milliseconds that `SELECT 1` takes."""
    durations = []
    with connection.cursor() as cursor:
        for _ in range(repetitions):
            start = time.perf_counter()
            cursor.execute("SELECT 1")
            cursor.fetchall()
            durations.append((time.perf_counter() - start) * 1000)
    return statistics.median(durations)


def format_megabytes(byte_count: float) -> str:
    return f"{byte_count / 1e6:,.1f} MB"
