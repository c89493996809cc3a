"""manage.py webhooks list|send"""

from typing import Any

from django.core.management.base import CommandParser

from instruments.management.answering import AnsweringCommand
from instruments.models import Webhook
from instruments.webhooks import keeping, sending
from marketdata.common import output

_COLUMNS = (
    *("owner", "number", "url", "filter", "is_active", "failures", "next_attempt_at", "problem"),
)


class Command(AnsweringCommand):
    help = "List the webhooks of all users, or send what is due now, as the schedule does every minute."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|send")
        listing = actions.add_parser("list", help="list the webhooks of all users")
        output.add_format(listing)
        actions.add_parser("send", help="send what is due now")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "send":
            self.stdout.write(f"Messages received: {sending.send_due():,}.")
            return
        webhooks = Webhook.objects.all()
        rows = [{"owner": webhook.owner, **keeping.describe(webhook)} for webhook in webhooks]
        output.print_rows(
            self.stdout,
            rows,
            options["format"],
            columns=_COLUMNS,
            if_empty="There are no webhooks.",
        )
