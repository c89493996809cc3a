"""Keep background processes running: start them, restart those that end, stop them all on a signal."""

import contextlib
import dataclasses
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from marketdata.heartbeats import SUPERVISOR_VARIABLE

logger = logging.getLogger(__name__)

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0  # seconds before a restart
_STEADY_AFTER = 60.0  # seconds of running after which the delay starts from the first one again
_POLL_SECONDS = 0.2
_ASK_SECONDS = 5.0  # between two questions whether a process is stalled


@dataclasses.dataclass
class Child:
    """A process to be kept running.

    One that runs but does not work, by `is_stalled`, is killed and so restarted. It is asked every five
    seconds, for a process that has run for `stalled_after` seconds at least.
    """

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    restart_at: float = 0.0
    delay: float = _FIRST_DELAY
    is_stalled: Callable[[], bool] | None = None
    stalled_after: float = 0.0
    asked_at: float = 0.0

    def start(self) -> None:
        """Start the process in a session of its own: it gets no Ctrl-C, only our signals."""
        environment = {**os.environ, SUPERVISOR_VARIABLE: str(os.getpid())}
        self.process = subprocess.Popen(self.command, env=environment, start_new_session=True)  # noqa: S603
        self.started_at = time.monotonic()

    def restart_if_ended(self) -> None:
        now = time.monotonic()
        if self.process is not None and (status := self.process.poll()) is not None:
            self.kill()  # what the process has started
            self.process = None
            if now - self.started_at > _STEADY_AFTER:
                self.delay = _FIRST_DELAY
            self.restart_at = now + self.delay
            logger.error(
                "The %s ended (%s) and is restarted in %.0f seconds.",
                self.name,
                _describe_status(status),
                self.delay,
            )
            self.delay = min(self.delay * 2, _LONGEST_DELAY)
        if self.process is None and now >= self.restart_at:
            self.start()

    def kill_if_stalled(self) -> None:
        now = time.monotonic()
        if self.is_stalled is None or not self.is_running or now - self.asked_at < _ASK_SECONDS:
            return
        self.asked_at = now
        if now - self.started_at > self.stalled_after and self.is_stalled():
            logger.error(
                "The %s has left work waiting for %.0f seconds, and is killed.",
                self.name,
                self.stalled_after,
            )
            self.kill()

    def stop(self) -> None:
        """Ask the process to end after its current work."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End the process and all processes of its session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # all have ended
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def supervise(children: Sequence[Child], *, patience: float) -> None:
    """Run the children until SIGTERM or SIGINT, then stop them.

    A child that has not ended `patience` seconds after the signal, or at a second signal, is killed.
    """
    signals: list[int] = []
    previous = {
        number: signal.signal(number, lambda received, _frame: signals.append(received))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        while not signals:
            for child in children:
                child.kill_if_stalled()
                child.restart_if_ended()
            time.sleep(_POLL_SECONDS)
        for child in children:
            child.stop()
        deadline = time.monotonic() + patience
        while any(child.is_running for child in children):
            if len(signals) > 1 or time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
    finally:
        for child in children:
            child.kill()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _describe_status(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def celery_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "marketdata", *arguments]
