"""Install the hooks and the exporters that the settings ask for."""

from typing import Any

from celery.signals import task_postrun, task_prerun, worker_process_shutdown
from django.conf import settings
from django.db.backends.signals import connection_created

from marketdata.common import telemetry
from marketdata.common.telemetry import Exporter, Operation, measure_query


def start() -> None:
    """Create the exporters in settings.TELEMETRY. Without any, nothing is installed.

    OpenCensus is no exporter: it has a middleware of its own.
    """
    names = [name for name in settings.TELEMETRY if name != "opencensus"]
    if not names or telemetry.exporters:
        return
    telemetry.exporters.extend(create_exporter(name) for name in names)
    connection_created.connect(_observe_connection, dispatch_uid="telemetry")
    task_prerun.connect(_begin_task, dispatch_uid="telemetry")
    task_postrun.connect(_end_task, dispatch_uid="telemetry")
    worker_process_shutdown.connect(_flush, dispatch_uid="telemetry")


def create_exporter(name: str) -> Exporter:
    if name == "azure":
        from monitoring.telemetry.azure import ApplicationInsights  # noqa: PLC0415  # slow to import

        return ApplicationInsights(settings.APPLICATIONINSIGHTS_CONNECTION_STRING)
    from monitoring.telemetry.prometheus import Prometheus  # noqa: PLC0415  # slow to import

    return Prometheus()


def _observe_connection(*, connection: Any, **signal: Any) -> None:
    if measure_query not in connection.execute_wrappers:
        connection.execute_wrappers.append(measure_query)


_tasks: dict[str, Operation] = {}


def _begin_task(*, task_id: str, task: Any, **signal: Any) -> None:
    _tasks[task_id] = Operation("task", task.name).__enter__()


def _end_task(*, task_id: str, state: str | None = None, retval: Any = None, **signal: Any) -> None:
    """End the operation of a task; `retval` is its exception if it has failed."""
    if (operation := _tasks.pop(task_id, None)) is not None:
        operation.is_ok = state == "SUCCESS"
        operation.error = retval if isinstance(retval, BaseException) else None
        operation.__exit__(None, None)


def _flush(**signal: Any) -> None:
    for exporter in telemetry.exporters:
        flush = getattr(exporter, "flush", None)
        if flush is not None:
            flush()
