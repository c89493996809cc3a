"""manage.py database check"""

import dataclasses
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from marketdata.common import output
from monitoring.databases.check import check
from monitoring.databases.finding import Level

_SIGNS = {Level.OK: " ", Level.WARNING: "!", Level.ERROR: "x"}


class Command(BaseCommand):
    help = "Check the database: configuration, connection, condition, with advice on each problem."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        check_parser = actions.add_parser("check", help="connect to the database and check it")
        check_parser.add_argument(
            "--database",
            default="default",
            choices=sorted(connections),
            help="alias of the database in the settings (default: default)",
        )
        output.add_format(check_parser)

    def handle(self, **options: Any) -> None:
        findings = list(check(connections[options["database"]]))
        if options["format"] == "json":
            output.print_json(self.stdout, [dataclasses.asdict(finding) for finding in findings])
        else:
            console = output.open_console(self.stdout)
            for finding in findings:
                console.print(f"{_SIGNS[finding.level]} {finding.name:24} {finding.value}")
                if finding.advice:
                    console.print(f"  {'':24} -> {finding.advice}")
        if any(finding.level is Level.ERROR for finding in findings):
            raise CommandError("The database cannot be used: see the lines marked with x.")
