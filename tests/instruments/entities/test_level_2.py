"""Relationships and reporting exceptions: real excerpts, merges in any order, and trees."""

import datetime as dt
import io
import itertools
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from instruments import pipeline
from instruments.entities.hierarchy import read_group, read_hierarchy
from instruments.listings.load import search_index
from instruments.models import EntityRelationship, Instrument, Link, ReportingException, Underlying
from tests import golden_copy
from tests.conftest import DATA
from tests.golden_copy import name
from tests.properties import mostly_slow

pytestmark = pytest.mark.django_db(transaction=True)
# Any LEIs with right check digits: of the real excerpt.
A, B, C, D = (
    "001GPB6A9XPE8XJICC14",
    "004L5FPTUREIWK9T2N63",
    "00EHHQ2ZHDCFXJCPCL46",
    "00GBW0Z2GYIER7DHDS71",
)
DIRECT, ULTIMATE = "IS_DIRECTLY_CONSOLIDATED_BY", "IS_ULTIMATELY_CONSOLIDATED_BY"


def relationship(
    start: str,
    end: str,
    type_: str = DIRECT,
    *,
    status: str = "ACTIVE",
    updated: str = "2023-05-18T15:41:20Z",
    period: tuple[str, str] | None = None,
) -> str:
    periods = ""
    if period is not None:
        begin, until = (
            f"<{tag}>{day}T00:00:00Z</{tag}>" if day else ""
            for tag, day in zip(("rr:StartDate", "rr:EndDate"), period, strict=True)
        )
        periods = (
            f"<rr:RelationshipPeriods><rr:RelationshipPeriod>{begin}{until}"
            "<rr:PeriodType>RELATIONSHIP_PERIOD</rr:PeriodType></rr:RelationshipPeriod>"
            "</rr:RelationshipPeriods>"
        )
    nodes = "".join(
        f"<rr:{tag}><rr:NodeID>{lei}</rr:NodeID><rr:NodeIDType>LEI</rr:NodeIDType></rr:{tag}>"
        for tag, lei in (("StartNode", start), ("EndNode", end))
    )
    return (
        f"<rr:RelationshipRecord><rr:Relationship>{nodes}<rr:RelationshipType>{type_}"
        f"</rr:RelationshipType>{periods}<rr:RelationshipStatus>{status}</rr:RelationshipStatus>"
        f"</rr:Relationship><rr:Registration><rr:LastUpdateDate>{updated}</rr:LastUpdateDate>"
        "</rr:Registration></rr:RelationshipRecord>"
    )


def relationships(*records: str, content: str = "FULL") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rr:RelationshipData xmlns:rr="http://x"><rr:Header>'
        "<rr:ContentDate>2023-06-05T09:24:22Z</rr:ContentDate>"
        f"<rr:FileContent>GLEIF_{content}_PUBLISHED</rr:FileContent></rr:Header>"
        f"<rr:RelationshipRecords>{''.join(records)}</rr:RelationshipRecords></rr:RelationshipData>"
    ).encode()


def exceptions(*pairs: tuple[str, str], content: str = "FULL") -> bytes:
    records = "".join(
        f"<x:Exception><x:LEI>{lei}</x:LEI><x:ExceptionCategory>DIRECT_ACCOUNTING_CONSOLIDATION_PARENT"
        f"</x:ExceptionCategory><x:ExceptionReason>{reason}</x:ExceptionReason></x:Exception>"
        for lei, reason in pairs
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><x:ReportingExceptionData xmlns:x="http://x"><x:Header>'
        "<x:ContentDate>2023-06-05T09:24:22Z</x:ContentDate>"
        f"<x:FileContent>GLEIF_{content}_PUBLISHED</x:FileContent></x:Header>"
        f"<x:ReportingExceptions>{records}</x:ReportingExceptions></x:ReportingExceptionData>"
    ).encode()


def load_relationships(folder: Path, records: Iterable[str]) -> None:
    golden_copy.load(golden_copy.put(folder, name(subject="rr"), relationships(*records)))


