"""manage.py cfi CODE"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from instruments.classification import cfi, descriptions
from instruments.listings.facts import classification_rows
from instruments.management.answering import AnsweringCommand
from marketdata.common import output
from marketdata.common.errors import InvalidQuery, NotInDatabase


class Command(AnsweringCommand):
    help = "Decode a CFI code (ISO 10962), or browse the table by the start or a pattern of codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "code",
            nargs="?",
            metavar="CODE",
            help="as ESVUFR, ES or 'ESV***'; none: the categories",
        )
        output.add_format(parser)

    def handle(self, **options: Any) -> None:
        as_json = options["format"] == "json"
        if options["code"] is None:
            categories = descriptions.describe_categories()
            if as_json:
                output.print_json(self.stdout, categories)
            else:
                self._table(
                    [
                        {"code": row["code"], "name": row["name"], "groups": len(row["groups"])}
                        for row in categories
                    ]
                )
            return
        try:
            pattern = descriptions.check_pattern(options["code"])
            part = descriptions.describe_pattern(pattern)
        except NotInDatabase as error:
            letters = ", ".join(f"{code} ({name})" for code, name in cfi.category_names().items())
            raise CommandError(f"{error} The categories are {letters}.") from None
        except InvalidQuery as error:
            raise CommandError(str(error)) from None
        if as_json:
            output.print_json(self.stdout, part)
        elif cfi.ANY in pattern:
            self._pattern(part)
        else:
            self._code(cfi.decode(pattern))

    def _code(self, decoded: cfi.Decoded) -> None:
        self._table(classification_rows(decoded), title=decoded.code)
        if decoded.edition not in (cfi.EDITION, None):
            self.stdout.write(f"A code of another edition: ISO 10962, {decoded.edition}.")
        for problem in decoded.problems:
            self.stdout.write(f"Not a valid code: {problem}.")

    def _pattern(self, part: dict[str, Any]) -> None:
        rows = [{"group": group["code"], "name": group["name"]} for group in part["groups"]]
        self._table(rows, title=f"{part['pattern']}: {part['valid_codes']:,} valid codes")
        for attribute in part["attributes"]:
            rows = [
                {"letter": letter, "meaning": meaning}
                for letter, meaning in attribute["values"].items()
            ]
            self._table(rows, title=f"Position {attribute['position']}: {attribute['name']}")
        codes = " ".join(part["codes_in_use"])
        self.stdout.write(f"In the files loaded: {codes or 'none'}")

    def _table(self, rows: list[dict[str, Any]], title: str = "") -> None:
        output.print_table(self.stdout, rows, title=title, numbers=["groups"])
