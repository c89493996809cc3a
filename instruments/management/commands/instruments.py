"""manage.py instruments list|get|lookup|reportable|derivatives|underlyings|dossier"""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from instruments.dossier import markdown
from instruments.dossier.questions import get_dossier
from instruments.listings import (
    corrections,
    descriptions,
    facets,
    history,
    included,
    lookup,
    reportability,
    underlyings,
)
from instruments.listings.corrections import read_approved
from instruments.listings.facts import classification_rows, flatten
from instruments.listings.filters import DerivativeFilterSet, ListFilterSet
from instruments.management.answering import AnsweringCommand
from instruments.models import Instrument, Register
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError

_LIST_COLUMNS = (
    *("isin", "full_name", "cfi_code", "notional_currency", "issuer_lei", "status"),
    *("effective_status", "mic", "listing_count"),
)
_CORRECTION_COLUMNS = ("number", "field", "published", "value", "approved_at", "reason")
_LISTING_COLUMNS = (
    *("mic", "register", "venue_name", "status", "effective_status", "valid_from"),
    *("first_trade_at", "terminated_at", "basis", "source_file", "source_position"),
)
_VERSION_COLUMNS = (
    *("mic", "register", "status", "valid_from", "valid_to", "was_valid", "published_on"),
    *("source_file", "source_position"),
)
_ANSWER_COLUMNS = (
    *("mic", "register", "reportable", "reason", "basis", "source_file", "source_position"),
    "published_on",
)
# Parts of an instrument that `get` prints as tables of their own.
_TABLES = ("listings", "classification", "issuer_requested_listings")


