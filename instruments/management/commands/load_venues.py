"""manage.py load_venues"""

import dataclasses
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from instruments.models import ListedVenue
from instruments.venues import load
from marketdata.common import http, output
from marketdata.common.errors import MarketDataError
from marketdata.common.named_files import read_bytes
from marketdata.common.numbers import format_count


class Command(RecordedCommand):
    help = "Load a list of venues (ISO 10383, CSV or XML); the bundled list if no path is given."

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument("path", nargs="?", type=Path, metavar="PATH", help="a CSV or XML file")
        source.add_argument(
            "--official",
            action="store_true",
            help="download the list from the address where ISO publishes it",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        try:
            if options["official"]:
                name = settings.MIC_LIST_URL
                content = http.read(name, hosts=settings.MIC_LIST_HOSTS, max_bytes=load.MAX_BYTES)
            else:
                path = options["path"] or load.BUNDLED
                name, content = path.name, read_bytes(path, max_bytes=load.MAX_BYTES)
            counts = load.load(content, name=name)
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        row = {"list": name, **dataclasses.asdict(counts)}
        if options["format"] == "json":
            output.print_json(self.stdout, row)
        else:
            shown = {**row, "left out": len(row.pop("problems"))}
            shown.pop("problems")
            output.print_table(self.stdout, [shown], numbers=list(shown)[1:])
        for problem in counts.problems:
            self.stderr.write(f"{name}: left out: {problem}")
        missing = list(ListedVenue.objects.missing())
        if missing:
            names = ", ".join(
                f"{venue.mic} ({format_count(venue.listings, 'listing')})" for venue in missing
            )
            self.stderr.write(f"Not in the list, although listings use them: {names}")
