"""Celery: the queue, and what is done when without anybody asking."""

from pathlib import Path
from typing import Any

from celery.schedules import crontab

from marketdata.settings import env

_MINUTE = 60.0
# What needs no network: files are found by their state, so nothing is done twice or forgotten.
_AT_HOME = {
    "release": {"task": "esma_files.release", "schedule": _MINUTE},
    "load": {"task": "instruments.load_waiting", "schedule": _MINUTE},
    "clean": {"task": "esma_files.clean", "schedule": crontab(hour="3", minute="30")},
}
_OUTSIDE = {
    "sync": {"task": "esma_files.sync_all", "schedule": crontab(minute="5")},
    "download": {"task": "esma_files.download_wanted", "schedule": _MINUTE},
}


def beat() -> dict[str, Any]:
    """Celery's beat schedule."""
    schedule = dict(_AT_HOME)
    if env.read("FETCH_ON_SCHEDULE", env.flag, True):
        schedule |= _OUTSIDE
    # Three minutes late, the next one has come: do not pile up.
    return {
        name: {**entry, "options": {"expires": 3 * _MINUTE}} for name, entry in schedule.items()
    }


def notes(queue: Path) -> str:
    """The file in which beat remembers what it has sent when."""
    queue.mkdir(parents=True, exist_ok=True)
    return str(queue / "beat")


def folders(queue: Path) -> dict[str, Any]:
    """Transport options of a queue of files in a folder, for the workers of one machine."""
    messages, control = queue / "messages", queue / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "polling_interval": 0.2,
    }
