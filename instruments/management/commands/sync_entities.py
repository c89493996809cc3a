"""manage.py sync_entities"""

import argparse
import dataclasses
import datetime as dt
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from esma_files import downloading, steps
from esma_files.datasets import MAPPINGS, Dataset
from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.entities import syncing
from instruments.entities.questions import check_lei
from instruments.models import EntityRequest
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError
from marketdata.common.progress import progress_bars

_DATASETS = [dataset for dataset in Dataset if dataset.authority == "GLEIF"]
_COUNTS = [f.name for f in dataclasses.fields(syncing.SyncCounts) if f.name != "problems"]


class Command(RecordedCommand):
    help = (
        "List, fetch and load what GLEIF has published: the golden copies of each month, the deltas of each"
        " day, and the newest ISIN-LEI and BIC-LEI files. The schedule does the same for the datasets in"
        " REGISTERS. With LEIs, --missing or --due, GLEIF's API is asked for records and relationships"
        " instead, as the enrichment of each night does while no golden copy is loaded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "leis", metavar="LEI", nargs="*", type=_lei, help="ask the API for these, due or not"
        )
        parser.add_argument(
            "--missing",
            action="store_true",
            help="ask the API for the issuers of instruments that have no record, unless a golden copy is"
            " loaded, and for those that are due",
        )
        parser.add_argument(
            "--due", action="store_true", help="ask the API for LEIs whose request is due"
        )
        parser.add_argument(
            "--limit",
            type=command_options.positive_integer,
            help="greatest number of LEIs to ask the API for (1,000 with --missing, else all)",
        )
        parser.add_argument(
            "--dataset",
            action="append",
            choices=[dataset.value for dataset in _DATASETS],
            help="dataset of GLEIF; give the option again for another (default: all)",
        )
        parser.add_argument(
            "--since",
            type=command_options.day,
            help="first day, YYYY-MM-DD (default: 31 days ago, as long as GLEIF keeps deltas)",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        if options["leis"] or options["missing"] or options["due"]:
            self._ask_api(options)
        elif options["limit"]:
            raise CommandError("--limit needs --missing, --due or LEIs.")
        else:
            self._sync_files(options)

    def _ask_api(self, options: dict[str, Any]) -> None:
        leis, limit = options["leis"] or None, options["limit"]
        if options["dataset"] or options["since"]:
            raise CommandError("--dataset and --since are for files; the API is asked for LEIs.")
        if leis and (options["missing"] or options["due"]):
            raise CommandError("--missing and --due select LEIs; do not name any with them.")
        if leis:
            EntityRequest.objects.add(leis, again=True)
        if options["missing"]:
            limit = limit or 1_000
            syncing.add_missing(limit)
        try:
            counts = self._sync_leis(limit, leis)
        except MarketDataError as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            output.print_json(self.stdout, dataclasses.asdict(counts))
            return
        row = {name: getattr(counts, name) for name in _COUNTS}
        output.print_table(self.stdout, [row], numbers=_COUNTS)
        for problem in counts.problems:
            self.stderr.write(problem)

    def _sync_leis(self, limit: int | None, leis: list[str] | None) -> syncing.SyncCounts:
        due = EntityRequest.objects.due().filter(subject=EntityRequest.Subject.RECORD)
        total = len(leis) if leis else due.count()
        total = min(total, limit or total)
        with progress_bars() as bars:
            bar = bars.add_task("Entities", total=total or None, amount="")

            def show(counts: syncing.SyncCounts) -> None:
                amount = f"{counts.asked:,} LEIs, relationships of {counts.groups:,}"
                bars.update(bar, completed=counts.asked, amount=amount)

            return syncing.sync(limit=limit, leis=leis, progress=show)

    def _sync_files(self, options: dict[str, Any]) -> None:
        today = dt.datetime.now(tz=dt.UTC).date()
        since = options["since"] or today - dt.timedelta(days=31)
        rows: list[dict[str, Any]] = []
        problems: list[str] = []
        for dataset in options["dataset"] or _DATASETS:
            try:
                steps.sync(dataset, since=since, until=today)
            except MarketDataError as error:
                problems.append(f"{dataset}: {error}")
                continue
            self._fetch_and_load(dataset, rows, problems)
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif rows:
            output.print_table(self.stdout, rows, numbers=["read", "new", "changed", "rejected"])
        elif not problems:
            self.stdout.write("Everything that GLEIF lists is loaded.")
        if problems:
            raise CommandError("; ".join(problems))

    def _fetch_and_load(
        self, dataset: str, rows: list[dict[str, Any]], problems: list[str]
    ) -> None:
        """Fetch and load the files of a dataset, oldest first; add a row for each that is loaded."""
        files = EsmaFile.objects.filter(dataset=dataset)
        listed = _without_old_copies(list(files.due(EsmaFile.State.LISTED)))
        for fetched in downloading.download(listed):
            problems += [str(fetched.error)] if fetched.error else []
        for loaded in pipeline.load(list(files.waiting()), again=False):
            if loaded.error:
                problems.append(str(loaded.error))
            elif run := loaded.run:
                counts = {name: getattr(run, name) for name in ("read", "new", "changed")}
                rows.append({"file": loaded.file.name, **counts, "rejected": run.rejected})


def _lei(text: str) -> str:
    try:
        return check_lei(text)
    except MarketDataError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _without_old_copies(files: list[EsmaFile]) -> list[EsmaFile]:
    """Leave out full files that a newer one in the list replaces, and deltas published before that."""
    newest = max((file for file in files if file.file_kind.is_full), key=_name, default=None)
    if newest is None:
        return files
    if newest.dataset in MAPPINGS:
        return [newest]
    return [file for file in files if file.name >= newest.name[: len("YYYYMMDD-HHMM")]]


def _name(file: EsmaFile) -> str:
    return file.name
