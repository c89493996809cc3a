"""manage.py instruments list|get|reportable|derivatives|underlyings"""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instruments.isin import problem_of
from instruments.listings import history, underlyings
from instruments.listings.api.derivatives import (
    DerivativeFilterSet,
    DerivativeSerializer,
    UnderlyingSerializer,
)
from instruments.listings.api.filters import InstrumentFilterSet
from instruments.listings.api.reportable import ReportableSerializer, reportable_of
from instruments.listings.api.serializers import (
    InstrumentDetailSerializer,
    InstrumentSerializer,
    VersionSerializer,
    today_of,
)
from instruments.listings.facts import classification_rows, flatten
from instruments.models import Instrument, Listing, Register
from marketdata.common import filtering, output

_IN_TABLE = (
    "isin",
    "full_name",
    "cfi_code",
    "notional_currency",
    "issuer_lei",
    "status",
    "mic",
    "listing_count",
)


class Command(BaseCommand):
    help = "List instruments, show one with its terms and listings, or what is derived from it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="list|get|reportable|derivatives|underlyings"
        )
        listing = actions.add_parser("list", help="instruments, filtered as in the API")
        _add_list(listing, InstrumentFilterSet)
        derived = actions.add_parser("derivatives", help="everything that has it as an underlying")
        # Not `isin`, which is one of the filters.
        derived.add_argument("of", metavar="ISIN", help="of an instrument or an index")
        _add_list(derived, DerivativeFilterSet)
        deriving = actions.add_parser("underlyings", help="what it is derived from")
        deriving.add_argument("isin", metavar="ISIN")
        output.add_format(deriving)
        getting = actions.add_parser("get", help="one instrument")
        getting.add_argument("isin", metavar="ISIN")
        day = dt.date.fromisoformat
        getting.add_argument("--as-of", type=day, help="what was valid on this day, YYYY-MM-DD")
        getting.add_argument("--known-on", type=day, help="what had been published by this day")
        getting.add_argument("--register", choices=Register.values, help="only its listings (both)")
        getting.add_argument(
            "--history", action="store_true", help="every record of each listing, and its changes"
        )
        output.add_format(getting)

        asking = actions.add_parser("reportable", help="on which venues it was traded on a day")
        asking.add_argument("isin", metavar="ISIN")
        asking.add_argument("--on", type=day, help="day of the trade, YYYY-MM-DD (today)")
        asking.add_argument("--known-on", type=day, help="by what had been published by this day")
        asking.add_argument("--register", choices=Register.values, help="only its listings (both)")
        output.add_format(asking)

    def handle(self, **options: Any) -> None:
        {
            "list": self._list,
            "get": self._get,
            "reportable": self._reportable,
            "derivatives": self._derivatives,
            "underlyings": self._underlyings,
        }[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        matching = filtering.filter_queryset(InstrumentFilterSet, options, Instrument.objects.all())
        found = InstrumentSerializer(matching[: options["limit"]], many=True).data
        self._print(found, _IN_TABLE, options["format"], none="No instrument matches.")

    def _derivatives(self, options: dict[str, Any]) -> None:
        isin = _isin(options["of"])
        derived = Instrument.objects.derived_from(isin)
        matching = filtering.filter_queryset(DerivativeFilterSet, options, derived)
        found = DerivativeSerializer(matching[: options["limit"]], many=True).data
        none = f"Nothing in the files loaded is derived from {isin}, or nothing that matches."
        self._print(found, ("link", *_IN_TABLE), options["format"], none=none)

    def _underlyings(self, options: dict[str, Any]) -> None:
        isin = _known(options).isin
        named: Any = underlyings.of(Listing.objects.of(isin))
        found = UnderlyingSerializer(named, many=True).data
        columns = ("link", "isin", "lei", "name", "known")
        none = f"{isin} names no underlying."
        self._print(found, columns, options["format"], none=none)

    def _print(self, found: Any, columns: tuple[str, ...], wanted: str, *, none: str) -> None:
        if wanted == "json":
            output.print_json(self.stdout, found)
        elif not found:
            self.stdout.write(none)
        else:
            rows = [{name: row[name] for name in columns} for row in found]
            output.print_table(self.stdout, rows, numbers=["listing_count"])

    def _get(self, options: dict[str, Any]) -> None:
        found: Instrument | None = _known(options)
        isin = _isin(options["isin"])
        if options["history"]:
            self._history(isin, options["register"] or "", options["format"])
            return
        when = {k: options[k] for k in ("as_of", "known_on", "register") if options[k] is not None}
        if when:
            found = history.snapshot(isin, **when)
        if found is None:
            asked = " and ".join(f"{k.replace('_', ' ')} {v}" for k, v in when.items())
            raise CommandError(f"{isin}: no listing {asked}.")
        shown = InstrumentDetailSerializer(found, context=today_of(when)).data
        if options["format"] == "json":
            output.print_json(self.stdout, shown)
            return
        said = {k: v for k, v in shown.items() if k not in ("listings", "classification")}
        rows = [{"field": name, "value": value} for name, value in flatten(said)]
        output.print_table(self.stdout, rows, title=isin)
        if found.classification:
            output.print_table(self.stdout, classification_rows(found.classification), title="CFI")
        columns = (
            "mic",
            "register",
            "venue_name",
            "status",
            "valid_from",
            "first_trade_at",
            "terminated_at",
            "source_file",
        )
        listings = [{name: row[name] for name in columns} for row in shown["listings"]]
        output.print_table(self.stdout, listings, title="Listings")

    def _reportable(self, options: dict[str, Any]) -> None:
        isin = _known(options).isin
        asked = {name: options[name] for name in ("on", "known_on", "register") if options[name]}
        found = ReportableSerializer(reportable_of(isin, asked)).data
        if options["format"] == "json":
            output.print_json(self.stdout, found)
        elif not found["reportable"]:
            self.stdout.write(f"{isin} was traded on no venue on {found['on']}.")
        else:
            output.print_table(self.stdout, found["venues"], title=f"{isin} on {found['on']}")

    def _history(self, isin: str, register: str, wanted: str) -> None:
        found = list(history.versions(isin, register=register))
        versions = VersionSerializer(found, many=True).data
        if wanted == "json":
            output.print_json(self.stdout, versions)
            return
        columns = (
            "mic",
            "register",
            "status",
            "valid_from",
            "valid_to",
            "published_on",
            "source_file",
        )
        rows = [
            {
                **{name: version[name] for name in columns},
                "changes": ", ".join(
                    f"{name}: {output.text(of['old'])} > {output.text(of['new'])}"
                    for name, of in version["changes"].items()
                ),
            }
            for version in versions
        ]
        output.print_table(self.stdout, rows, title=isin)


def _add_list(parser: CommandParser, filterset_class: Any) -> None:
    parser.add_argument(
        "--limit", type=filtering.positive_integer, default=20, help="rows at most (20)"
    )
    filtering.add_filter_options(parser, filterset_class)
    output.add_format(parser)


def _isin(text: str) -> str:
    isin = text.upper()
    if problem := problem_of(isin):
        raise CommandError(f"{isin}: {problem}.")
    return isin


def _known(options: dict[str, Any]) -> Instrument:
    isin = _isin(options["isin"])
    found = Instrument.objects.filter(pk=isin).first()
    if found is None:
        raise CommandError(f"No instrument with the ISIN {isin} is in the files loaded.")
    return found
