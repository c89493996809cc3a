"""manage.py entities list|get"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instruments.entities.api.serializers import EntityDetailSerializer, EntitySerializer
from instruments.entities.filters import LegalEntityFilterSet
from instruments.entities.questions import get_entity, read_successors
from instruments.models import LegalEntity
from marketdata.common import filtering, output
from marketdata.common.errors import MarketDataError


class Command(BaseCommand):
    help = "List, search and show the legal entities of GLEIF's level 1 files."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|get")
        listing = actions.add_parser("list", help="entities, filtered as in the API")
        listing.add_argument(
            "--limit", type=filtering.positive_integer, default=20, help="rows at most (20)"
        )
        filtering.add_filter_options(listing, LegalEntityFilterSet)
        getting = actions.add_parser("get", help="one entity with its names and its successors")
        getting.add_argument("lei", metavar="LEI")
        for parser_ in (listing, getting):
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        actions = {"list": self._list, "get": self._get}
        try:
            actions[options["action"]](options)
        except MarketDataError as error:
            raise CommandError(str(error)) from None

    def _list(self, options: dict[str, Any]) -> None:
        entities = LegalEntity.objects.order_by("lei")
        matching = filtering.filter_queryset(LegalEntityFilterSet, options, entities)
        rows = list(matching[: options["limit"]])
        if options["format"] == "json":
            output.print_json(self.stdout, EntitySerializer(rows, many=True).data)
        elif not rows:
            self.stdout.write("No legal entity matches.")
        else:
            output.print_table(self.stdout, [_row(entity) for entity in rows])

    def _get(self, options: dict[str, Any]) -> None:
        entity = get_entity(options["lei"])
        if options["format"] == "json":
            output.print_json(self.stdout, EntityDetailSerializer(entity).data)
            return
        output.print_table(self.stdout, [_row(entity)])
        names = [
            {"other name": name.name, "type": name.type, "language": name.language}
            for name in entity.names.all()
        ]
        successors = [
            {"successor": successor.lei, "name": successor.name, "of": successor.of}
            for successor in read_successors(entity)
        ]
        for rows in (names, successors):
            if rows:
                self.stdout.write("")
                output.print_table(self.stdout, rows)


def _row(entity: LegalEntity) -> dict[str, Any]:
    return {
        "lei": entity.lei,
        "legal name": entity.legal_name,
        "jurisdiction": entity.jurisdiction,
        "category": entity.category,
        "status": entity.entity_status,
        "registration": entity.registration_status,
        "last update": f"{entity.last_updated_at:%Y-%m-%d}",
    }
