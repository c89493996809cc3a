"""manage.py rejects list|get"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from esma_files.descriptions import describe_reject
from esma_files.filters import RejectedRecordFilterSet
from esma_files.models import RejectedRecord
from marketdata.common import command_options, output

_IN_TABLE = ("id", "file", "position", "isin", "mic", "field", "value", "reason")
_VALUE_LENGTH = 60  # characters of a value in the table


class Command(BaseCommand):
    help = "List the records that were rejected while files were loaded, or show one as it was published."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        list_parser = actions.add_parser(
            "list", help="list invalid values, the newest first, with the filters of the API"
        )
        command_options.add_limit(list_parser, default=50)
        command_options.add_filter_options(list_parser, RejectedRecordFilterSet)
        output.add_format(list_parser)
        get_parser = actions.add_parser("get", help="show a rejected record")
        get_parser.add_argument("id", type=command_options.positive_integer, metavar="ID")
        output.add_format(get_parser)

    def handle(self, **options: Any) -> None:
        records = RejectedRecord.objects.select_related("file").order_by("-pk")
        if options["action"] == "list":
            self._list(options, records)
            return
        record = records.filter(pk=options["id"]).first()
        if record is None:
            raise CommandError(f"There is no rejected record {options['id']}.")
        details = describe_reject(record)
        if options["format"] == "json":
            output.print_json(self.stdout, details)
            return
        fields = {**{name: details[name] for name in _IN_TABLE}, **details["record"]}
        output.print_table(self.stdout, [{"field": k, "value": v} for k, v in fields.items()])

    def _list(self, options: dict[str, Any], records: Any) -> None:
        matching = command_options.filter_queryset(RejectedRecordFilterSet, options, records)
        rows = [describe_reject(record) for record in matching[: options["limit"]]]
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif rows:
            table = [{name: row[name] for name in _IN_TABLE} for row in rows]
            for row in table:
                if len(row["value"]) > _VALUE_LENGTH:
                    row["value"] = f"{row['value'][:_VALUE_LENGTH]}…"
            output.print_table(self.stdout, table, numbers=["id", "position"])
        else:
            self.stdout.write("No rejected record matches.")
