"""The criteria of `make bench-soak`, with figures, each met or not."""

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tests.benchmarks.soak_clients import Answer

# Seconds after the begin or end of a fault in which requests may fail, with clear errors.
RECOVERY_SECONDS = 20.0
_MOST_P95, _MOST_TIMES_IDLE, _MOST_GROWTH = 2.0, 3.0, 1.25
_CLEAR = (0, 503)  # a connection that is refused or lost, or "try again later"


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that was done to the service. `is_fault`: requests may fail for some seconds."""

    at: float
    name: str
    is_fault: bool


@dataclasses.dataclass(frozen=True)
class Criterion:
    name: str
    figure: str
    is_met: bool


def print_answers(phases: dict[str, list[Answer]], console: Console) -> None:
    """Print the number of answers and errors, and the durations, by phase and request."""
    table = Table(header_style="bold")
    for column in ("phase", "request", "answers", "errors", "median s", "95 % s", "longest s"):
        table.add_column(column, justify="left" if column in ("phase", "request") else "right")
    for phase, of_phase in phases.items():
        for request in ("", *sorted({answer.request for answer in of_phase})):
            rows = [a for a in of_phase if request in ("", a.request)]
            if not rows:
                continue
            times = [a.seconds for a in rows]
            numbers = (statistics.median(times), p95(times), max(times))
            cells = [str(len(rows)), str(sum(a.status != 200 for a in rows))]
            cells += [f"{number:.2f}" for number in numbers]
            table.add_row(phase, request or "all", *cells)
    console.print(table)


def print_criteria(criteria: Iterable[Criterion], console: Console) -> bool:
    """Print each criterion; return whether all are met."""
    table = Table(header_style="bold")
    for column in ("criterion", "figure", "result"):
        table.add_column(column)
    criteria = list(criteria)
    for criterion in criteria:
        result = "pass" if criterion.is_met else "[bold red]FAIL"
        table.add_row(criterion.name, criterion.figure, result)
    console.print(table)
    return all(criterion.is_met for criterion in criteria)


def split(
    answers: Sequence[Answer], events: Sequence[Event], seconds: float
) -> dict[str, list[Answer]]:
    """Return the answers before the loads, during them, and from the first fault on."""
    load, first_fault = events[0].at, min(event.at for event in events if event.is_fault)
    return {
        "idle": [a for a in answers if 0.05 * seconds <= a.at < load],
        "load": [a for a in answers if load <= a.at < first_fault],
        "faults": [a for a in answers if a.at >= first_fault],
    }


def judge_answers(
    phases: dict[str, list[Answer]], events: Sequence[Event], console: Console
) -> list[Criterion]:
    faults = [event.at for event in events if event.is_fault]
    failed = [a for of_phase in phases.values() for a in of_phase if a.status != 200]
    excused = [
        a
        for a in failed
        if a.status in _CLEAR
        and any(at - a.seconds <= a.at <= at + RECOVERY_SECONDS for at in faults)
    ]
    unexpected = [a for a in failed if a not in excused]
    for answer in unexpected[:10]:
        console.print(f"{answer.at:6.0f} s  {answer.request}: {answer.status}")
    statuses = ", ".join(sorted({str(a.status or "no connection") for a in excused}))
    idle, busy = (p95([a.seconds for a in phases[name]]) for name in ("idle", "load"))
    return [
        Criterion("no errors but those of faults", f"{len(unexpected)} errors", not unexpected),
        Criterion(
            f"errors of faults are clear, and end within {RECOVERY_SECONDS:.0f} s",
            f"{len(excused)} errors" + (f" ({statuses})" if statuses else ""),
            not [a for a in unexpected if a in phases["faults"]],
        ),
        Criterion(f"95 % below {_MOST_P95:.0f} s during loads", f"{busy:.2f} s", busy < _MOST_P95),
        Criterion(
            f"95 % at most {_MOST_TIMES_IDLE:.0f} times that before the loads",
            f"{busy:.2f} s, {busy / idle:.1f} times {idle:.2f} s" if idle else "no answers",
            0 < busy <= _MOST_TIMES_IDLE * idle,
        ),
    ]


def judge_memory(
    memory: Sequence[tuple[float, float]], events: Sequence[Event], seconds: float
) -> Criterion:
    """Compare the megabytes of the web server before the loads with those after, and at the end."""
    load, first_fault = events[0].at, min(event.at for event in events if event.is_fault)
    before = statistics.median(mb for at, mb in memory if 0.1 * seconds < at < load)
    loaded = [mb for at, mb in memory if first_fault - 0.1 * seconds < at < first_fault]
    end = [mb for at, mb in memory if at > 0.9 * seconds]
    after = [statistics.median(numbers) for numbers in (loaded, end)]
    return Criterion(
        f"memory of the web server grows by at most {_MOST_GROWTH - 1:.0%}",
        f"{before:,.0f} MB, after the loads {after[0]:,.0f} MB, at the end {after[1]:,.0f} MB",
        max(after) <= _MOST_GROWTH * before,
    )


def p95(times: Sequence[float]) -> float:
    return sorted(times)[math.ceil(0.95 * len(times)) - 1] if times else 0.0
