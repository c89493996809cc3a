"""manage.py sync_entities"""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from esma_files import downloading, steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from instruments import pipeline
from marketdata.common import output
from marketdata.common.errors import MarketDataError

_DATASETS = [dataset for dataset in Dataset if dataset.authority == "GLEIF"]


class Command(BaseCommand):
    help = (
        "List, fetch and load what GLEIF has published: the golden copies of each month, the deltas of each"
        " day, and the newest ISIN-LEI file. The schedule does the same for the datasets in REGISTERS."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dataset",
            action="append",
            choices=[dataset.value for dataset in _DATASETS],
            help="dataset of GLEIF; give the option again for another (default: all)",
        )
        parser.add_argument(
            "--since",
            type=dt.date.fromisoformat,
            help="first day, YYYY-MM-DD (default: 31 days ago, as long as GLEIF keeps deltas)",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
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


def _without_old_copies(files: list[EsmaFile]) -> list[EsmaFile]:
    """Leave out full files that a newer one in the list replaces, and deltas published before that."""
    newest = max((file for file in files if file.file_kind.is_full), key=_name, default=None)
    if newest is None:
        return files
    if newest.kind == "ISINLEI":
        return [newest]
    return [file for file in files if file.name >= newest.name[: len("YYYYMMDD-HHMM")]]


def _name(file: EsmaFile) -> str:
    return file.name
