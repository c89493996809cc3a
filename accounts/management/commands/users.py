"""manage.py users create|list|set-role|deactivate|activate|unlock"""

import getpass
import secrets
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import lockout, users
from accounts.descriptions import describe_user
from accounts.errors import UnknownRole
from accounts.models import User
from marketdata.common import output

_COLUMNS = ("username", "email", "roles", "is_active", "last_login")


class Command(BaseCommand):
    help = "Create and list users, assign roles, and activate, deactivate or unlock accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="create|list|set-role|deactivate|activate|unlock"
        )
        create = actions.add_parser("create", help="Create a user; asks for the password.")
        create.add_argument("username")
        create.add_argument(
            "--role", nargs="+", default=["viewer"], help="Names of roles (default: viewer)."
        )
        create.add_argument("--email", default="", help="E-mail address.")
        create.add_argument(
            "--random-password", action="store_true", help="Choose a password and print it once."
        )
        list_ = actions.add_parser("list", help="List users.")
        list_.add_argument("--role", help="Only users with this role.")
        output.add_format(list_)
        set_role = actions.add_parser("set-role", help="Replace the roles of a user.")
        set_role.add_argument("username")
        set_role.add_argument("role", nargs="*", help="Names of roles; none removes all roles.")
        deactivate = actions.add_parser(
            "deactivate", help="Deactivate an account, which ends its sessions and tokens."
        )
        deactivate.add_argument("username")
        activate = actions.add_parser("activate", help="Activate an account again.")
        activate.add_argument("username")
        unlock = actions.add_parser(
            "unlock", help="End the lock-outs of a user name after wrong passwords."
        )
        unlock.add_argument("username")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action.replace('-', '_')}")(options)
        except UnknownRole as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _create(self, options: dict[str, Any]) -> None:
        password = secrets.token_urlsafe(12) if options["random_password"] else _read_password()
        user = users.create(
            options["username"], password=password, roles=options["role"], email=options["email"]
        )
        self.stdout.write(f"Created the user {user.username} with: {', '.join(user.roles)}.")
        if options["random_password"]:
            self.stdout.write(f"The password is {password} and is not shown again.")

    def _list(self, options: dict[str, Any]) -> None:
        matching = User.objects.prefetch_related("groups").order_by("username")
        if options["role"]:
            matching = matching.filter(groups__name=options["role"])
        rows = [describe_user(user) for user in matching]
        if options["format"] == "json":
            output.print_json(self.stdout, rows)
        elif not rows:
            self.stdout.write("No users.")
        else:
            for row in rows:
                rights = ["superuser"] * row["is_superuser"] + row["roles"]
                row["roles"] = ", ".join(rights)
            cells = [{name: row[name] for name in _COLUMNS} for row in rows]
            output.print_table(self.stdout, cells)

    def _set_role(self, options: dict[str, Any]) -> None:
        user = _get_user(options["username"])
        users.set_roles(user, options["role"])
        roles = ", ".join(user.roles) or "none"
        self.stdout.write(f"Roles of {user.username}: {roles}.")

    def _deactivate(self, options: dict[str, Any]) -> None:
        user = _get_user(options["username"])
        users.set_active(user, active=False)
        self.stdout.write(f"Deactivated {user.username}; all sessions and tokens have ended.")

    def _activate(self, options: dict[str, Any]) -> None:
        user = _get_user(options["username"])
        users.set_active(user, active=True)
        self.stdout.write(f"Activated {user.username}.")

    def _unlock(self, options: dict[str, Any]) -> None:
        count = lockout.unlock_name(options["username"])
        self.stdout.write(f"Networks unlocked for {options['username']}: {count}.")


def _get_user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username}. `users list` shows all users.")
    return user


def _read_password() -> str:
    """Ask for a password twice at the terminal, or read it from the first line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Repeat the password: ") != password:
        raise CommandError("The two passwords differ.")
    return password
