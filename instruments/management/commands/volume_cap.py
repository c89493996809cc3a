"""manage.py volume_cap list|get|load_suspensions"""

import dataclasses
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from instruments.listings.lookup import look_up_results
from instruments.management.answering import AnsweringCommand
from instruments.models import VolumeCap
from instruments.transparency.applicable import period_text
from instruments.volume_cap import questions, suspensions
from instruments.volume_cap.filters import VolumeCapFilterSet
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError
from marketdata.common.named_files import read_bytes


class Command(RecordedCommand, AnsweringCommand):
    recorded_actions = frozenset({"load_suspensions"})
    help = (
        "List volume cap results (DVCRES), show those of one instrument with their venues and its "
        "suspensions, or load a list of suspensions."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="list|get|load_suspensions"
        )
        listing = actions.add_parser("list", help="results, filtered as in the API")
        command_options.add_limit(listing, default=20)
        command_options.add_filter_options(listing, VolumeCapFilterSet)
        getting = actions.add_parser("get", help="one instrument")
        getting.add_argument("isin", metavar="ISIN")
        getting.add_argument(
            "--above", type=_percentage, help="only venues with a larger percentage"
        )
        getting.add_argument("--on", type=command_options.day, help="suspended on this day (today)")
        loading = actions.add_parser(
            "load_suspensions", help="a CSV list of suspensions under the single volume cap"
        )
        loading.add_argument("path", type=Path, metavar="PATH")
        for action in (listing, getting, loading):
            output.add_format(action)

    def handle(self, **options: Any) -> None:
        actions = {
            "list": self._list,
            "get": self._get,
            "load_suspensions": self._load_suspensions,
        }
        try:
            actions[options["action"]](options)
        except MarketDataError as error:
            raise CommandError(str(error)) from None

    def _list(self, options: dict[str, Any]) -> None:
        matching = command_options.filter_queryset(
            VolumeCapFilterSet, options, questions.with_venues()
        )
        results: list[VolumeCap] = list(matching[: options["limit"]])
        if options["format"] == "json":
            output.print_json(self.stdout, [questions.describe_result(row) for row in results])
        elif not results:
            self.stdout.write("No result matches.")
        else:
            rows = [{**_row(result), "venues": len(result.venues.all())} for result in results]
            output.print_table(self.stdout, rows)
        if options["isin"]:
            self.warn_of_missing(look_up_results(options["isin"], matching))

    def _get(self, options: dict[str, Any]) -> None:
        answer = questions.get_volume_cap(options["isin"], on=options["on"], above=options["above"])
        if options["format"] == "json":
            output.print_json(self.stdout, questions.describe_volume_cap(answer))
            return
        if not answer.results:
            self.stdout.write(f"No volume cap result of {answer.isin} has been published.")
        for result in answer.results:
            output.print_table(self.stdout, [_row(result)])
            venues = [
                {
                    "venue": venue.mic,
                    "% under waivers": _digits(venue.percentage),
                    "disclaimer": venue.disclaimer,
                }
                for venue in result.venues.all()
            ]
            if venues:
                output.print_table(self.stdout, venues)
            else:
                self.stdout.write("No venue." if answer.above is None else "No venue above it.")
        if answer.suspensions:
            rows = [
                {
                    "suspended from": suspension.suspended_from,
                    "to": suspension.suspended_to or "open",
                    "published on": suspension.published_on,
                    f"in force on {answer.on}": "yes" if suspension == answer.suspension else "no",
                }
                for suspension in answer.suspensions
            ]
            output.print_table(self.stdout, rows, title="Suspensions of the reference price waiver")

    def _load_suspensions(self, options: dict[str, Any]) -> None:
        path = options["path"]
        content = read_bytes(path, max_bytes=suspensions.MAX_BYTES)
        counts = suspensions.load(content, name=path.name)
        row = {"list": path.name, **dataclasses.asdict(counts)}
        if options["format"] == "json":
            output.print_json(self.stdout, row)
        else:
            output.print_table(self.stdout, [row], numbers=list(row)[1:])


def _row(result: VolumeCap) -> dict[str, Any]:
    volume = f"{_digits(result.total_volume)} {result.total_volume_currency or ''}"
    return {
        "isin": result.isin,
        "reporting period": period_text(*result.reporting_period),
        "% under waivers": _digits(result.percentage),
        "total volume": volume.strip(),
        "last updated": result.last_updated_on,
        "disclaimer": result.disclaimer,
        "source file": result.source_file.name,
    }


def _digits(number: Decimal | None) -> str:
    return "" if number is None else f"{number:f}"


def _percentage(raw: str) -> Decimal:
    """For `type=` of --above. Raises ValueError."""
    try:
        number = Decimal(raw)
    except InvalidOperation as error:
        raise ValueError(raw) from error
    if not (number.is_finite() and 0 <= number <= 100):
        raise ValueError(raw)
    return number
