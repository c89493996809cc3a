"""The schedule: how long its tasks wait for a worker, and the health check that only one process has it."""

import pytest

from esma_files.models import Heartbeat
from marketdata.celery import app
from monitoring.health.checks import check_schedule


@pytest.mark.django_db
def test_a_second_schedule_is_named() -> None:
    for host in ("here", "there"):
        Heartbeat.objects.report(Heartbeat.Role.BEAT)
        Heartbeat.objects.exclude(host__in=["here", "there"]).update(
            identity=f"{host}/1/1", host=host
        )

    outcome = check_schedule()

    assert outcome.status == "warning"
    assert outcome.reason == "2 schedules are running, on here, there"


def test_a_daily_task_waits_for_a_worker_that_is_busy_for_hours() -> None:
    """The next task follows a day later: until then no correction would begin and no mail be sent."""
    expiry = {name: entry["options"]["expires"] for name, entry in app.conf.beat_schedule.items()}
    daily = {name for name, seconds in expiry.items() if seconds == 12 * 3600}

    assert daily == {
        *("corrections", "clean", "imports"),
        *("coverage", "figures", "problems", "watch-lists"),
    }
    assert {expiry[name] for name in expiry.keys() - daily} == {180}
