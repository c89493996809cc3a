"""manage.py files list|get|gaps|retry|release|keep|unkeep|delete|remove|replace|save"""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import trail
from esma_files import descriptions, file_requests, gaps, steps
from esma_files.datasets import Dataset
from esma_files.filters import EsmaFileFilterSet
from esma_files.models import EsmaFile, Run
from marketdata.common import command_options, named_files, output
from marketdata.common.errors import MarketDataError

_IN_TABLE = ("name", "dataset", "published_on", "state", "size", "tier", "kept", "problem")


class Command(BaseCommand):
    help = "List published files, report gaps, and retry, release, keep, delete, replace or save files."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        list_parser = actions.add_parser("list", help="list files, with the filters of the API")
        command_options.add_limit(list_parser, default=50)
        command_options.add_filter_options(list_parser, EsmaFileFilterSet)
        output.add_format(list_parser)
        get_parser = actions.add_parser("get", help="show a file and its last runs")
        get_parser.add_argument("names", nargs=1, metavar="NAME")
        _add_dataset(get_parser)
        output.add_format(get_parser)
        gaps_help = "report missing publications, and deltas that have to be fetched in time"
        output.add_format(actions.add_parser("gaps", help=gaps_help))
        for action, help_text in (
            ("retry", "retry failed files"),
            ("release", "let files through that the load gate holds"),
            ("keep", "exempt files from the retention policy"),
            ("unkeep", "no longer exempt files from the retention policy"),
            ("delete", "delete the bytes of the sets that the files belong to"),
            ("remove", "delete the bytes of single bad files, whatever their state"),
        ):
            parser_of_action = actions.add_parser(action, help=help_text)
            parser_of_action.add_argument("names", nargs="+", metavar="NAME")
            _add_dataset(parser_of_action)

        replace_parser = actions.add_parser(
            "replace", help="replace a bad file by another one, and an excerpt by another excerpt"
        )
        replace_parser.add_argument("names", nargs=1, metavar="NAME")
        replace_parser.add_argument("path", type=Path, help="the other file, of the same name")
        _add_dataset(replace_parser)
        save_parser = actions.add_parser("save", help="save the bytes of stored files in a folder")
        save_parser.add_argument("names", nargs="+", metavar="NAME")
        save_parser.add_argument("--folder", type=Path, default=Path(), help="default: this one")
        _add_dataset(save_parser)

    def handle(self, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options)
        elif options["action"] == "gaps":
            self._gaps(options)
        elif options["action"] == "get":
            self._get(options)
        elif options["action"] == "replace":
            act = functools.partial(_replace, path=options["path"])
            self._act(options["names"], options["dataset"], act)
        elif options["action"] == "save":
            act = functools.partial(_save, folder=options["folder"])
            self._act(options["names"], options["dataset"], act)
        else:
            self._act(options["names"], options["dataset"], _ACTIONS[options["action"]])

    def _list(self, options: dict[str, Any]) -> None:
        if options["state"] is not None:
            options["state"] = options["state"].split(",")
        files = EsmaFile.objects.order_by("-published_on", "name")
        matching = command_options.filter_queryset(EsmaFileFilterSet, options, files)
        output.print_rows(
            self.stdout,
            [descriptions.describe_file(file) for file in matching[: options["limit"]]],
            options["format"],
            columns=_IN_TABLE,
            numbers=["size"],
            if_empty="No file matches.",
        )

    def _get(self, options: dict[str, Any]) -> None:
        file = _file(options["names"][0], options["dataset"])
        details = descriptions.describe_file_details(file)
        if options["format"] == "json":
            output.print_json(self.stdout, details)
            return
        fields = {k: v for k, v in details.items() if k not in ("runs", "revisions")}
        output.print_table(self.stdout, [{"field": k, "value": v} for k, v in fields.items()])
        runs = [
            {k: r[k] for k in ("kind", "requested_at", "state", "read", "problem")}
            for r in details["runs"]
        ]
        if runs:
            output.print_table(self.stdout, runs, title="Runs", numbers=["read"])

    def _gaps(self, options: dict[str, Any]) -> None:
        missing = gaps.find()
        if options["format"] == "json":
            output.print_json(self.stdout, [descriptions.describe_gap(gap) for gap in missing])
            return
        for gap in missing:
            self.stdout.write(str(gap))
        if not missing:
            self.stdout.write("Nothing is missing between the first and the last known day.")

    def _act(self, names: list[str], dataset: str, act: Callable[[EsmaFile], str]) -> None:
        problems = []
        for name in names:
            try:
                self.stdout.write(f"{name}: {act(_file(name, dataset))}")
            except (CommandError, MarketDataError) as error:
                problems.append(str(error))
        if problems:
            raise CommandError("; ".join(problems))


def _add_dataset(parser: CommandParser) -> None:
    parser.add_argument(
        "--dataset",
        choices=Dataset.values,
        default="",
        help="dataset of the file: ESMA and the FCA use the same names (default: ESMA's)",
    )


def _file(name: str, dataset: str) -> EsmaFile:
    file = EsmaFile.objects.named(f"{name.removesuffix('.zip')}.zip", dataset=dataset).first()
    if file is None:
        of_dataset = f" of {dataset}" if dataset else ""
        raise CommandError(f"There is no file {name}{of_dataset}; sync_register lists new files.")
    return file


def _retry(file: EsmaFile) -> str:
    file_requests.put_back(file)
    file.refresh_from_db()
    return f"{file.state} again; run {'load' if file.has_content else 'download'} to continue"


def _release(file: EsmaFile) -> str:
    file_requests.let_through(file)
    return "released; run load to continue"


def _keep(file: EsmaFile) -> str:
    file_requests.keep(file, kept=True)
    return "kept"


def _unkeep(file: EsmaFile) -> str:
    file_requests.keep(file, kept=False)
    return "no longer kept"


def _delete(file: EsmaFile) -> str:
    trail.record("file.delete", about=file)
    run = steps.delete(file, run=Run.begin(Run.Kind.DELETE, file=file))
    return f"deleted {', '.join(run.report)}"


def _remove(file: EsmaFile) -> str:
    trail.record("file.remove", about=file, old={"state": file.state})
    run = Run.begin(Run.Kind.DELETE, file=file, arguments=steps.ALONE)
    steps.delete(file, run=run)
    return "removed"


def _replace(file: EsmaFile, *, path: Path) -> str:
    trail.record("file.replace", about=file, old={"state": file.state})
    newest = steps.replace(file, path, run=Run.begin(Run.Kind.DELETE, file=file))
    excerpt = ", an excerpt" if newest.is_excerpt else ""
    return f"replaced by revision {newest.revision}{excerpt}; run load to continue"


def _save(file: EsmaFile, *, folder: Path) -> str:
    if not file.has_content:
        raise CommandError(f"{file.name} is {file.state}: its bytes are not stored.")
    trail.record("file.content", about=file)
    target = folder / file.stored_name.rpartition("/")[2]
    try:
        with named_files.writing(target, may_replace=False) as copy, file.open() as source:
            shutil.copyfileobj(source, copy)
    except named_files.FileUnusable as error:
        raise CommandError(f"{file.name} cannot be saved. {error}") from error
    return f"saved as {target}"


_ACTIONS = {
    "retry": _retry,
    "release": _release,
    "keep": _keep,
    "unkeep": _unkeep,
    "delete": _delete,
    "remove": _remove,
}
