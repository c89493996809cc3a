"""manage.py changes"""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from instruments.listings import changes
from instruments.listings.api.changes import MOST, page
from marketdata.common import filtering


class Command(BaseCommand):
    help = "Changes of listings, an object of JSON a line, in the order in which they became known."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            metavar="CURSOR|TIME",
            help="the `cursor` of the last line that you have, or a time as 2026-11-22T06:00Z",
        )
        parser.add_argument(
            "--limit", type=filtering.positive_integer, help="changes at most (all)"
        )
        parser.add_argument("--expand", choices=["record"], help="with every field of the listing")

    def handle(self, **options: Any) -> None:
        try:
            self._write(options["since"], options["limit"], whole=bool(options["expand"]))
        except changes.BadCursor as problem:
            raise CommandError(f"--since: {problem}.") from problem
        except BrokenPipeError:  # who reads has seen enough; there must be no second try at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write(self, since: str | None, left: int | None, *, whole: bool) -> None:
        more, encoder = True, DjangoJSONEncoder(ensure_ascii=False)
        while more and left != 0:
            limit = MOST if left is None else min(left, MOST)
            found, place, more = page(since, limit, whole=whole)
            for change in found:
                self.stdout.write(encoder.encode(change))
            since = str(place)
            left = None if left is None else left - len(found)
