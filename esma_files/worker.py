"""Who is at work on a file, so that the next run can tell a busy worker from a dead one."""

import functools
import os
import socket


def _started(pid: int) -> str:
    """When the process began, in clock ticks since boot; "" where it is gone or cannot be read.

    A process number is used again after a while; its start is not.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            state, *fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


@functools.cache
def _identity(pid: int) -> str:
    return f"{socket.gethostname()}/{pid}/{_started(pid)}"


def me() -> str:
    """This process, as `host/pid/start`."""
    return _identity(os.getpid())


def is_gone(worker: str) -> bool:
    """True where `worker` certainly no longer runs: a process of this host that has ended."""
    host, _, process = worker.partition("/")
    pid, _, started = process.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started
