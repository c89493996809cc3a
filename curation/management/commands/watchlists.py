"""manage.py watchlists list|changes|mail"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from curation import watching
from curation.models import WatchList
from instruments.management.answering import AnsweringCommand
from marketdata.common import output


class Command(AnsweringCommand):
    help = "List watch lists, show what changed in one, and mail the changes to their owners."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|changes|mail")
        listing = actions.add_parser("list", help="list the watch lists of all users")
        changes = actions.add_parser("changes", help="show what changed since its owner looked")
        changes.add_argument("number", type=int)
        for parser_of_action in (listing, changes):
            output.add_format(parser_of_action)
        actions.add_parser(
            "mail", help="mail the changes, as the schedule does by night at 06:45 UTC"
        )

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        rows = [
            {"owner": row.owner, **watching.describe_list(row)} for row in WatchList.objects.all()
        ]
        if options["format"] == "table":
            rows = [{**row, "isins": len(row["isins"])} for row in rows]
        if_empty = "There is no watch list."
        output.print_rows(self.stdout, rows, options["format"], if_empty=if_empty)

    def _changes(self, options: dict[str, Any]) -> None:
        watch_list = WatchList.objects.filter(pk=options["number"]).first()
        if watch_list is None:
            raise CommandError(
                f"There is no watch list {options['number']}. `watchlists list` shows their numbers."
            )
        read = watching.read_changes(watch_list)
        if options["format"] == "table" and read.listings:
            self.stdout.write(output.escape_controls(watching.format_mail(watch_list, read)))
        else:
            if_empty = "Nothing has changed."
            output.print_rows(self.stdout, read.listings, options["format"], if_empty=if_empty)

    def _mail(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"Mails sent: {watching.send_mails():,}")
