"""Everything that a volume cap message says can be got back from the tables."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from instruments.fields import Field, Type
from instruments.models import VolumeCap, VolumeCapVenue
from instruments.volume_cap.fields import FIELDS, FILE, VENUE_FIELDS
from tests import dvcres, fitrs
from tests.instruments.listings.test_lossless import as_value

Write = Callable[..., Path]
NAME = "DVCRES_20251008"
FORMS = ("/Dt", "/FrDt", "/ToDt", "/FrDtToDt/FrDt /FrDtToDt/ToDt")
SAMPLES = {Type.DATE: "2024-02-29", Type.DECIMAL: "123456789012345678.12345678901234567"}
BY_PATH = {field.path: field for field in FIELDS}
OF_VENUE = {field.path: field for field in VENUE_FIELDS}


def value(field: Field, number: int) -> str:
    if field.column == "isin":
        return "SE0000115446"
    if field.type in SAMPLES:
        return SAMPLES[field.type]
    return {3: "SEK", 4: f"XST{number}", 35: "17"}.get(
        field.max_length, f' An “odd” \\ & "{number}" '
    )


def made(number: int, venues: int) -> str:
    """A result with a value in every element; of the forms of the period, one after the other."""
    record = etree.Element("VolCapRslt")
    for field in FIELDS:
        ends = FORMS[number % len(FORMS)].split()
        if "RptgPrd" in field.path and not any(field.path == f"RptgPrd{end}" for end in ends):
            continue
        put(record, field, number)
    for nth in range(venues):
        of_venue = etree.SubElement(record, dvcres.VENUES)
        for field in reversed(VENUE_FIELDS) if nth % 2 else VENUE_FIELDS:
            put(of_venue, field, nth)
    return etree.tostring(record, encoding="unicode")


def put(parent: etree._Element, field: Field, number: int) -> None:
    element, attribute = parent, ""
    for step in field.path.split("/"):
        if step.startswith("@"):
            attribute = step[1:]
            continue
        below = element.find(step)
        element = etree.SubElement(element, step) if below is None else below
    if attribute:
        element.set(attribute, value(field, number))
    else:
        element.text = value(field, number)


def stored(row: Any, fields: tuple[Field, ...]) -> set[tuple[str, Any]]:
    values = ((field.path, getattr(row, field.column)) for field in fields)
    return {(path, value) for path, value in values if value is not None}


def expected_values(
    leaves: list[tuple[str, str]], fields: dict[str, Field]
) -> set[tuple[str, Any]]:
    return {(path, as_value(fields[path], text)) for path, text in leaves}


def assert_lossless(path: Path) -> Iterator[str]:
    """Compares each record with its row, and yields the paths that there were."""
    rows = {row.source_position: row for row in VolumeCap.objects.prefetch_related("venues")}
    count = 0
    for count, (leaves, venues) in enumerate(dvcres.leaves_of(path), start=1):
        row = rows[count]
        assert stored(row, FIELDS) == expected_values(leaves, BY_PATH)
        values = [sorted(stored(venue, VENUE_FIELDS)) for venue in row.venues.all()]
        expected = [sorted(expected_values(venue, OF_VENUE)) for venue in venues]
        assert sorted(values) == sorted(expected)
        yield from (name for name, _ in leaves)
        yield from (f"{dvcres.VENUES}/{name}" for venue in venues for name, _ in venue)
    assert count == len(rows) > 0


@pytest.mark.django_db(transaction=True)
def test_every_element_of_the_message_comes_back(make_zip: Write) -> None:
    records = [made(number, venues) for number, venues in enumerate((0, 1, 2, 5))]
    path = make_zip(NAME, dvcres.message(NAME, *records))

    run = fitrs.load(path)

    assert (run.read, run.new, run.rejected, run.unmapped) == (4, 4, 0, {})
    [group] = FILE.groups
    every = {*FILE.leaves, *(f"{group.path}/{leaf}" for leaf in group.leaves)}
    assert set(assert_lossless(path)) == every


@pytest.mark.django_db(transaction=True)
def test_what_the_message_leaves_out_stays_out(make_zip: Write) -> None:
    bare = "<VolCapRslt><Id>SE0000115446</Id><RptgPrd><Dt>2025-09-30</Dt></RptgPrd></VolCapRslt>"
    half = dvcres.result(
        "SE0000108656", f"<{dvcres.VENUES}><TradgVn>XSTO</TradgVn></{dvcres.VENUES}>"
    )
    path = make_zip(NAME, dvcres.message(NAME, bare, half))

    run = fitrs.load(path)

    assert (run.new, run.rejected, run.unmapped) == (2, 0, {})
    assert "LastUpdDt" in set(assert_lossless(path))
    assert VolumeCapVenue.objects.get().percentage is None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_venues_are_whole_wherever_batches_end(make_zip: Write) -> None:
    """Batches of 16,384 rows, here leaves of venues, end within venues and records."""
    letters = itertools.product("ABCDEFGHIJ", repeat=3)
    venues = [
        dvcres.venue(f"X{''.join(mic)}", "0.1", "D") for mic in itertools.islice(letters, 999)
    ]
    venues.append(dvcres.venue("XSTO", "7"))
    isins = ["SE0000115446", "SE0000108656"]
    results = [
        dvcres.result(isin, *venues, end=f"2025-{month:02}-28")
        for isin in isins
        for month in range(1, 7)
    ]
    path = make_zip(NAME, dvcres.message(NAME, *results))

    run = fitrs.load(path)

    assert (run.new, run.unmapped) == (12, {})
    assert VolumeCapVenue.objects.count() == 12_000
    list(assert_lossless(path))


def test_every_field_has_its_column() -> None:
    models: tuple[tuple[Any, tuple[Field, ...]], ...] = (
        (VolumeCap, FIELDS),
        (VolumeCapVenue, VENUE_FIELDS),
    )
    for model, fields in models:
        for field in fields:
            column = model._meta.get_field(field.column)
            assert field.type not in (Type.CODE, Type.TEXT) or column.max_length == field.max_length
