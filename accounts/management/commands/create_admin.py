"""manage.py create_admin"""

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from audit import trail


class Command(BaseCommand):
    help = (
        "Create a superuser with a random password, which is printed once."
        " Does nothing if the user exists."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin", help="User name (default: admin).")

    def handle(self, *, username: str, **options: Any) -> None:
        if User.objects.filter(username=username).exists():
            self.stdout.write(f"The user {username} already exists; the password is unchanged.")
            return
        password = secrets.token_urlsafe(12)
        user = User(username=username, is_staff=True, is_superuser=True)
        user.set_password(password)
        try:
            user.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user.save()
        trail.record("user.created", about=user, new={"is_superuser": True})
        self.stdout.write(f"Created the user {username} with the password {password}")
        self.stdout.write("Store the password: it is not shown again.")
