"""Identities of processes, to tell a working process from one that has ended."""

import functools
import os
import socket


def _start_time(pid: int) -> str:
    """Return the start of a process in clock ticks since boot; "" if it has ended or is unreadable.

    The operating system reuses process numbers, but not together with a start time. Unlike the times that
    psutil reports, this one does not change when the clock is set.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            state, *fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return ""
    has_ended = state in "ZX"  # zombie or dead
    return "" if has_ended else fields[18]


@functools.cache
def _identity(pid: int) -> str:
    return f"{socket.gethostname()}/{pid}/{_start_time(pid)}"


def current_process() -> str:
    """Return the identity of this process, as `host/pid/start`."""
    return _identity(os.getpid())


def has_ended(identity: str) -> bool:
    """Return True if the process certainly no longer runs: it was on this host and has ended."""
    host, _, process = identity.partition("/")
    pid, _, start = process.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _start_time(int(pid)) != start
