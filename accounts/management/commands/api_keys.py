"""manage.py api_keys create|list|revoke"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import api_keys
from accounts.descriptions import describe_api_key
from accounts.errors import ApiKeyLimitReached, ScopeTooWide
from accounts.models import ApiKey, User
from marketdata.common import output


class Command(BaseCommand):
    help = "Create, list and revoke API keys."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
        create = actions.add_parser("create", help="Create an API key and print it once.")
        create.add_argument("owner", metavar="USERNAME", help="User name of the owner.")
        create.add_argument("name", help="Purpose of the key.")
        scope = create.add_mutually_exclusive_group(required=True)
        scope.add_argument(
            "--permission",
            nargs="+",
            metavar="PERMISSION",
            help="Permissions of the key, as in instruments.view_instrument.",
        )
        scope.add_argument(
            "--all-permissions",
            action="store_true",
            help="All permissions that the owner may give to a key now.",
        )
        create.add_argument(
            "--days", type=int, default=90, help="Days until the key expires (default: 90)."
        )
        list_ = actions.add_parser("list", help="List API keys, without their texts.")
        list_.add_argument("--owner", metavar="USERNAME", help="Only keys of this user.")
        output.add_format(list_)
        revoke = actions.add_parser("revoke", help="Revoke an API key for good.")
        revoke.add_argument("prefix", help="Prefix of the key, as `api_keys list` shows it.")

    def handle(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["owner"], is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {options['owner']}.")
        if options["days"] < 1:
            raise CommandError("--days must be 1 or more.")
        permissions = options["permission"] or api_keys.grantable_permissions(owner)
        if not permissions:
            raise CommandError(f"{owner.username} has no permission that a key may have.")
        try:
            api_key, text = api_keys.create(
                owner, name=options["name"], permissions=permissions, days=options["days"]
            )
        except ApiKeyLimitReached as error:
            raise CommandError(str(error)) from error
        except ScopeTooWide as error:
            names = ", ".join(api_keys.grantable_permissions(owner)) or "none"
            raise CommandError(f"{error} Possible permissions: {names}.") from error
        self.stdout.write(text)
        self.stderr.write(
            f"Valid until {api_key.expires_at:%Y-%m-%d}. Store the key: it is not shown again."
        )

    def _list(self, options: dict[str, Any]) -> None:
        keys = ApiKey.objects.select_related("owner")
        keys = keys.prefetch_related("permissions__content_type")
        if options["owner"]:
            keys = keys.filter(owner__username=options["owner"])
        output.print_rows(
            self.stdout,
            [describe_api_key(api_key) for api_key in keys],
            options["format"],
            columns=("prefix", "name", "owner", "state", "expires_at", "last_used_at"),
            if_empty="No API keys.",
        )

    def _revoke(self, options: dict[str, Any]) -> None:
        api_key = ApiKey.objects.select_related("owner").filter(prefix=options["prefix"]).first()
        if api_key is None:
            raise CommandError(f"There is no API key with the prefix {options['prefix']}.")
        api_keys.revoke(api_key)
        self.stdout.write(f"Revoked {api_key}.")
