"""manage.py reconciliation list|get"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instruments.listings.api.reconciliation import (
    DifferenceFilterSet,
    DifferenceSerializer,
    ReconciliationFilterSet,
    ReconciliationSerializer,
    ReconciliationViewSet,
)
from instruments.models import Difference, Reconciliation
from marketdata.common import filtering, output

_NUMBERS = ("listed", "same", "missed", "different", "late", "extra")
_SHOWN = ("id", "published_on", "category", "register", *_NUMBERS, "compared", "completed_at")


class Command(BaseCommand):
    help = "Full sets beside what was built from deltas before them: what was missed, extra, different."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
        listing = actions.add_parser("list", help="full sets, filtered as in the API")
        filtering.add_filter_options(listing, ReconciliationFilterSet)
        getting = actions.add_parser("get", help="one full set, and the listings that differ")
        getting.add_argument("id", type=int, metavar="ID", help="as in the list")
        filtering.add_filter_options(getting, DifferenceFilterSet)
        for parser_ in (listing, getting):
            parser_.add_argument(
                "--limit", type=filtering.positive_integer, default=20, help="rows at most (20)"
            )
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        {"list": self._list, "get": self._get}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        found = filtering.filter_queryset(
            ReconciliationFilterSet, options, ReconciliationViewSet.queryset.all()
        )[: options["limit"]]
        rows = ReconciliationSerializer(found, many=True).data
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif not rows:
            self.stdout.write("No full set has been loaded.")
        else:
            shown = [{name: row[name] for name in _SHOWN} for row in rows]
            output.print_table(self.stdout, shown, numbers=list(_NUMBERS))

    def _get(self, options: dict[str, Any]) -> None:
        of = ReconciliationViewSet.queryset.filter(pk=options["id"]).first()
        if of is None:
            raise CommandError(f"There is no reconciliation {options['id']}; see `list`.")
        kept = filtering.filter_queryset(DifferenceFilterSet, options, of.differences.all())
        fields = ReconciliationSerializer(of).data
        rows = DifferenceSerializer(kept[: options["limit"]], many=True).data
        if options["format"] == "json":
            output.print_json(self.stdout, {**fields, "differences": rows})
            return
        self.stdout.write(_summary(of))
        if by_field := ", ".join(f"{name} {count:,}" for name, count in of.by_field.items()):
            self.stdout.write(f"Fields that differ: {by_field}.")
        if rows:
            output.print_table(self.stdout, [{**row, "changes": _said(row)} for row in rows])


def _summary(of: Reconciliation) -> str:
    if not of.compared:
        return f"{of}: {of.listed:,} listings; no earlier full set to compare with."
    numbers = ", ".join(f"{getattr(of, name):,} {name}" for name in _NUMBERS)
    return f"{of}: {numbers}; of each kind the first {Difference.EXAMPLES:,} of a file are kept."


def _said(row: dict[str, Any]) -> str:
    return "; ".join(
        f"{field}: {change['old']} > {change['new']}" for field, change in row["changes"].items()
    )
