"""manage.py clean_files"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.commands import RecordedCommand
from esma_files import retention, steps
from marketdata.common import output
from marketdata.common.numbers import format_count


class Command(RecordedCommand):
    help = "Carry out the retention policy: cheaper tiers, compression, deletion of old files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="only print the actions, with reasons"
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="with --dry-run: print also the files that are left as they are",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        if options["dry_run"]:
            self._print_plan(options)
            return
        run = steps.clean_up()
        if options["format"] == "json":
            counts = {
                "deleted": run.ended,
                "changed": run.changed,
                "unchanged": run.unchanged,
                "not_done": run.rejected,
            }
            output.print_json(self.stdout, {**counts, "report": run.report})
        else:
            for line in run.report:
                self.stdout.write(line)
            self.stdout.write(
                f"{run.ended} deleted, {run.changed} moved or compressed, {run.unchanged} left as they are."
            )
        if run.rejected:
            raise CommandError(
                f"{format_count(run.rejected, 'action')} could not be carried out; see above."
            )

    def _print_plan(self, options: dict[str, Any]) -> None:
        plan = retention.plan()
        rows = [
            {"file": a.file.name, "action": a.verb, "bytes": a.file.size, "reason": a.reason}
            for a in plan
            if options["all"] or a.verb != "leave"
        ]
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
            return
        if rows:
            output.print_table(self.stdout, rows, numbers=["bytes"])
        freed = sum(a.file.size for a in plan if a.verb == "delete")
        left = sum(a.verb == "leave" for a in plan)
        self.stdout.write(
            f"{freed:,} bytes would be freed; {format_count(left, 'file')} would be left unchanged."
        )
