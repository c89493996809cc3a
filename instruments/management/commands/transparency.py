"""manage.py transparency list|get"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from instruments.listings.facts import flatten
from instruments.listings.lookup import look_up_results
from instruments.management.answering import AnsweringCommand
from instruments.models import Register, TransparencyResult
from instruments.transparency import descriptions
from instruments.transparency.applicable import period_text
from instruments.transparency.filters import TransparencyFilterSet
from instruments.transparency.questions import get_transparency
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError


class Command(AnsweringCommand):
    help = "List transparency results (FITRS), or show those that apply to one instrument, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
        listing = actions.add_parser("list", help="results, filtered as in the API")
        command_options.add_limit(listing, default=20)
        command_options.add_filter_options(listing, TransparencyFilterSet)
        getting = actions.add_parser("get", help="one instrument")
        getting.add_argument("isin", metavar="ISIN")
        getting.add_argument(
            "--on", type=command_options.day, help="the day to answer for, as 2025-08-30 (today)"
        )
        getting.add_argument(
            "--known-on",
            type=command_options.day,
            help="answer from what had been published by this day",
        )
        getting.add_argument(
            "--register", choices=Register.values, default=Register.ESMA, help="ESMA, or FCA (UK)"
        )
        for parser_ in (listing, getting):
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        {"list": self._list, "get": self._get}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        results = (
            TransparencyResult.objects.published()
            .select_related("source_file")
            .order_by("isin", "pk")
        )
        matching = command_options.filter_queryset(TransparencyFilterSet, options, results)
        rows = list(matching[: options["limit"]])
        if options["format"] == "json":
            output.print_json(self.stdout, [descriptions.describe_result(row) for row in rows])
        elif not rows:
            self.stdout.write("No result matches.")
        else:
            output.print_table(self.stdout, [_row(result) for result in rows])
        if options["isin"]:
            self.warn_of_missing(look_up_results(options["isin"], matching))

    def _get(self, options: dict[str, Any]) -> None:
        try:
            answer = get_transparency(
                options["isin"],
                on=options["on"],
                known_on=options["known_on"],
                register=options["register"],
            )
        except MarketDataError as error:
            raise CommandError(str(error)) from None
        if options["format"] == "json":
            output.print_json(self.stdout, descriptions.describe_transparency(answer))
            return
        if answer.other_registers:
            registers = " and ".join(answer.other_registers)
            self.stdout.write(f"{registers} publishes results for this ISIN too: see --register.")
        shown: set[int] = set()
        for respect, applicable in answer.applies.items():
            self.stdout.write(f"{respect.replace('_', ' ').capitalize()}: {applicable.why}")
            for dated in applicable.in_force:
                if dated.result.pk not in shown:
                    self._print_result(dated.result)
                    shown.add(dated.result.pk)
        if answer.turnover:
            rows = [vars(row) for row in answer.turnover]
            output.print_table(self.stdout, rows, title="Turnover by reporting period")
        if answer.results:
            rows = [_row(result) for result in answer.results]
            output.print_table(self.stdout, rows, title="Every current result")

    def _print_result(self, result: TransparencyResult) -> None:
        fields = descriptions.describe_result(result)
        criteria = [f"{criterion['name']}={criterion['value']}" for criterion in fields["criteria"]]
        facts = flatten({**fields, "criteria": criteria})
        rows = [{"field": name, "value": value} for name, value in facts]
        output.print_table(self.stdout, rows)


def _row(result: TransparencyResult) -> dict[str, Any]:
    return {
        "isin": result.isin,
        "classification": result.classification,
        "methodology": result.methodology,
        "subject": result.subject,
        "reporting period": period_text(*result.reporting_period),
        "liquid": result.liquid,
        "pre-trade LIS": _size(result, "pre_trade_lis"),
        "post-trade LIS": _size(result, "post_trade_lis"),
        "source file": result.source_file.name,
    }


def _size(result: TransparencyResult, column: str) -> str:
    """Return a threshold with its unit; "" where none is published."""
    amount, number = getattr(result, column), getattr(result, f"{column}_number")
    if amount is not None:
        return f"{amount:f} {getattr(result, f'{column}_currency') or ''}".strip()
    return "" if number is None else f"{number:f}"
