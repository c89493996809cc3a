"""manage.py users create|list|set-role|deactivate|activate"""

import getpass
import secrets
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import lifecycle
from accounts.api.serializers import UserSerializer
from accounts.errors import UnknownRole
from accounts.models import User
from marketdata.common import output

_COLUMNS = ("username", "email", "roles", "is_active", "last_login")


class Command(BaseCommand):
    help = "Make and list users, give them roles, switch their accounts off and on."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="create|list|set-role|deactivate|activate"
        )
        creating = actions.add_parser("create", help="make a user; the password is asked for")
        creating.add_argument("username")
        creating.add_argument("--role", nargs="+", default=["viewer"], help="viewer, if not given")
        creating.add_argument("--email", default="")
        creating.add_argument(
            "--random-password", action="store_true", help="make one up, and print it this once"
        )
        listing = actions.add_parser("list", help="all users")
        listing.add_argument("--role", help="only those with this role")
        output.add_format(listing)
        giving = actions.add_parser("set-role", help="give a user these roles, and no others")
        giving.add_argument("username")
        giving.add_argument("role", nargs="*", help="none takes all roles away")
        for name, said in (
            ("deactivate", "switch an account off: its sessions and tokens end"),
            ("activate", "switch an account on again"),
        ):
            actions.add_parser(name, help=said).add_argument("username")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action.replace('-', '_')}")(options)
        except UnknownRole as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _create(self, options: dict[str, Any]) -> None:
        password = secrets.token_urlsafe(12) if options["random_password"] else _asked_for()
        user = lifecycle.create(
            options["username"], password=password, roles=options["role"], email=options["email"]
        )
        self.stdout.write(f"Made the user {user.username}: {', '.join(user.roles)}.")
        if options["random_password"]:
            self.stdout.write(f"The password is {password} and is not shown again.")

    def _list(self, options: dict[str, Any]) -> None:
        found = User.objects.prefetch_related("groups").order_by("username")
        if options["role"]:
            found = found.filter(groups__name=options["role"])
        users = UserSerializer(found, many=True).data
        if options["format"] == "json":
            output.print_json(self.stdout, users)
        elif not users:
            self.stdout.write("No users.")
        else:
            rows = [{name: user[name] for name in _COLUMNS} for user in users]
            shown = [{**row, "roles": ", ".join(row["roles"])} for row in rows]
            output.print_table(self.stdout, shown)

    def _set_role(self, options: dict[str, Any]) -> None:
        user = _user(options["username"])
        lifecycle.set_roles(user, options["role"])
        said = ", ".join(user.roles) or "no role"
        self.stdout.write(f"{user.username} has: {said}.")

    def _deactivate(self, options: dict[str, Any]) -> None:
        lifecycle.set_active(_user(options["username"]), active=False)
        self.stdout.write(f"{options['username']} cannot sign in any more; all tokens have ended.")

    def _activate(self, options: dict[str, Any]) -> None:
        lifecycle.set_active(_user(options["username"]), active=True)
        self.stdout.write(f"{options['username']} can sign in.")


def _user(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise CommandError(f"There is no user {username}; `users list` shows those there are.")
    return found


def _asked_for() -> str:
    """From the terminal twice, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("These are two different passwords.")
    return password
