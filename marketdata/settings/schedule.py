"""Celery: the message queue without Redis, and the schedule of tasks that nobody has to request."""

from pathlib import Path
from typing import Any

from celery.schedules import crontab

from marketdata.settings import env

_MINUTE = 60.0  # seconds
_HOUR = 60 * _MINUTE
# Tasks without network access. Each finds its work by state, so none is forgotten or done twice.
_LOCAL_TASKS = {
    "recover": {"task": "esma_files.recover_abandoned_work", "schedule": _MINUTE},
    "undo": {"task": "instruments.undo_interrupted_loads", "schedule": _MINUTE},
    "load": {"task": "instruments.request_loads", "schedule": _MINUTE},
    "health": {"task": "monitoring.record_health", "schedule": _MINUTE},
    "lists": {"task": "instruments.delete_expired_lists", "schedule": crontab(minute="40")},
    "webhooks": {"task": "instruments.send_webhooks", "schedule": _MINUTE},
}
_DAILY_TASKS = {
    "coverage": {
        "task": "instruments.recount_coverage",
        "schedule": crontab(hour="6", minute="15"),
    },
    "figures": {"task": "instruments.count_figures", "schedule": crontab(hour="6", minute="20")},
    # Just after midnight, when corrections begin and end to apply.
    "corrections": {
        "task": "curation.apply_due_corrections",
        "schedule": crontab(hour="0", minute="1"),
    },
    "problems": {"task": "curation.find_problems", "schedule": crontab(hour="6", minute="30")},
    "watch-lists": {
        "task": "curation.mail_watch_lists",
        "schedule": crontab(hour="6", minute="45"),
    },
    "imports": {"task": "curation.delete_old_imports", "schedule": crontab(hour="3", minute="40")},
    "clean": {"task": "esma_files.request_clean_up", "schedule": crontab(hour="3", minute="30")},
}
_FETCHING_TASKS = {
    "sync": {"task": "esma_files.request_syncs", "schedule": crontab(minute="5")},
    "services": {
        "task": "monitoring.check_outside_services",
        "schedule": crontab(minute="*/10"),
    },
    "download": {"task": "esma_files.request_downloads", "schedule": _MINUTE},
    # Small runs by night, between which loads have their turn.
    "enrich": {
        "task": "instruments.request_enrichment",
        "schedule": crontab(hour="0-5", minute="*/10"),
    },
}
# The first that a worker has time for publishes; the others find today's publication.
_LAKE_TASKS = {"lake": {"task": "lake.publish", "schedule": crontab(hour="4-6", minute="*/20")}}


def beat_schedule() -> dict[str, Any]:
    """Return Celery's beat schedule; without FETCH_ON_SCHEDULE it uses no network."""
    schedule = dict(_LOCAL_TASKS)
    if env.read("FETCH_ON_SCHEDULE", env.flag, True):
        schedule |= _FETCHING_TASKS
    if env.read("LAKE_ON_SCHEDULE", env.flag, False):
        schedule |= _LAKE_TASKS
    # A task that no worker had time for is dropped after three minutes: the next one has been sent already.
    # That of a daily one is a day away, so it waits until loads have ended.
    return {
        **_add_expiry(schedule, 3 * _MINUTE),
        **_add_expiry(_DAILY_TASKS, 12 * _HOUR),
    }


def _add_expiry(tasks: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {name: {**entry, "options": {"expires": seconds}} for name, entry in tasks.items()}


def embedded_queue_options(queue_folder: Path) -> dict[str, Any]:
    """Return the transport options of the message queue in a file, for workers on one machine."""
    return {"path": str(queue_folder / "messages.sqlite3"), "polling_interval": 0.2}
