"""manage.py transparency list|get"""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.exceptions import APIException

from instruments.listings.facts import flatten
from instruments.models import TransparencyResult
from instruments.transparency.api.serializers import (
    InstrumentTransparencySerializer,
    TransparencyResultSerializer,
)
from instruments.transparency.api.views import TransparencyFilterSet, transparency_of
from instruments.transparency.applicable import said_as
from marketdata.common import filtering, output


class Command(BaseCommand):
    help = "List transparency results (FITRS), or show what applies to one instrument and why."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
        listing = actions.add_parser("list", help="results, filtered as in the API")
        listing.add_argument(
            "--limit", type=filtering.at_least_one, default=20, help="rows at most (20)"
        )
        filtering.offer(listing, TransparencyFilterSet)
        getting = actions.add_parser("get", help="one instrument")
        getting.add_argument("isin", metavar="ISIN")
        getting.add_argument("--on", type=_day, help="the day to ask about, as 2025-08-30 (today)")
        for parser_ in (listing, getting):
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        {"list": self._list, "get": self._get}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        results = TransparencyResult.objects.select_related("source_file").order_by("isin", "pk")
        matching = filtering.filtered(TransparencyFilterSet, options, results)
        found = list(matching[: options["limit"]])
        if options["format"] == "json":
            output.print_json(self.stdout, TransparencyResultSerializer(found, many=True).data)
        elif not found:
            self.stdout.write("No result matches.")
        else:
            output.print_table(self.stdout, [_row(result) for result in found])

    def _get(self, options: dict[str, Any]) -> None:
        on = options["on"] or dt.datetime.now(tz=dt.UTC).date()
        try:
            found = transparency_of(options["isin"], on)
        except APIException as error:
            detail: Any = error.detail
            raise CommandError(
                " ".join(detail["isin"]) if "isin" in detail else str(detail)
            ) from None
        if options["format"] == "json":
            output.print_json(self.stdout, InstrumentTransparencySerializer(found).data)
            return
        shown = set()
        for respect, applying in found["applies"].items():
            self.stdout.write(f"{respect.replace('_', ' ').capitalize()}: {applying.why}")
            if applying.result and applying.result.pk not in shown:
                said = TransparencyResultSerializer(applying.result).data
                criteria = [f"{one['name']}={one['value']}" for one in said["criteria"]]
                rows = [
                    {"field": k, "value": v} for k, v in flatten({**said, "criteria": criteria})
                ]
                output.print_table(self.stdout, rows)
                shown.add(applying.result.pk)
        if found["turnover"]:
            rows = [vars(row) for row in found["turnover"]]
            output.print_table(self.stdout, rows, title="Turnover by reporting period")
        if found["results"]:
            rows = [_row(result) for result in found["results"]]
            output.print_table(self.stdout, rows, title="Every current result")


def _row(result: TransparencyResult) -> dict[str, Any]:
    return {
        "isin": result.isin,
        "classification": result.classification,
        "methodology": result.methodology,
        "subject": result.subject,
        "reporting period": said_as(result.reporting_period),
        "liquid": result.liquid,
        "pre-trade LIS": _size(result, "pre_trade_lis"),
        "post-trade LIS": _size(result, "post_trade_lis"),
        "source file": result.source_file.name,
    }


def _size(result: TransparencyResult, column: str) -> str:
    """A threshold with its unit."""
    amount, number = getattr(result, column), getattr(result, f"{column}_number")
    if amount is not None:
        return f"{amount:f} {getattr(result, f'{column}_currency') or ''}".strip()
    return "" if number is None else f"{number:f}"


def _day(raw: str) -> dt.date:
    return dt.date.fromisoformat(raw)
