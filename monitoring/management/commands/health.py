"""manage.py health"""

import dataclasses
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from marketdata.common import output
from monitoring.health.report import Report, run_checks

_EXIT_STATUS = {"healthy": 0, "degraded": 1, "unhealthy": 2}


class Command(BaseCommand):
    help = "Check the health of the service. Exit status: 0 healthy, 1 degraded, 2 unhealthy."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--ready",
            action="store_true",
            help="only check whether requests can be answered; exit status 0 or 2",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help="repeat the checks for so long while the service is unhealthy",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        report = self._wait(options["wait"], ready_only=options["ready"])
        if options["format"] == "json":
            content = {**dataclasses.asdict(report), "status": report.status}
            content["commit"] = settings.GIT_COMMIT
            output.print_json(self.stdout, content)
        else:
            rows = [
                {
                    "check": result.name,
                    "status": result.status,
                    "since": f"{result.since:%Y-%m-%d %H:%M}" if result.since else "",
                    "ms": f"{result.milliseconds:,.0f}",
                    "reason": result.reason,
                }
                for result in report.results
            ]
            output.print_table(self.stdout, rows)
            for result in report.results:
                if result.error:
                    self.stderr.write(f"{result.name}: {result.error}")
            commit = f", commit {settings.GIT_COMMIT}" if settings.GIT_COMMIT else ""
            self.stdout.write(f"{report.status.capitalize()}, version {report.version}{commit}.")
        if status := _EXIT_STATUS[report.status]:
            sys.exit(status)

    @staticmethod
    def _wait(seconds: float, *, ready_only: bool) -> Report:
        deadline = time.monotonic() + seconds
        while True:
            report = run_checks(for_readiness_only=ready_only)
            if report.status != "unhealthy" or time.monotonic() >= deadline:
                return report
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
