"""manage.py run_worker"""

import functools
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.db.utils import InterfaceError

from esma_files import queue
from esma_files.supervisor import Child, celery_command, supervise
from marketdata.common import command_options


class Command(BaseCommand):
    help = (
        "Run a worker, which does the work requested in the API and the admin, and the schedule."
        " Either is restarted when it ends. Stop with Ctrl-C: current work is finished first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--processes",
            type=command_options.positive_integer,
            default=2,
            help="runs done at the same time (default: 2)",
        )
        parser.add_argument(
            "--no-schedule",
            action="store_true",
            help="run no schedule: for further workers beside the one that has it",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=30.0,
            metavar="SECONDS",
            help="when stopped, wait so long for current work, then end it (default: 30);"
            " work that was ended is done again later",
        )

    def handle(self, **options: Any) -> None:
        concurrency = str(options["processes"])
        level = ("--loglevel", "WARNING")
        worker = celery_command("worker", "--concurrency", concurrency, *level)
        patience = float(settings.WORKER_STALLED_SECONDS)
        children = [
            Child(
                "worker",
                worker,
                is_stalled=functools.partial(_has_stalled, queue.StallDetector(patience)),
                stalled_after=patience,
            )
        ]
        if not options["no_schedule"]:
            children.append(Child("schedule", celery_command("beat", *level)))
        supervise(children, patience=options["patience"])


def _has_stalled(detector: queue.StallDetector) -> bool:
    """Return whether work waits that no worker does; False while the database does not answer."""
    try:
        return detector.has_stalled()
    except (DatabaseError, InterfaceError):
        return False
    finally:
        connection.close()
