"""manage.py venues list|get|missing"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from instruments.corrected_records import correct
from instruments.listings.facts import flatten
from instruments.management.answering import AnsweringCommand
from instruments.models import ListedVenue
from instruments.venues import questions
from instruments.venues.filters import VenueFilterSet
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError

_IN_TABLE = (
    *("mic", "operating_mic", "kind", "name", "category", "country", "status"),
    *questions.COUNTS,
)


class Command(AnsweringCommand):
    help = "List venues (ISO 10383), show one with its segments, or MICs that the list lacks."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get|missing")
        listing = actions.add_parser("list", help="venues, filtered as in the API")
        command_options.add_limit(listing, default=20)
        command_options.add_filter_options(listing, VenueFilterSet)
        getting = actions.add_parser("get", help="one venue")
        getting.add_argument("mic", metavar="MIC")
        missing = actions.add_parser(
            "missing", help="MICs of listings that the list of venues lacks"
        )
        for parser_ in (listing, getting, missing):
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        {"list": self._list, "get": self._get, "missing": self._missing}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        matching = command_options.filter_queryset(
            VenueFilterSet, options, questions.with_listings()
        )
        venues = list(matching[: options["limit"]])
        correct(venues)
        output.print_rows(
            self.stdout,
            [questions.describe_venue(venue) for venue in venues],
            options["format"],
            columns=_IN_TABLE,
            numbers=questions.COUNTS,
            if_empty="No venue matches; `manage.py load_venues` loads the list.",
        )

    def _missing(self, options: dict[str, Any]) -> None:
        missing = ListedVenue.objects.missing()
        output.print_rows(
            self.stdout,
            [questions.describe_listed_venue(listed) for listed in missing],
            options["format"],
            numbers=questions.COUNTS,
            if_empty="The list of venues has every MIC that listings use.",
        )

    def _get(self, options: dict[str, Any]) -> None:
        try:
            venue = questions.get_venue(options["mic"])
        except MarketDataError as error:
            raise CommandError(str(error)) from None
        fields = questions.describe_venue(venue)
        if options["format"] == "json":
            output.print_json(self.stdout, fields)
            return
        rows = [{"field": name, "value": value} for name, value in flatten(fields) if value != ""]
        output.print_table(self.stdout, rows, title=venue.mic)
        segments = list(questions.with_listings().segments_of(venue.mic))
        correct(segments)
        if segments:
            described = map(questions.describe_venue, segments)
            table = [{name: row[name] for name in _IN_TABLE} for row in described]
            output.print_table(self.stdout, table, title="Segments", numbers=["listings"])
