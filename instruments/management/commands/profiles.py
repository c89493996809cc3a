"""manage.py profiles list|get|save|delete"""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instruments.models import OutputProfile
from instruments.profiles import saving
from marketdata.common import named_files, output
from marketdata.common.errors import InvalidQuery, MarketDataError

_KEYS = {"title", "rows", "parent", "columns", "omitted"}


class Command(BaseCommand):
    help = "Save output profiles from JSON files, and show or delete them. See docs/exports.md."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="list|get|save|delete"
        )
        listing = actions.add_parser("list", help="list the newest version of each profile")
        output.add_format(listing)
        get = actions.add_parser("get", help="print a version as JSON")
        get.add_argument("name", help="name, as vendor or vendor@2")
        save = actions.add_parser("save", help="save a new version")
        save.add_argument("name", help="name, as vendor")
        save.add_argument(
            "path", type=Path, metavar="FILE", help="JSON with columns, and optionally parent, rows"
        )
        delete = actions.add_parser("delete", help="delete all versions of a profile")
        delete.add_argument("name", help="name, as vendor")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except InvalidQuery as error:
            raise CommandError(f"{error.parameter}: {error}") from error
        except MarketDataError as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        profiles = OutputProfile.objects.newest().order_by("name")
        rows = [
            {"profile": str(profile), "rows": profile.rows, "title": profile.title}
            for profile in profiles
        ]
        if_empty = "There are no output profiles."
        output.print_rows(self.stdout, rows, options["format"], if_empty=if_empty)

    def _get(self, options: dict[str, Any]) -> None:
        output.print_json(self.stdout, saving.describe(saving.get_profile(options["name"])))

    def _save(self, options: dict[str, Any]) -> None:
        path: Path = options["path"]
        try:
            values = json.loads(named_files.read_text(path))
        except ValueError as error:
            raise CommandError(f"{path} is not JSON: {error}") from error
        if not isinstance(values, dict) or not set(values) <= _KEYS:
            raise CommandError(f"{path}: give an object with {', '.join(sorted(_KEYS))}.")
        profile = saving.save(options["name"], values, by="", may_manage=True)
        self.stdout.write(f"{profile} is saved.")

    def _delete(self, options: dict[str, Any]) -> None:
        saving.delete(options["name"], by="", may_manage=True)
        self.stdout.write(f"{options['name']} is deleted.")
