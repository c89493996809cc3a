"""The mapping against ESMA's schemas, and against the tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from esma_files.parsing.mapping import Mapping
from instruments.fields import Type
from instruments.listings.fields import CANCELLATIONS, DELTA_FILE, FIELDS, FULL_FILE
from instruments.listings.load import layout
from instruments.models import Listing, ListingRecord, ListingVersion
from tests.conftest import DATA

XSD = "{http://www.w3.org/2001/XMLSchema}"


def leaves(schema: Path) -> set[str]:
    """Every path from Document to a leaf or attribute that an ISO 20022 schema allows."""
    root = etree.parse(schema).getroot()
    types = {e.get("name"): e for e in root if e.tag in (f"{XSD}complexType", f"{XSD}simpleType")}

    def walk(type_name: str | None, path: str) -> Iterator[str]:
        found = types.get(type_name)
        content = None if found is None else found.find(f"{XSD}simpleContent/{XSD}extension")
        elements = [] if found is None else list(found.iter(f"{XSD}element"))
        if content is not None:
            yield path
            yield from (f"{path}/@{a.get('name')}" for a in content.iter(f"{XSD}attribute"))
        elif not elements:
            yield path
        for element in elements:
            yield from walk(element.get("type"), f"{path}/{element.get('name')}")

    return set(walk("Document", ""))


@pytest.mark.parametrize(
    ("schema", "mapping"),
    [
        ("auth.017.001.02", FULL_FILE),
        ("auth.036.001.02", DELTA_FILE),
        ("auth.036.001.03", DELTA_FILE),
        ("auth.102.001.01", CANCELLATIONS),
    ],
)
def test_every_field_that_the_schema_allows_is_mapped(schema: str, mapping: Mapping) -> None:
    mapped = set(mapping.leaves)
    for group in mapping.groups:
        mapped |= {f"{group.path}/{leaf}" for leaf in group.leaves}
    allowed = leaves(DATA / "xsd" / f"{schema}.xsd")
    for record in mapping.records.values():
        prefix = f"/{mapping.root}/{record}/"
        of_record = {path.removeprefix(prefix) for path in allowed if path.startswith(prefix)}
        assert of_record - mapped == set()
        assert of_record or schema == "auth.036.001.02", "only .02 has no cancellations"


def test_every_field_has_its_column() -> None:
    columns = {field.column for field in ListingRecord._meta.get_fields()}  # type: ignore[union-attr]
    for field in FIELDS:
        column: Any = Listing._meta.get_field(field.column)
        assert field.column in columns
        assert field.type is not Type.CODE or column.max_length == field.max_length
        assert field.type is not Type.TEXT or column.max_length == field.max_length
    own = {"isin", "mic", "register", "status", "valid_from", "source_file_id", "source_position"}
    own |= {"record_kind", "fingerprint", "known_from"}
    assert columns == own | {field.column for field in FIELDS} | set(layout.GROUP_COLUMNS)


def test_a_version_has_the_columns_of_a_listing() -> None:
    def names(model: type[ListingRecord]) -> list[str]:
        own = ("id", "dropped_by", "change")
        return [field.name for field in model._meta.fields if field.name not in own]

    assert names(ListingVersion) == [*names(Listing), "valid_to"]
