"""manage.py problems find|kinds|list"""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from curation import finding, problems
from curation.filters import ProblemFilterSet
from curation.models import Problem
from curation.problem_kinds import KINDS
from instruments.management.answering import AnsweringCommand
from marketdata.common import output
from marketdata.common.command_options import add_filter_options, add_limit, filter_queryset

_KIND_COLUMNS = ("kind", "title", "problems", "has_more", "skipped", "counted_at")
_LIST_COLUMNS = ("isin", "register", "mic", "published", "suggested", "detail", "found_on")


class Command(AnsweringCommand):
    help = "Find problems of published data, and list them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="find|kinds|list")
        find = actions.add_parser(
            "find", help="find all problems now, as the schedule does by night at 06:30 UTC"
        )
        find.add_argument("kinds", nargs="*", metavar="KIND", help="only these kinds")
        kinds = actions.add_parser("kinds", help="list the kinds with their numbers")
        listing = actions.add_parser("list", help="list the problems of a kind")
        listing.add_argument("kind", choices=list(KINDS), metavar="KIND")
        add_limit(listing, default=100)
        add_filter_options(listing, ProblemFilterSet)
        for parser_of_action in (find, kinds, listing):
            output.add_format(parser_of_action)

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _find(self, options: dict[str, Any]) -> None:
        kinds = [problems.get_kind(code).code for code in options["kinds"]]
        finding.find_all(kinds or tuple(KINDS))
        self._kinds(options)

    def _kinds(self, options: dict[str, Any]) -> None:
        self._print(problems.list_kinds(), _KIND_COLUMNS, options["format"])

    def _list(self, options: dict[str, Any]) -> None:
        of_kind = Problem.objects.filter(kind=options["kind"]).order_by("isin", "pk")
        selected = filter_queryset(ProblemFilterSet, options, of_kind)[: options["limit"]]
        rows = list(map(problems.describe_problem, selected))
        self._print(rows, _LIST_COLUMNS, options["format"])

    def _print(self, rows: list[dict[str, Any]], columns: Sequence[str], format_: str) -> None:
        output.print_rows(
            self.stdout,
            rows,
            format_,
            columns=columns,
            numbers=["problems"],
            if_empty="No problem matches.",
        )
