"""Everything that ESMA published of transparency can be got back from the tables."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from instruments.fields import Type
from instruments.models import ResultRecord, SubclassTransparency, Subject, TransparencyResult
from instruments.transparency import layout as fitrs_layout
from instruments.transparency.fields import (
    EQUITY_FILE,
    FIELDS_OF,
    NON_EQUITY_FILE,
    OLD_NON_EQUITY_FILE,
    ResultKind,
)
from tests import fitrs
from tests.conftest import DATA
from tests.instruments.listings.test_records import leaves

FILES = sorted(DATA.glob("fitrs/*.zip"))
SCHEMAS = {
    "auth.044.001.02": EQUITY_FILE,
    "auth.044.001.03": EQUITY_FILE,
    "auth.045.001.02": OLD_NON_EQUITY_FILE,
    "auth.045.001.03": NON_EQUITY_FILE,
}


def rows() -> Iterator[ResultRecord]:
    yield from TransparencyResult.objects.order_by("source_file", "source_position")
    yield from SubclassTransparency.objects.order_by("source_file", "source_position")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_leaf_of_every_record_is_in_the_database(path: Path) -> None:
    run = fitrs.load(path)

    by_position = {row.source_position: row for row in rows()}
    count = 0
    for count, published in enumerate(fitrs.leaves_of(path), start=1):
        row = by_position[count]
        expected = fitrs.expected_values(published, ResultKind(row.record_kind))
        assert Counter(fitrs.published(row)) == Counter(expected)
        texts = [text for name, text in published if "CritNm" in name or "CritVal" in name]
        assert [part for pair in row.criteria or [] for part in pair] == texts, "in their order"
    assert count == run.read == run.new == len(by_position) > 0
    assert (run.rejected, run.unmapped) == (0, {})


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_field_that_the_schema_allows_is_mapped(schema: str) -> None:
    mapping = SCHEMAS[schema]
    mapped = set(mapping.leaves)
    for group in mapping.groups:
        mapped |= {f"{group.path}/{leaf}" for leaf in group.leaves}
    [record] = mapping.records.values()
    prefix = f"/{mapping.root}/{record}/"
    allowed = {
        path.removeprefix(prefix)
        for path in leaves(DATA / "xsd" / f"{schema}.xsd")
        if path.startswith(prefix)
    }
    assert allowed
    assert allowed - mapped == set()
    if schema != "auth.044.001.02":
        assert mapped - allowed == set()


@pytest.mark.parametrize("kind", ResultKind)
def test_every_field_has_its_column(kind: ResultKind) -> None:
    for field in FIELDS_OF[kind]:
        models: list[Any] = [TransparencyResult, SubclassTransparency]
        if field.column in ("isin", "asset_class") or kind is not ResultKind.NON_EQUITY:
            models = [SubclassTransparency if field.column == "asset_class" else TransparencyResult]
        for model in models:
            column = model._meta.get_field(field.column)
            assert field.type not in (Type.CODE, Type.TEXT) or column.max_length == field.max_length


def test_every_subject_that_staging_can_find_has_a_name() -> None:
    assert set(Subject.values) == set(fitrs_layout.SUBJECTS)
    assert len(fitrs_layout.SUBJECTS) == 8


SAMPLES = {
    Type.BOOLEAN: ["true", "false"],
    Type.DATE: ["2024-02-29", "2023-12-31"],
    Type.DECIMAL: ["0", "1234567890.12345678901234567", "0.00000000000000000", "600000"],
}


def made(kind: ResultKind, number: int) -> str:
    """A record with a value in every element of the schema; of a choice, one branch after the other."""
    random.seed(number)
    tag, fields = fitrs.EQUITY[1], list(FIELDS_OF[kind])
    if kind is not ResultKind.EQUITY:
        tag = fitrs.NON_EQUITY[1]
    record = etree.Element(tag)
    branch = ("ISINAndSubClss", "AsstClssAndSubClss")[number % 2]
    form = ("/Dt", "/FrDt", "/ToDt", "/FrDtToDt/FrDt /FrDtToDt/ToDt")[number % 4].split()
    unit = ("/Amt", "/Nb")[number // 2 % 2]
    other_branch = ({"ISINAndSubClss", "AsstClssAndSubClss"} - {branch}).pop()
    for field in fields:
        path = field.path
        if other_branch in path or ("Thrshld" in path and unit not in path):
            continue
        if "Prd/" in path and not any(path.endswith(f"Prd{end}") for end in form):
            continue
        element = record
        *steps, last = path.split("/")
        for step in steps if last.startswith("@") else [*steps, last]:
            below = element.find(step)
            element = etree.SubElement(element, step) if below is None else below
        value = _value(field.column, field.type, field.max_length)
        if last.startswith("@"):
            element.set(last[1:], value)
        else:
            element.text = value
    if kind is ResultKind.NON_EQUITY:
        parent = record.find(f"Id/{branch}")
        assert parent is not None
        sub_class = etree.SubElement(parent, "DerivSubClss")
        etree.SubElement(sub_class, "Desc").text = "An “odd” <description> & more\\"
        for name in ("SACL", "UINS", "SACL"):
            criterion = etree.SubElement(sub_class, "SgmttnCrit")
            etree.SubElement(criterion, "CritNm").text = name
            etree.SubElement(criterion, "CritVal").text = f'a "value" {number} \\ é, ]['
    return etree.tostring(record, encoding="unicode")


def _value(column: str, type_: Type, max_length: int) -> str:
    if column == "isin":
        return "SE0000115446"
    if type_ in SAMPLES:
        return random.choice(SAMPLES[type_])
    return {3: "SEK", 4: "XSTO", 35: "17"}.get(max_length, " A name ")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_element_of_the_schema_comes_back(make_zip: Callable[..., Path], schema: str) -> None:
    mapping = SCHEMAS[schema]
    [kind] = (ResultKind(kind) for kind in mapping.records)
    name = "FULECR_20250830_E_1of1" if kind is ResultKind.EQUITY else "FULNCR_20250830_D_1of1"
    records = [made(kind, number) for number in range(8)]
    path = make_zip(name, fitrs.message(name, *records, version=schema))

    run = fitrs.load(path)

    assert (run.read, run.rejected, run.unmapped) == (8, 0, {})
    by_position = {row.source_position: row for row in rows()}
    seen: set[str] = set()
    distinct = {}
    for position, published in enumerate(fitrs.leaves_of(path), start=1):
        values = fitrs.expected_values(published, kind)
        distinct[tuple(sorted(map(repr, values)))] = position
        if position in by_position:
            assert Counter(fitrs.published(by_position[position])) == Counter(values)
        seen |= {name for name, _ in published}
    assert len(by_position) == len(distinct)
    paths = set(mapping.leaves)
    for group in mapping.groups:
        paths |= {f"{group.path}/{leaf}" for leaf in group.leaves}
    assert seen == paths, "every element of the schema was in it"
