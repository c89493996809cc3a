"""The health check of the schedule, which only one process may have."""

import pytest

from esma_files.models import Heartbeat
from monitoring.health.checks import check_schedule

pytestmark = pytest.mark.django_db


def test_a_second_schedule_is_named() -> None:
    for host in ("here", "there"):
        Heartbeat.objects.report(Heartbeat.Role.BEAT)
        Heartbeat.objects.exclude(host__in=["here", "there"]).update(
            identity=f"{host}/1/1", host=host
        )

    outcome = check_schedule()

    assert outcome.status == "warning"
    assert outcome.reason == "2 schedules are running, on here, there"
