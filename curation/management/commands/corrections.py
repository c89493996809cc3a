"""manage.py corrections list|debt|apply"""

from typing import Any

from django.core.management.base import CommandParser

from audit.commands import RecordedCommand
from curation.debt import get_debt, summarize
from curation.descriptions import describe_correction
from curation.filters import CorrectionFilterSet
from instruments.listings.correcting import reapply_due
from instruments.listings.status import today
from instruments.management.answering import AnsweringCommand
from instruments.models import Correction
from marketdata.common import output
from marketdata.common.command_options import add_limit, filter_queryset

_LIST_COLUMNS = (
    *("number", "register", "isin", "lei", "mic", "field", "expected", "value", "state"),
    *("proposed_by", "approved_by"),
)


class Command(RecordedCommand, AnsweringCommand):
    recorded_actions = frozenset({"apply"})
    help = (
        "List corrections of published values, show how old they are, and apply those that are due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|debt|apply")
        listing = actions.add_parser("list", help="list corrections, newest first")
        listing.add_argument("--isin", help="only those of this instrument")
        listing.add_argument("--lei", help="only those of this legal entity")
        listing.add_argument("--mic", help="only those of this venue, and of listings there")
        listing.add_argument("--state", choices=Correction.State.values, help="only in this state")
        add_limit(listing, default=100)
        debt = actions.add_parser(
            "debt", help="list the corrections that replace published values, with their age"
        )
        debt.add_argument(
            "--summary", action="store_true", help="only the numbers by age, owner and field"
        )
        for parser_of_action in (listing, debt):
            output.add_format(parser_of_action)
        actions.add_parser("apply", help="apply the corrections that begin or end by today")

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        codes = {name: options[name] for name in ("isin", "lei", "mic")}
        corrections = filter_queryset(CorrectionFilterSet, codes, Correction.objects.all())
        if options["state"]:
            corrections = corrections.filter(state=options["state"])
        output.print_rows(
            self.stdout,
            list(map(describe_correction, corrections[: options["limit"]])),
            options["format"],
            columns=_LIST_COLUMNS,
            if_empty="No correction matches.",
        )

    def _debt(self, options: dict[str, Any]) -> None:
        rows = get_debt(today())
        if options["summary"]:
            self._print_summary(summarize(rows), options["format"])
            return
        if_empty = "No published value is replaced."
        output.print_rows(self.stdout, rows, options["format"], if_empty=if_empty)

    def _print_summary(self, summary: dict[str, Any], format_: str) -> None:
        if format_ == "json":
            output.print_json(self.stdout, summary)
            return
        rows = [
            {"": name, "value": None, "corrections": summary[name]}
            for name in ("corrections", "to_review", "unreported", "expiring")
        ]
        for name in ("by_age", "by_owner", "by_field"):
            rows += [{"": name, **row} for row in summary[name]]
        output.print_table(self.stdout, rows)

    def _apply(self, options: dict[str, Any]) -> None:
        records = reapply_due(today())
        self.stdout.write(
            f"Instruments, entities and venues with corrections that have begun or ended: {records:,}"
        )
