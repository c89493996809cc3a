"""manage.py changes"""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from instruments.listings import changes
from instruments.management.answering import AnsweringCommand
from marketdata.common import command_options, output
from marketdata.common.errors import InvalidQuery


class Command(AnsweringCommand):
    help = "Write the changes of listings, one JSON object per line, in the order in which they became known."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            metavar="CURSOR|TIME",
            help="the `cursor` of the last line that you have, or a time, as 2026-11-22T06:00Z"
            " (default: from the beginning)",
        )
        parser.add_argument(
            "--limit",
            type=command_options.positive_integer,
            help="maximum number of changes (default: all)",
        )
        parser.add_argument(
            "--expand", choices=["record"], help="add every published field of the listing"
        )

    def handle(self, **options: Any) -> None:
        encoder = DjangoJSONEncoder(ensure_ascii=False)
        items = changes.read_all(
            options["since"], limit=options["limit"], with_record=bool(options["expand"])
        )
        try:
            for change in items:
                self.stdout.write(output.escape_controls(encoder.encode(change)))
        except InvalidQuery as error:
            raise CommandError(f"--{error.parameter}: {error}") from error
