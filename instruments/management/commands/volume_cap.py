"""manage.py volume_cap list|get"""

from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.exceptions import NotFound, ValidationError

from instruments.models import VolumeCap
from instruments.transparency.questions import period_text
from instruments.volume_cap.api import (
    InstrumentVolumeCapSerializer,
    VolumeCapFilterSet,
    VolumeCapSerializer,
    VolumeCapViewSet,
    volume_cap_of,
)
from marketdata.common import filtering, output


class Command(BaseCommand):
    help = "List volume cap results (DVCRES), or show those of one instrument with their venues."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
        listing = actions.add_parser("list", help="results, filtered as in the API")
        listing.add_argument(
            "--limit", type=filtering.at_least_one, default=20, help="rows at most (20)"
        )
        filtering.offer(listing, VolumeCapFilterSet)
        getting = actions.add_parser("get", help="one instrument")
        getting.add_argument("isin", metavar="ISIN")
        getting.add_argument("--above", help="only venues above it, as 4")
        for parser_ in (listing, getting):
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        {"list": self._list, "get": self._get}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        matching = filtering.filtered(VolumeCapFilterSet, options, VolumeCapViewSet.queryset.all())
        found = list(matching[: options["limit"]])
        if options["format"] == "json":
            output.print_json(self.stdout, VolumeCapSerializer(found, many=True).data)
        elif not found:
            self.stdout.write("No result matches.")
        else:
            rows = [{**_row(result), "venues": len(result.venues.all())} for result in found]
            output.print_table(self.stdout, rows)

    def _get(self, options: dict[str, Any]) -> None:
        asked = {} if options["above"] is None else {"above": options["above"]}
        try:
            found = volume_cap_of(options["isin"], asked)
        except ValidationError as error:
            texts: Any = error.detail
            raise CommandError("; ".join(f"{k}: {' '.join(v)}" for k, v in texts.items())) from None
        except NotFound as error:
            raise CommandError(str(error.detail)) from None
        if options["format"] == "json":
            output.print_json(self.stdout, InstrumentVolumeCapSerializer(found).data)
            return
        if not found["results"]:
            self.stdout.write(f"No volume cap result of {found['isin']} has been published.")
        for result in found["results"]:
            output.print_table(self.stdout, [_row(result)])
            venues = [
                {"venue": v.mic, "% under waivers": _said(v.percentage), "disclaimer": v.disclaimer}
                for v in result.venues.all()
            ]
            if venues:
                output.print_table(self.stdout, venues)
            else:
                self.stdout.write("No venue above it." if asked else "No venue.")


def _row(result: VolumeCap) -> dict[str, Any]:
    volume = f"{_said(result.total_volume)} {result.total_volume_currency or ''}"
    return {
        "isin": result.isin,
        "reporting period": period_text(*result.reporting_period),
        "% under waivers": _said(result.percentage),
        "total volume": volume.strip(),
        "last updated": result.last_updated_on,
        "disclaimer": result.disclaimer,
        "source file": result.source_file.name,
    }


def _said(number: Decimal | None) -> str:
    return "" if number is None else f"{number:f}"
