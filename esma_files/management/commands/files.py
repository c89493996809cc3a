"""manage.py files list|get|gaps|retry|keep|delete"""

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from esma_files import gaps, steps
from esma_files.api.filters import EsmaFileFilterSet
from esma_files.api.serializers import (
    EsmaFileDetailSerializer,
    EsmaFileSerializer,
    GapSerializer,
)
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from marketdata.common import filtering, output
from marketdata.common.errors import MarketDataError

_IN_TABLE = ("name", "dataset", "published_on", "state", "size", "tier", "kept", "problem")


class Command(BaseCommand):
    help = "The files that the registers have published: list, look at, retry, keep, delete."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = actions.add_parser("list", help="files, filtered as in the API")
        listing.add_argument(
            "--limit", type=filtering.positive_integer, default=50, help="rows at most (50)"
        )
        filtering.add_filter_options(listing, EsmaFileFilterSet)
        output.add_format(listing)
        getting = actions.add_parser("get", help="one file, with its last runs")
        getting.add_argument("names", nargs=1, metavar="NAME")
        _add_source(getting)
        output.add_format(getting)
        output.add_format(actions.add_parser("gaps", help="what should be there, and is not"))
        for action, said in (
            ("retry", "try failed files again"),
            ("keep", "exempt files from the retention policy"),
            ("unkeep", "take that back"),
            ("delete", "delete the bytes of the sets that the files belong to"),
        ):
            acting = actions.add_parser(action, help=said)
            acting.add_argument("names", nargs="+", metavar="NAME")
            _add_source(acting)

    def handle(self, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options)
        elif options["action"] == "gaps":
            self._gaps(options)
        elif options["action"] == "get":
            self._get(options)
        else:
            self._act(options["names"], options["dataset"], _ACTIONS[options["action"]])

    def _list(self, options: dict[str, Any]) -> None:
        if options["state"] is not None:
            options["state"] = options["state"].split(",")
        files = EsmaFile.objects.order_by("-published_on", "name")
        matching = filtering.filter_queryset(EsmaFileFilterSet, options, files)
        found = EsmaFileSerializer(matching[: options["limit"]], many=True).data
        if options["format"] == "json":
            output.print_json(self.stdout, found)
        elif found:
            rows = [{name: row[name] for name in _IN_TABLE} for row in found]
            output.print_table(self.stdout, rows, numbers=["size"])
        else:
            self.stdout.write("No file matches.")

    def _get(self, options: dict[str, Any]) -> None:
        shown = EsmaFileDetailSerializer(_file(options["names"][0], options["dataset"])).data
        if options["format"] == "json":
            output.print_json(self.stdout, shown)
            return
        facts = {k: v for k, v in shown.items() if k not in ("runs", "revisions")}
        output.print_table(self.stdout, [{"what": k, "value": v} for k, v in facts.items()])
        runs = [
            {k: r[k] for k in ("kind", "requested_at", "state", "read", "problem")}
            for r in shown["runs"]
        ]
        if runs:
            output.print_table(self.stdout, runs, title="Runs", numbers=["read"])

    def _gaps(self, options: dict[str, Any]) -> None:
        found = gaps.find()
        if options["format"] == "json":
            output.print_json(self.stdout, GapSerializer(found, many=True).data)
        for gap in found if options["format"] == "table" else ():
            self.stdout.write(str(gap))
        if options["format"] == "table" and not found:
            self.stdout.write("Nothing is missing between the first and the last day known.")

    def _act(self, names: list[str], dataset: str, act: Callable[[EsmaFile], str]) -> None:
        problems = []
        for name in names:
            try:
                self.stdout.write(f"{name}: {act(_file(name, dataset))}")
            except (CommandError, MarketDataError) as error:
                problems.append(str(error))
        if problems:
            raise CommandError("; ".join(problems))


def _add_source(parser: CommandParser) -> None:
    parser.add_argument(
        "--dataset",
        choices=Dataset.values,
        default="",
        help="whose file it is: ESMA's and the FCA's have the same names (ESMA's)",
    )


def _file(name: str, dataset: str) -> EsmaFile:
    found = EsmaFile.objects.named(f"{name.removesuffix('.zip')}.zip", dataset=dataset).first()
    if found is None:
        whose = f" of {dataset}" if dataset else ""
        raise CommandError(
            f"No file named {name}{whose} is known; sync_register lists what there is."
        )
    return found


def _retry(file: EsmaFile) -> str:
    if not EsmaFile.objects.filter(pk=file.pk).retry():
        raise CommandError(f"{file.name} is {file.state}, and only what has failed is tried again.")
    file.refresh_from_db()
    return f"{file.state} again; {'load' if file.has_content else 'download'} goes on with it"


def _keep(file: EsmaFile) -> str:
    steps.keep(file, kept=True)
    return "kept"


def _unkeep(file: EsmaFile) -> str:
    steps.keep(file, kept=False)
    return "no longer kept"


def _delete(file: EsmaFile) -> str:
    run = steps.delete(file, run=Run.begin(Run.Kind.DELETE, file=file))
    return f"deleted {', '.join(run.report)}"


_ACTIONS = {"retry": _retry, "keep": _keep, "unkeep": _unkeep, "delete": _delete}
