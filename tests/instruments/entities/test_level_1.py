"""Level 1 records: the real excerpt is in the tables as a whole, and malformed records are kept aside."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from esma_files.errors import EmptyFile, TruncatedFile, WrongEnvelope
from esma_files.models import EsmaFile, RejectedRecord
from instruments.entities.fields import ENTITY_FIELDS, LEVEL_1_MAPPING, PARTS
from instruments.entities.load_entities import PART_MODELS
from instruments.fields import Field, Type
from instruments.models import EntityEvent, EntitySuccessor, LegalEntity
from tests import golden_copy
from tests.golden_copy import EXCERPT, FULL, message, record

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON = "549300HGV012CNC8JD22", "549300W9JLPW15XIFM52"


def leaves(element: etree._Element, path: str = "") -> list[tuple[str, str]]:
    """Each text and attribute of a record with its path; repeated lines of an address are numbered."""
    values: list[tuple[str, str]] = []
    numbers: dict[str, int] = {}
    for child in element:
        name = etree.QName(child).localname
        numbers[name] = numbers.get(name, 0) + 1
        is_line = name in LEVEL_1_MAPPING.numbered and numbers[name] > 1
        below = f"{path}{name}{numbers[name] if is_line else ''}"
        keys = map(str, child.keys())
        values += [(f"{below}/@{etree.QName(key).localname}", str(child.get(key))) for key in keys]
        if len(child):
            values += leaves(child, f"{below}/")
        elif child.text:
            values.append((below, child.text))
    return values


def as_text(field: Field, value: Any) -> str:
    """A value of a table as text; times in UTC, with milliseconds."""
    if field.type is Type.DATETIME:
        value = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        return (
            f"{value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
        )
    return str(value)


def stored(entity: LegalEntity) -> list[tuple[str, str]]:
    """Each value of the tables with the path that it was read from."""
    values = [
        (field.path, as_text(field, getattr(entity, field.column)))
        for field in ENTITY_FIELDS
        if getattr(entity, field.column) is not None
    ]
    for part in PARTS:
        rows = PART_MODELS[part.table]._default_manager.filter(entity=entity.lei)
        for row in rows:
            is_transliterated = "TRANSLITERATED" in str(getattr(row, "type", ""))
            name = list(part.groups)[-1 if is_transliterated else 0]
            values += [
                (f"{part.paths[name]}/{field.path}", as_text(field, getattr(row, field.column)))
                for field in part.groups[name]
                if getattr(row, field.column) is not None
            ]
    return values


def test_every_element_of_the_real_excerpt_is_in_the_tables(tmp_path: Path) -> None:
    [run] = golden_copy.load(golden_copy.put(tmp_path, FULL, EXCERPT.read_bytes()))

    assert (run.read, run.new, run.rejected) == (13, 13, 0)
    assert run.unmapped["LEIRecord/Extension/Geocoding/lat"] == 16
    assert all(path.startswith("LEIRecord/Extension/Geocoding/") for path in run.unmapped)
    fields = {field.path: field for field in ENTITY_FIELDS}
    for part in PARTS:
        for name, of_group in part.groups.items():
            fields |= {f"{part.paths[name]}/{field.path}": field for field in of_group}
    records = etree.fromstring(EXCERPT.read_bytes()).findall(".//{*}LEIRecord")
    for element in records:
        published = [
            (path, as_text(fields[path], text))
            for path, text in leaves(element)
            if not path.startswith("Extension/")
        ]
        entity = LegalEntity.objects.get(lei=element.findtext("{*}LEI"))
        assert sorted(stored(entity)) == sorted(published)


def test_elements_that_the_excerpt_lacks_are_in_the_tables(tmp_path: Path) -> None:
    event = (
        "<lei:LegalEntityEvents><lei:LegalEntityEvent group_type='CHANGE' event_status='COMPLETED'"
        " group_id='7' group_sequence_no='1'><lei:LegalEntityEventType>MERGERS_AND_ACQUISITIONS"
        "</lei:LegalEntityEventType><lei:AffectedFields>"
        "<lei:AffectedField field_xpath='/a'>A</lei:AffectedField>"
        "<lei:AffectedField field_xpath='/b'>B</lei:AffectedField></lei:AffectedFields>"
        "</lei:LegalEntityEvent></lei:LegalEntityEvents>"
    )
    successors = "".join(
        f"<lei:SuccessorEntity>{successor}</lei:SuccessorEntity>"
        for successor in (
            f"<lei:SuccessorLEI>{ERICSSON}</lei:SuccessorLEI>",
            "<lei:SuccessorEntityName>Another AB</lei:SuccessorEntityName>",
        )
    )
    associated = (
        f"<lei:AssociatedEntity type='FUND_FAMILY'><lei:AssociatedLEI>{ERICSSON}</lei:AssociatedLEI>"
        "</lei:AssociatedEntity>"
    )
    xml = message(record(VOLVO, entity=associated + successors + event))

    [run] = golden_copy.load(golden_copy.put(tmp_path, FULL, xml))

    assert (run.new, run.rejected, run.unmapped) == (1, 0, {})
    entity = LegalEntity.objects.get()
    assert (entity.associated_type, entity.associated_lei) == ("FUND_FAMILY", ERICSSON)
    event_row = EntityEvent.objects.get()
    assert (event_row.group_type, event_row.group_id, event_row.group_sequence) == (
        "CHANGE",
        "7",
        "1",
    )
    assert (event_row.affected_path_1, event_row.affected_value_1) == ("/a", "A")
    assert (event_row.affected_path_2, event_row.affected_value_2) == ("/b", "B")
    values = EntitySuccessor.objects.values_list("entity__lei", "successor_lei", "successor_name")
    assert list(values) == [(VOLVO, ERICSSON, None), (VOLVO, None, "Another AB")]


def test_lines_of_an_address_may_hold_names_of_elements(tmp_path: Path) -> None:
    lines = ("AdditionalAddressLine /", "Extension /&gt;", "AdditionalAddressLine &gt; 3")
    address = "".join(
        f"<lei:AdditionalAddressLine>{line}</lei:AdditionalAddressLine>\n" for line in lines
    )
    xml = message(
        record(VOLVO, entity=f"<lei:LegalAddress>{address}</lei:LegalAddress>").replace(
            "</lei:LEIRecord>", "<lei:Extension/></lei:LEIRecord>"
        )
    )

    [run] = golden_copy.load(golden_copy.put(tmp_path, FULL, xml))

    assert (run.new, run.unmapped) == (1, {})
    entity = LegalEntity.objects.get()
    assert entity.legal_address_second_line == "AdditionalAddressLine /"
    assert entity.legal_address_third_line == "Extension />"
    assert entity.legal_address_fourth_line == "AdditionalAddressLine > 3"


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"),
    [
        (VOLVO, VOLVO[:-1] + "3", "LEI", "the check digits are wrong"),
        (VOLVO, "volvo", "LEI", "does not match"),
        (f"<lei:LEI>{VOLVO}</lei:LEI>", "", "LEI", "is missing"),
        ("Aktiebolaget Volvo", "x" * 501, "Entity/LegalName", "longer than 500 characters"),
        ("2023-05-18T", "2023-05-38T", "Registration/LastUpdateDate", "not a date and time"),
        ("former name", "y" * 501, "Entity/OtherEntityNames/OtherEntityName", "longer than 500"),
    ],
)
def test_a_malformed_record_is_kept_aside_and_the_rest_is_loaded(
    tmp_path: Path, old: str, new: str, field: str, reason: str
) -> None:
    names = (
        "<lei:OtherEntityNames><lei:OtherEntityName type='PREVIOUS_LEGAL_NAME'>former name"
        "</lei:OtherEntityName></lei:OtherEntityNames>"
    )
    malformed = record(VOLVO, entity=names).replace(old, new, 1)
    xml = message(record(ERICSSON, "Telefonaktiebolaget LM Ericsson"), malformed)

    [run] = golden_copy.load(golden_copy.put(tmp_path, FULL, xml))

    assert (run.read, run.new, run.rejected) == (2, 1, 1)
    rejected = RejectedRecord.objects.get()
    assert (rejected.position, rejected.field) == (2, field)
    assert reason in rejected.reason
    assert LegalEntity.objects.get().lei == ERICSSON


def test_an_unknown_element_is_counted(tmp_path: Path) -> None:
    odd = record(VOLVO, entity="<lei:Rating>AAA</lei:Rating>")

    [run] = golden_copy.load(golden_copy.put(tmp_path, FULL, message(odd)))

    assert (run.new, run.unmapped) == (1, {"LEIRecord/Entity/Rating": 1})


def test_a_record_that_repeats_an_element_is_rejected(tmp_path: Path) -> None:
    twice = record(VOLVO, entity="<lei:EntityStatus>ACTIVE</lei:EntityStatus>" * 2)
    xml = message(twice, record(ERICSSON, "Telefonaktiebolaget LM Ericsson"))

    [run] = golden_copy.load(golden_copy.put(tmp_path, FULL, xml))

    assert (run.new, run.rejected) == (1, 1)
    assert RejectedRecord.objects.get().field == "Entity/EntityStatus"


@pytest.mark.parametrize(
    ("xml", "error", "reason"),
    [
        (message(record(VOLVO), content="DELTA"), WrongEnvelope, "not a FULL file"),
        (
            message(record(VOLVO)).removesuffix(b"</lei:LEIData>"),
            TruncatedFile,
            "</LEIData> is missing",
        ),
        (message(), EmptyFile, "not one record"),
        (message(record(VOLVO)).replace(b"LEIData", b"Data"), WrongEnvelope, "not a <LEIData>"),
        (message(record(VOLVO)).replace(b"ContentDate", b"When"), WrongEnvelope, "ContentDate"),
    ],
    ids=["content", "truncated", "empty", "element", "header"],
)
def test_a_damaged_file_leaves_nothing(
    tmp_path: Path, xml: bytes, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        golden_copy.load(golden_copy.put(tmp_path, FULL, xml))

    assert EsmaFile.objects.get().state == EsmaFile.State.FAILED
    assert not LegalEntity.objects.exists()
