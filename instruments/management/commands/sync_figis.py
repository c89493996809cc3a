"""manage.py sync_figis"""

import dataclasses
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from instruments.figis import syncing
from instruments.listings.lookup import resolve_isins
from instruments.models import FigiRequest
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError
from marketdata.common.progress import progress_bars

_COUNTS = [f.name for f in dataclasses.fields(syncing.SyncCounts) if f.name != "problems"]


class Command(RecordedCommand):
    help = (
        "Ask OpenFIGI for the FIGIs of instruments: those whose request is due, those that were never asked"
        " for, or the ones named. May be interrupted at any time; what was answered is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "isins",
            metavar="ISIN",
            nargs="*",
            help="ask for these, due or not; a FIGI or ticker stands for its instrument",
        )
        parser.add_argument(
            "--mic",
            type=str.upper,
            default="",
            help="ask for the FIGIs on this venue; only with ISINs",
        )
        parser.add_argument(
            "--missing", action="store_true", help="also ask for instruments never asked for"
        )
        parser.add_argument(
            "--limit",
            type=command_options.positive_integer,
            help="greatest number of ISINs to ask for (default: 1,000 with --missing, else all due)",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        isins, limit = _resolve(options["isins"]) or None, options["limit"]
        if options["mic"] and not isins:
            raise CommandError("--mic needs the ISINs to ask for.")
        if isins and options["missing"]:
            raise CommandError("--missing adds instruments by itself; do not name ISINs with it.")
        if isins:
            FigiRequest.objects.add(isins, mic=options["mic"], again=True)
        if options["missing"]:
            limit = limit or 1_000
            syncing.add_missing(limit)
        try:
            counts = self._sync(limit, isins, options["mic"])
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            output.print_json(self.stdout, dataclasses.asdict(counts))
            return
        output.print_table(
            self.stdout, [{name: getattr(counts, name) for name in _COUNTS}], numbers=_COUNTS
        )
        for problem in counts.problems:
            self.stderr.write(problem)

    def _sync(self, limit: int | None, isins: list[str] | None, mic: str) -> syncing.SyncCounts:
        total = len(isins) if isins else FigiRequest.objects.due().filter(mic="").count()
        total = min(total, limit or total)
        with progress_bars() as bars:
            bar = bars.add_task("FIGIs", total=total or None, amount="")

            def show(counts: syncing.SyncCounts) -> None:
                bars.update(bar, completed=counts.asked, amount=f"{counts.asked:,} ISINs")

            return syncing.sync(limit=limit, isins=isins, mic=mic, progress=show)


def _resolve(codes: list[str]) -> list[str]:
    try:
        return resolve_isins(codes)
    except MarketDataError as error:
        raise CommandError(str(error)) from None
