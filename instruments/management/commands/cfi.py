"""manage.py cfi CODE"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instruments.classification import cfi
from instruments.classification.api import CategorySerializer, CfiSerializer, place
from instruments.listings.facts import classification_rows
from marketdata.common import output


class Command(BaseCommand):
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
            categories = list(cfi.categories().values())
            if as_json:
                output.print_json(self.stdout, CategorySerializer(categories, many=True).data)
            else:
                self._table(
                    [{"code": c.code, "name": c.name, "groups": len(c.groups)} for c in categories]
                )
            return
        try:
            pattern = cfi.pattern_of(options["code"])
        except cfi.BadCfi as problem:
            raise CommandError(f"{problem}.") from None
        if as_json:
            output.print_json(self.stdout, CfiSerializer(place(pattern)).data)
        elif cfi.ANY in pattern:
            self._pattern(pattern)
        else:
            self._code(cfi.decode(pattern))

    def _code(self, decoded: cfi.Decoded) -> None:
        self._table(classification_rows(decoded), title=decoded.code)
        if decoded.edition not in (cfi.EDITION, None):
            self.stdout.write(f"A code of another edition: ISO 10962, {decoded.edition}.")
        for problem in decoded.problems:
            self.stdout.write(f"Not a valid code: {problem}.")

    def _pattern(self, pattern: str) -> None:
        fields = place(pattern)
        if not fields["groups"]:
            letters = ", ".join(f"{code} ({name})" for code, name in cfi.category_names().items())
            raise CommandError(f"No group matches {pattern}. The categories are {letters}.")
        rows = [{"group": group.code, "name": group.name} for group in fields["groups"]]
        self._table(rows, title=f"{pattern}: {fields['valid_codes']:,} valid codes")
        for attribute in fields["attributes"]:
            rows = [{"letter": x, "meaning": text} for x, text in attribute.values.items()]
            self._table(rows, title=f"Position {attribute.position}: {attribute.name}")
        used = " ".join(fields["codes_in_use"])
        self.stdout.write(f"In the files loaded: {used or 'none'}")

    def _table(self, rows: list[dict[str, Any]], title: str = "") -> None:
        output.print_table(self.stdout, rows, title=title, numbers=["groups"])
