"""One thing that was looked at."""

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
    """What it is, how it is, and what to do where it is not well."""

    what: str
    value: str
    level: Level = Level.OK
    advice: str = ""


def warn_unless(good: bool, what: str, value: str, advice: str) -> Finding:
    return Finding(what, value) if good else Finding(what, value, Level.WARNING, advice)


def latency(connection: Any, *, times: int = 10) -> float:
    """Milliseconds that the smallest question takes: the median of `times`."""
    taken = []
    with connection.cursor() as cursor:
        for _ in range(times):
            begun = time.perf_counter()
            cursor.execute("SELECT 1")
            cursor.fetchall()
            taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"
