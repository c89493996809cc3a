"""manage.py database check"""

import dataclasses
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from marketdata.common import output
from monitoring.databases.check import check
from monitoring.databases.finding import Level


class Command(BaseCommand):
    help = "The database: what is configured, how it is, and what to do about it."
    requires_system_checks = []  # it must run where they cannot

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        checking = actions.add_parser("check", help="connect, and look at it")
        checking.add_argument(
            "--database", default="default", choices=sorted(connections), help="which one (default)"
        )
        output.add_format(checking)

    def handle(self, **options: Any) -> None:
        found = list(check(connections[options["database"]]))
        rows = [dataclasses.asdict(finding) for finding in found]
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        else:
            console = output.console(self.stdout)
            for finding in found:
                sign = {Level.OK: " ", Level.WARNING: "!", Level.ERROR: "x"}[finding.level]
                console.print(f"{sign} {finding.what:24} {finding.value}")
                if finding.advice:
                    console.print(f"  {'':24} -> {finding.advice}")
        if any(finding.level is Level.ERROR for finding in found):
            raise CommandError("The database cannot be used as it is.")