def test_the_real_excerpts_are_loaded_whole(tmp_path: Path) -> None:
    folder = DATA / "gleif"
    of_relationships, of_exceptions = golden_copy.load(
        golden_copy.put(
            tmp_path, name(subject="rr"), (folder / f"{name(subject='rr')}.xml").read_bytes()
        ),
        golden_copy.put(
            tmp_path, name(subject="repex"), (folder / f"{name(subject='repex')}.xml").read_bytes()
        ),
    )

    assert (of_relationships.new, of_relationships.rejected, of_relationships.unmapped) == (
        10,
        0,
        {},
    )
    assert (of_exceptions.new, of_exceptions.rejected, of_exceptions.unmapped) == (10, 0, {})
    managed = EntityRelationship.objects.get(start_lei=A, type="IS_FUND-MANAGED_BY")
    assert managed.end_lei == "5493001Z012YSB2A0K51"
    assert managed.periods == [
        {"from": "2012-11-29 00:00:00", "to": None, "type": "RELATIONSHIP_PERIOD"}
    ]
    assert managed.started_at == dt.datetime(2012, 11, 29, tzinfo=dt.UTC)
    assert managed.validation_reference is not None
    assert EntityRelationship.objects.exclude(qualifiers=None).count() == 2
    assert ReportingException.objects.get(lei=A).reason == "NO_KNOWN_PERSON"


