"""Celery tasks that check the health of the service and of outside services."""

from celery import shared_task
from celery.signals import task_prerun

from marketdata.common import telemetry
from monitoring import secret_rotation
from monitoring.health import report, services
from monitoring.health.checks import Result
from monitoring.telemetry.gauges import read_gauges

task_prerun.connect(secret_rotation.rotate_if_due, dispatch_uid="monitoring.secret_rotation")


@shared_task(name="monitoring.record_health")
def record_health() -> None:
    """Run all checks of this installation, record since when each has its status, and report the gauges."""
    report.record([r for r in report.run_checks().results if not r.is_outside])
    for gauge in read_gauges() if telemetry.exporters else ():
        for exporter in telemetry.exporters:
            exporter.gauge(gauge)


@shared_task(name="monitoring.check_outside_services")
def check_outside_services() -> None:
    """Ask each outside service, and record its answer."""
    for service in services.services():
        report.record([Result(service.name, *services.check(service), is_outside=True)])