class Command(AnsweringCommand):
    help = (
        "List instruments, show one with its terms and listings or as a dossier, look up a list of ISINs, or"
        " answer questions about reportability, derivatives and underlyings."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action",
            required=True,
            metavar="list|get|lookup|reportable|derivatives|underlyings|dossier",
        )
        listing = actions.add_parser("list", help="list instruments, with the filters of the API")
        _add_list_options(listing, ListFilterSet)
        listing.add_argument(
            "--include",
            default="",
            help=f"parts to add to each instrument in JSON, separated by commas: {', '.join(included.PARTS)}",
        )

        listing.add_argument(
            "--facets",
            default="",
            help="print instead of instruments how many match for each value of these codes, separated by"
            f" commas: {', '.join(facets.FACETS)}",
        )

        getting = actions.add_parser("get", help="show one instrument")
        getting.add_argument("isin", metavar="ISIN")
        getting.add_argument(
            "--as-of", type=command_options.day, help="as the register read on this day, YYYY-MM-DD"
        )
        _add_knowledge_options(getting)
        getting.add_argument(
            "--history",
            action="store_true",
            help="show every record of each listing and its changes",
        )
        output.add_format(getting)

        looking_up = actions.add_parser(
            "lookup", help="show for each of several ISINs whether it is known"
        )
        looking_up.add_argument("isins", metavar="ISIN", nargs="+")
        output.add_format(looking_up)

        reportable = actions.add_parser(
            "reportable", help="show on which venues an instrument was reportable on a day, and why"
        )
        reportable.add_argument("isin", metavar="ISIN")
        reportable.add_argument(
            "--on", type=command_options.day, help="day of the trade, YYYY-MM-DD (default: today)"
        )
        _add_knowledge_options(reportable)
        output.add_format(reportable)

        derivatives = actions.add_parser(
            "derivatives", help="list the instruments that have an ISIN as an underlying"
        )
        # Not `isin`, because that is one of the filters.
        derivatives.add_argument("underlying_isin", metavar="ISIN", help="an instrument or index")
        _add_list_options(derivatives, DerivativeFilterSet)

        underlying = actions.add_parser("underlyings", help="list the underlyings of an instrument")
        underlying.add_argument("isin", metavar="ISIN")
        output.add_format(underlying)

        dossier = actions.add_parser(
            "dossier", help="show all that is known of an instrument, small enough for a ticket"
        )
        dossier.add_argument("isin", metavar="ISIN")
        dossier.add_argument(
            "--on", type=command_options.day, help="day to answer for, YYYY-MM-DD (default: today)"
        )
        dossier.add_argument(
            "--format",
            choices=["markdown", "json"],
            default="markdown",
            help="Markdown for tickets, or JSON for programs",
        )

    def handle(self, **options: Any) -> None:
        actions = {
            "list": self._list,
            "get": self._get,
            "lookup": self._look_up,
            "reportable": self._reportable,
            "derivatives": self._derivatives,
            "underlyings": self._underlyings,
            "dossier": self._dossier,
        }
        try:
            actions[options["action"]](options)
        except MarketDataError as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        matching: Any = command_options.filter_queryset(
            ListFilterSet, options, Instrument.objects.all()
        )
        if names := facets.parse(options["facets"]):
            filters = command_options.get_filter_values(ListFilterSet, options)
            self._print_facets(facets.count(names, matching, filters), options["format"])
            return
        parts = included.parse(options["include"])
        if parts and options["format"] != "json":
            raise CommandError("--include needs --format json.")
        rows = descriptions.describe_instruments(matching[: options["limit"]])
        included.add(rows, parts)
        self._print(rows, _LIST_COLUMNS, options["format"], if_empty="No instrument matches.")
        if options["isin"]:
            isins = lookup.split_isins(options["isin"])
            self.warn_of_missing(lookup.look_up(isins, matching))

    def _print_facets(self, counted: dict[str, facets.Facet], format_: str) -> None:
        if format_ == "json":
            answer = {name: facet.describe() for name, facet in counted.items()}
            output.print_json(self.stdout, answer)
            return
        rows: list[dict[str, Any]] = [
            {"facet": name, "value": value, "count": number, "exact": facet.is_exact}
            for name, facet in counted.items()
            for value, number in facet.values
        ]
        if rows:
            output.print_table(self.stdout, rows, numbers=["count"])
        else:
            self.stdout.write("No instrument matches.")

    def _look_up(self, options: dict[str, Any]) -> None:
        rows = [descriptions.describe_lookup(r) for r in lookup.look_up(options["isins"])]
        self._print(rows, ("isin", "status", "reason"), options["format"])

    def _derivatives(self, options: dict[str, Any]) -> None:
        isin = lookup.resolve_isin(options["underlying_isin"])
        derivatives = underlyings.find_derivatives(isin)
        matching: Any = command_options.filter_queryset(DerivativeFilterSet, options, derivatives)
        rows = descriptions.describe_derivatives(matching[: options["limit"]])
        if_empty = f"No matching instrument in the loaded files has {isin} as an underlying."
        self._print(rows, ("link", *_LIST_COLUMNS), options["format"], if_empty=if_empty)

    def _underlyings(self, options: dict[str, Any]) -> None:
        instrument = lookup.get_instrument(options["isin"])
        named = underlyings.read_underlyings(instrument.listings)
        rows = [descriptions.describe_underlying(underlying) for underlying in named]
        columns = ("link", "isin", "lei", "name", "known")
        if_empty = f"{instrument.isin} has no underlying."
        self._print(rows, columns, options["format"], if_empty=if_empty)

    def _dossier(self, options: dict[str, Any]) -> None:
        answer = get_dossier(options["isin"], on=options["on"]).describe()
        if options["format"] == "json":
            output.print_json(self.stdout, answer)
        else:
            self.stdout.write(markdown.write(answer))

    def _print(
        self,
        rows: Sequence[dict[str, Any]],
        columns: tuple[str, ...],
        format_: str,
        *,
        if_empty: str = "",
    ) -> None:
        output.print_rows(
            self.stdout,
            rows,
            format_,
            columns=columns,
            numbers=["listing_count"],
            if_empty=if_empty,
        )

    def _get(self, options: dict[str, Any]) -> None:
        instrument = lookup.get_instrument(options["isin"])
        register = options["register"] or ""
        if options["history"]:
            self._print_history(instrument.isin, register, options["format"])
            return
        as_of, known_on = options["as_of"], options["known_on"]
        instrument, applied = corrections.get_served(
            instrument, as_of=as_of, known_on=known_on, register=register
        )
        answer = descriptions.describe_instrument(
            instrument, as_of=as_of, known_on=known_on, applied=applied
        )
        if options["format"] == "json":
            output.print_json(self.stdout, answer)
            return
        values = {name: value for name, value in answer.items() if name not in _TABLES}
        venues = answer["issuer_requested_listings"]
        values["issuer_requested_listings"] = [f"{v['mic']} ({v['register']})" for v in venues]
        rows = [{"field": name, "value": value} for name, value in flatten(values)]
        output.print_table(self.stdout, rows, title=instrument.isin)
        if instrument.classification:
            cfi_rows = classification_rows(instrument.classification)
            output.print_table(self.stdout, cfi_rows, title="CFI")
        if answer["corrections"]:
            corrected = _select(answer["corrections"], _CORRECTION_COLUMNS)
            output.print_table(self.stdout, corrected, title="Corrections")
        listings = _select(answer["listings"], _LISTING_COLUMNS)
        output.print_table(self.stdout, listings, title="Listings")

    def _reportable(self, options: dict[str, Any]) -> None:
        instrument = lookup.get_instrument(options["isin"])
        answer = descriptions.describe_reportability(
            reportability.get_reportability(
                instrument.isin,
                on=options["on"],
                known_on=options["known_on"],
                register=options["register"] or "",
            )
        )
        if options["format"] == "json":
            output.print_json(self.stdout, answer)
            return
        self.stdout.write(f"{answer['isin']}: {answer['reason']}")
        rows = _select([*answer["venues"], *answer["other_venues"]], _ANSWER_COLUMNS)
        if rows:
            output.print_table(self.stdout, rows)
        self.stdout.write(answer["rule"])
        if any(row["basis"] == history.Basis.EARLIEST_KNOWN for row in rows):
            self.stdout.write(f"earliest_known: {history.Basis.EARLIEST_KNOWN.rule}")

    def _print_history(self, isin: str, register: str, format_: str) -> None:
        approved = read_approved(isin)
        versions = [
            descriptions.describe_version(version, approved)
            for version in history.read_versions(isin, register=register)
        ]
        if format_ == "json":
            output.print_json(self.stdout, versions)
            return
        rows = _select(versions, _VERSION_COLUMNS)
        for row, version in zip(rows, versions, strict=True):
            row["changes"] = ", ".join(
                f"{name}: {output.text(change['old'])} > {output.text(change['new'])}"
                for name, change in version["changes"].items()
            )
        output.print_table(self.stdout, rows, title=isin)


def _select(rows: Sequence[dict[str, Any]], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in columns} for row in rows]


def _add_knowledge_options(parser: CommandParser) -> None:
    parser.add_argument(
        "--known-on",
        type=command_options.day,
        help="use only what had been published by this day, YYYY-MM-DD",
    )
    parser.add_argument(
        "--register",
        type=str.upper,
        choices=Register.values,
        help="only listings in this register (default: both)",
    )


def _add_list_options(parser: CommandParser, filterset_class: Any) -> None:
    command_options.add_limit(parser, default=20)
    command_options.add_filter_options(parser, filterset_class)
    output.add_format(parser)
