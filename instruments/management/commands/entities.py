"""manage.py entities list|get|hierarchy|differences"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit import trail
from instruments.corrected_records import correct, describe_corrections
from instruments.entities import difference_rows
from instruments.entities.descriptions import (
    describe_entity,
    describe_entity_details,
    describe_hierarchy,
    describe_issuer_difference,
)
from instruments.entities.filters import LegalEntityFilterSet
from instruments.entities.hierarchy import Node, read_hierarchy
from instruments.entities.mapped_issuers import DIFFERENCES, Comparison, select_differences
from instruments.entities.questions import get_entity, read_successors
from instruments.listings import export_files
from instruments.management.answering import AnsweringCommand
from instruments.management.whole_files import write_whole_file
from instruments.models import InstrumentQuerySet, LegalEntity
from marketdata.common import command_options, output
from marketdata.common.errors import MarketDataError

_DIFFERENCE = [
    name
    for name in difference_rows.LAYOUT.columns
    if name not in ("full_name", "cfi_code", "status")
]


class Command(AnsweringCommand):
    help = "List, search and show the legal entities of GLEIF's level 1 files."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="list|get|hierarchy|differences"
        )
        listing = actions.add_parser("list", help="entities, filtered as in the API")
        command_options.add_limit(listing, default=20)
        command_options.add_filter_options(listing, LegalEntityFilterSet)
        getting = actions.add_parser("get", help="one entity with its names and its successors")
        getting.add_argument("lei", metavar="LEI")
        tree = actions.add_parser("hierarchy", help="the entities above and below one")
        tree.add_argument("lei", metavar="LEI")
        tree.add_argument("--on", type=command_options.day, help="as of this day (now)")
        differing = actions.add_parser(
            "differences", help="instruments for which FIRDS and GLEIF have different issuers"
        )
        differing.add_argument(
            "--comparison",
            choices=DIFFERENCES,
            help="different: another issuer; venue_operator: FIRDS has the operator of the venue (both)",
        )
        command_options.add_limit(differing, default=20)
        differing.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="write all of them to a CSV, JSON, NDJSON, XML, Parquet or XLSX file. The extension of its"
            " name selects the format",
        )
        for parser_ in (listing, getting, tree, differing):
            output.add_format(parser_)

    def handle(self, **options: Any) -> None:
        actions = {
            "list": self._list,
            "get": self._get,
            "hierarchy": self._hierarchy,
            "differences": self._differences,
        }
        try:
            actions[options["action"]](options)
        except MarketDataError as error:
            raise CommandError(str(error)) from None

    def _list(self, options: dict[str, Any]) -> None:
        entities = LegalEntity.objects.order_by("lei")
        matching = command_options.filter_queryset(LegalEntityFilterSet, options, entities)
        rows = list(matching[: options["limit"]])
        correct(rows)
        if options["format"] == "json":
            output.print_json(self.stdout, [describe_entity(row) for row in rows])
        elif not rows:
            self.stdout.write("No legal entity matches.")
        else:
            output.print_table(self.stdout, [_row(entity) for entity in rows])

    def _get(self, options: dict[str, Any]) -> None:
        entity = get_entity(options["lei"])
        if options["format"] == "json":
            output.print_json(self.stdout, describe_entity_details(entity))
            return
        output.print_table(self.stdout, [_row(entity)])
        corrections = [
            {name: row[name] for name in ("field", "published", "value", "reason")}
            for row in describe_corrections(entity)
        ]
        names = [
            {"other name": name.name, "type": name.type, "language": name.language}
            for name in entity.names.all()
        ]
        successors = [
            {
                "successor": successor.lei,
                "name": successor.name,
                "named by": successor.predecessor_lei,
            }
            for successor in read_successors(entity)
        ]
        for rows in (corrections, names, successors):
            if rows:
                self.stdout.write("")
                output.print_table(self.stdout, rows)

    def _hierarchy(self, options: dict[str, Any]) -> None:
        answer = read_hierarchy(options["lei"], on=options["on"])
        if options["format"] == "json":
            output.print_json(self.stdout, describe_hierarchy(answer))
            return
        self.stdout.write(f"{answer.lei} {answer.legal_name or '(no record loaded)'}")
        for title, nodes in (
            ("Direct parents", answer.parents),
            ("Ultimate parents", answer.ultimate_parents),
            ("Entities below", answer.children),
            ("Other relationships", answer.others),
        ):
            if nodes:
                self.stdout.write(f"\n{title}:")
                output.print_table(self.stdout, [_node(node) for node in nodes])
        if answer.has_more:
            self.stdout.write(f"Only the first {len(answer.children):,} entities below are shown.")
        for exception in answer.exceptions:
            self.stdout.write(exception.description)

    def _differences(self, options: dict[str, Any]) -> None:
        comparison = options["comparison"]
        differences = select_differences(Comparison(comparison) if comparison else None)
        if options["output"]:
            self._write(options["output"], differences)
            return
        output.print_rows(
            self.stdout,
            list(map(describe_issuer_difference, differences[: options["limit"]])),
            options["format"],
            columns=_DIFFERENCE,
            if_empty="FIRDS and GLEIF agree about the issuers of all instruments loaded.",
        )

    def _write(self, path: Path, differences: InstrumentQuerySet) -> None:
        """Write all differences to a file, which appears when it is complete."""
        format_ = path.suffix.removeprefix(".").lower()
        if format_ not in export_files.FORMATS:
            raise CommandError(f"{path}: the name must end in {', '.join(export_files.FORMATS)}.")
        _, write = export_files.FORMATS[format_]
        write_whole_file(
            path, write(difference_rows.read_pages(differences), difference_rows.LAYOUT)
        )
        trail.record("instruments.exported", about=str(path)[:200])
        self.stdout.write(f"{path}: {path.stat().st_size:,} bytes.")


def _node(node: Node) -> dict[str, Any]:
    return {
        "level": node.level,
        "lei": node.lei,
        "legal name": node.legal_name,
        "relationship": node.relationship.type,
        "related to": node.related_lei,
    }


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