@pytest.mark.slow
@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(4))))
def test_the_tables_depend_on_the_set_of_files_and_not_on_their_order(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    newer = "2023-06-07T00:00:00Z"
    paths = [
        golden_copy.put(tmp_path, stem, xml)
        for stem, xml in (
            (
                name("20230604", "last-day", subject="rr"),
                relationships(relationship(D, A), content="DELTA"),
            ),
            (name("20230605", subject="rr"), relationships(relationship(B, A), relationship(C, A))),
            (
                name("20230607", subject="rr"),
                relationships(relationship(B, A, status="INACTIVE", updated=newer)),
            ),
            (
                name("20230608", "last-day", subject="rr"),
                relationships(relationship(D, C), content="DELTA"),
            ),
        )
    ]

    golden_copy.load(*(paths[number] for number in order))

    rows = EntityRelationship.objects.values_list("start_lei", "end_lei", "status")
    assert sorted(rows) == [(B, A, "INACTIVE"), (D, C, "ACTIVE")]


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_exceptions_those_of_the_newest_file_count(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    paths = [
        golden_copy.put(tmp_path, stem, xml)
        for stem, xml in (
            (name("20230605", subject="repex"), exceptions((A, "NON_PUBLIC"), (B, "NON_PUBLIC"))),
            (
                name("20230606", "last-day", subject="repex"),
                exceptions((A, "NO_LEI"), content="DELTA"),
            ),
            (name("20230607", subject="repex"), exceptions((A, "NO_LEI"), (C, "NON_PUBLIC"))),
        )
    ]

    golden_copy.load(*(paths[number] for number in order))

    rows = ReportingException.objects.values_list("lei", "reason")
    assert sorted(rows) == [(A, "NO_LEI"), (C, "NON_PUBLIC")]


def test_a_tree_is_followed_up_and_down(tmp_path: Path) -> None:
    load_relationships(
        tmp_path,
        [
            relationship(B, A),
            relationship(C, B),
            relationship(C, A, ULTIMATE),
            relationship(D, A, ULTIMATE),
        ],
    )

    top, bottom = read_hierarchy(A), read_hierarchy(C)

    assert [(node.lei, node.level, node.related_lei) for node in top.children] == [
        (B, 1, A),
        (C, 2, B),
        (D, 1, A),
    ]
    assert [(node.lei, node.level) for node in bottom.parents] == [(B, 1), (A, 2)]
    assert [node.lei for node in bottom.ultimate_parents] == [A]
    assert read_group(A) == [A, B, C, D]


def test_a_cycle_ends(tmp_path: Path) -> None:
    load_relationships(
        tmp_path, [relationship(A, B), relationship(B, C), relationship(C, A), relationship(D, D)]
    )

    assert [node.lei for node in read_hierarchy(A).parents] == [B, C]
    assert [node.lei for node in read_hierarchy(A).children] == [C, B]
    assert read_group(D) == [D]


@pytest.mark.parametrize(
    ("day", "parents"),
    [
        ("2009-12-31", []),
        ("2010-01-01", [B]),
        ("2019-06-30", [B]),
        ("2019-07-02", []),
        ("2020-01-01", [C]),
        ("", [C]),
    ],
)
def test_the_periods_decide_who_the_parent_was_on_a_day(
    tmp_path: Path, day: str, parents: list[str]
) -> None:
    load_relationships(
        tmp_path,
        [
            relationship(A, B, status="INACTIVE", period=("2010-01-01", "2019-06-30")),
            relationship(A, C, period=("2020-01-01", "")),
        ],
    )

    answer = read_hierarchy(A, on=dt.date.fromisoformat(day) if day else None)

    assert [node.lei for node in answer.parents] == parents


def test_the_api_and_the_command_show_trees_and_instruments_of_groups(
    tmp_path: Path, settings: object
) -> None:
    settings.ANONYMOUS_READ = True  # type: ignore[attr-defined]
    load_relationships(tmp_path, [relationship(B, A), relationship(C, B)])
    golden_copy.load(
        golden_copy.put(tmp_path, name(subject="repex"), exceptions((A, "NO_KNOWN_PERSON"))),
        golden_copy.put(tmp_path, golden_copy.FULL, golden_copy.EXCERPT.read_bytes()),
    )
    for isin, issuer in (("SE0000115446", A), ("SE0000108656", C), ("DE0007236101", D)):
        Instrument.objects.create(
            isin=isin,
            issuer_lei=issuer,
            status="active",
            mic="XSTO",
            register="ESMA",
            listing_count=1,
        )
    search_index.rebuild()
    client = Client()

    tree = client.get(f"/api/v1/entities/{A}/hierarchy/").json()
    own = client.get(f"/api/v1/entities/{A}/instruments/").json()
    group = client.get(f"/api/v1/entities/{A}/instruments/", {"group": "true"}).json()
    filtered = client.get("/api/v1/instruments/", {"issuer_group": A}).json()
    out = io.StringIO()
    call_command("entities", "hierarchy", A, stdout=out)

    assert [(node["lei"], node["legal_name"]) for node in tree["children"]] == [
        (B, "Hutchin Hill Capital, LP"),
        (C, "Vanguard Russell 1000 Growth Index Trust"),
    ]
    assert tree["exceptions"][0]["reasons"] == ["NO_KNOWN_PERSON"]
    sentence = (
        "No direct parent is reported: no person is known that controls it, as with widely held"
        " shares."
    )
    assert tree["exceptions"][0]["description"] == sentence
    derivatives = ("DE000A0000A7", "DE000A0000B5", "DE000A0000C3")
    for isin, code in zip(derivatives, ("SE0000108656", C, D), strict=True):
        option = Instrument.objects.create(
            isin=isin, status="active", mic="XSTO", register="ESMA", listing_count=1
        )
        Underlying.objects.create(instrument=option, code=code, link=Link.SINGLE)
    search_index.rebuild()
    for query, isins in (
        ({"underlying_group": A}, derivatives[:2]),
        ({"underlying_group": B.lower(), "status": "active"}, derivatives[:2]),
        ({"underlying_group": A, "issuer": A}, ()),
        ({"underlying_group": D}, derivatives[2:]),
    ):
        rows = client.get("/api/v1/instruments/", query).json()["results"]
        assert [row["isin"] for row in rows] == list(isins)
    assert client.get("/api/v1/instruments/", {"underlying_group": "X"}).status_code == 400
    assert [row["isin"] for row in own["results"]] == ["SE0000115446"]
    for answer in (group, filtered):
        assert [row["isin"] for row in answer["results"]] == ["SE0000108656", "SE0000115446"]
    assert "Hutchin Hill Capital, LP" in out.getvalue()
    assert client.get("/api/v1/entities/XX/hierarchy/").status_code == 400
    assert client.get("/api/v1/entities/213800WAVVOPS85N2205/hierarchy/").status_code == 404


def test_an_excerpt_of_a_golden_copy_deletes_nothing(tmp_path: Path) -> None:
    whole = relationships(relationship(A, B), relationship(C, D))
    excerpt = relationships(relationship(A, C, updated="2023-05-20T00:00:00Z"))
    golden_copy.load(golden_copy.put(tmp_path, name(subject="rr"), whole))
    path = golden_copy.put(tmp_path, name("20230705", subject="rr"), excerpt)

    [result] = pipeline.load(pipeline.register_files([path], excerpt=True))

    assert result.error is None
    pairs = set(EntityRelationship.objects.values_list("start_lei", "end_lei"))
    assert pairs == {(A, B), (C, D), (A, C)}
