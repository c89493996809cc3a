"""manage.py api_keys create|list|revoke"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import keys
from accounts.api.serializers import ApiKeySerializer
from accounts.errors import ScopeTooWide
from accounts.models import ApiKey, User
from marketdata.common import output


class Command(BaseCommand):
    help = "Make, list and revoke API keys for machines."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
        creating = actions.add_parser("create", help="make a key; it is printed this once")
        creating.add_argument("owner", metavar="USERNAME")
        creating.add_argument("name", help="what the key is for")
        creating.add_argument(
            "--permission", nargs="+", required=True, help="as in instruments.view_instrument"
        )
        creating.add_argument("--days", type=int, default=90, help="how long it is good (90)")
        listing = actions.add_parser("list", help="all keys, without what would let one use them")
        listing.add_argument("--owner", metavar="USERNAME")
        output.add_format(listing)
        revoking = actions.add_parser("revoke", help="end a key for good")
        revoking.add_argument("prefix", help="as `api_keys list` shows it")

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["owner"], is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {options['owner']}.")
        if options["days"] < 1:
            raise CommandError("--days must be 1 or more.")
        try:
            key, text = keys.create(
                owner, name=options["name"], permissions=options["permission"], days=options["days"]
            )
        except ScopeTooWide as error:
            able = ", ".join(keys.grantable(owner)) or "nothing"
            raise CommandError(f"{error} {owner.username} can give a key: {able}.") from error
        self.stdout.write(text)
        self.stderr.write(f"Good until {key.expires_at:%Y-%m-%d}. Keep it: it is not shown again.")

    def _list(self, options: dict[str, Any]) -> None:
        found = ApiKey.objects.select_related("owner")
        found = found.prefetch_related("permissions__content_type")
        if options["owner"]:
            found = found.filter(owner__username=options["owner"])
        shown = ApiKeySerializer(found, many=True).data
        if options["format"] == "json":
            output.print_json(self.stdout, shown)
        elif not shown:
            self.stdout.write("No keys.")
        else:
            columns = ("prefix", "name", "owner", "state", "expires_at", "last_used_at")
            output.print_table(
                self.stdout, [{name: row[name] for name in columns} for row in shown]
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        key = ApiKey.objects.select_related("owner").filter(prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"There is no key md_{options['prefix']}_...")
        keys.revoke(key)
        self.stdout.write(f"Revoked {key}.")
