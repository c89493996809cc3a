"""manage.py runs list|get"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from esma_files import queue
from esma_files.descriptions import describe_runs
from esma_files.filters import RunFilterSet
from esma_files.models import Run
from marketdata.common import command_options, output

_COLUMNS = ("id", "kind", "file", "requested_at", "requested_by", "state", "problem")


class Command(BaseCommand):
    help = "List the syncs, downloads, loads, deletions and clean-ups, and why one is waiting."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        list_parser = actions.add_parser("list", help="runs, newest first, filtered as in the API")
        command_options.add_limit(list_parser, default=20)
        command_options.add_filter_options(list_parser, RunFilterSet)
        output.add_format(list_parser)
        get_parser = actions.add_parser("get", help="all fields of a run")
        get_parser.add_argument("id", type=int)
        output.add_format(get_parser)

    def handle(self, **options: Any) -> None:
        if options["action"] == "get":
            self._get(options)
        else:
            self._list(options)

    def _list(self, options: dict[str, Any]) -> None:
        if options["state"] is not None:
            options["state"] = options["state"].split(",")
        runs = Run.objects.select_related("file")
        selected = command_options.filter_queryset(RunFilterSet, options, runs)[: options["limit"]]
        rows = describe_runs(selected)
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
            return
        if rows:
            texts = [{**row, "problem": row["problem"] or row["obstacle"]} for row in rows]
            output.print_table(
                self.stdout, [{name: row[name] for name in _COLUMNS} for row in texts]
            )
        else:
            self.stdout.write("No run matches.")
        if Run.objects.filter(state=Run.State.QUEUED).exists() and not queue.has_worker():
            self.stderr.write(self.style.WARNING(queue.NO_WORKER))

    def _get(self, options: dict[str, Any]) -> None:
        run = Run.objects.select_related("file").filter(pk=options["id"]).first()
        if run is None:
            raise CommandError(f"There is no run {options['id']}.")
        [fields] = describe_runs([run])
        if options["format"] == "json":
            output.print_json(self.stdout, fields)
        else:
            rows = [{"field": name, "value": value} for name, value in fields.items()]
            output.print_table(self.stdout, rows)
