"""manage.py reconciliation list|get"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from instruments.listings import reconciliation
from instruments.listings.reconciliation_filters import DifferenceFilterSet, ReconciliationFilterSet
from instruments.management.answering import AnsweringCommand
from instruments.models import Difference, Reconciliation
from marketdata.common import command_options, output
from marketdata.common.errors import NotInDatabase
from marketdata.common.numbers import format_count

_IN_TABLE = (
    *("id", "published_on", "category", "register"),
    *reconciliation.COUNTS,
    *("compared", "completed_at"),
)


class Command(AnsweringCommand):
    help = "Compare full sets with the listings built from deltas: missed, different and extra listings."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
        listing = actions.add_parser("list", help="list full sets, filtered as in the API")
        command_options.add_filter_options(listing, ReconciliationFilterSet)
        getting = actions.add_parser("get", help="show one full set, and the listings that differ")
        getting.add_argument("id", type=int, metavar="ID", help="as in the list")
        command_options.add_filter_options(getting, DifferenceFilterSet)
        for action in (listing, getting):
            command_options.add_limit(action, default=20)
            output.add_format(action)

    def handle(self, **options: Any) -> None:
        {"list": self._list, "get": self._get}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        matching = command_options.filter_queryset(
            ReconciliationFilterSet, options, reconciliation.with_files()
        )
        output.print_rows(
            self.stdout,
            [reconciliation.describe_reconciliation(row) for row in matching[: options["limit"]]],
            options["format"],
            columns=_IN_TABLE,
            numbers=list(reconciliation.COUNTS),
            if_empty="No full set has been loaded.",
        )

    def _get(self, options: dict[str, Any]) -> None:
        try:
            full_set = reconciliation.get_reconciliation(options["id"])
        except NotInDatabase as error:
            raise CommandError(f"{error} `reconciliation list` shows all.") from None
        matching = command_options.filter_queryset(
            DifferenceFilterSet, options, full_set.differences.all()
        )
        rows = [reconciliation.describe_difference(row) for row in matching[: options["limit"]]]
        if options["format"] == "json":
            details = reconciliation.describe_reconciliation(full_set)
            output.print_json(self.stdout, {**details, "differences": rows})
            return
        self.stdout.write(_summarize(full_set))
        if by_field := ", ".join(f"{name} {count:,}" for name, count in full_set.by_field.items()):
            self.stdout.write(f"Fields that differ: {by_field}.")
        if rows:
            table = [{**row, "changes": _format_changes(row["changes"])} for row in rows]
            output.print_table(self.stdout, table)


def _summarize(full_set: Reconciliation) -> str:
    if not full_set.compared:
        return (
            f"{full_set}: {format_count(full_set.listed, 'listing')}; no earlier full set to compare"
            " with."
        )
    counts = ", ".join(f"{getattr(full_set, name):,} {name}" for name in reconciliation.COUNTS)
    return (
        f"{full_set}: {counts}; of each kind, the first {Difference.EXAMPLES:,} of a file are kept."
    )


def _format_changes(changes: dict[str, Any]) -> str:
    return "; ".join(
        f"{field}: {change['old']} > {change['new']}" for field, change in changes.items()
    )
