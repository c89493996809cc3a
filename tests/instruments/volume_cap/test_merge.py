"""The volume cap tables for a set of files: the same in whatever order they were loaded."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esma_files.models import EsmaFile, Run
from esma_files.names import FileName
from instruments.models import ResultFile, VolumeCap, VolumeCapVenue
from tests import dvcres, fitrs
from tests.dvcres import result, venue
from tests.instruments.listings.merging import counts
from tests.instruments.listings.test_plans import planned, scans
from tests.properties import examples

Write = Callable[..., Path]
pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON = "SE0000115446", "SE0000108656"
XSTO, BATE = venue("XSTO", "4.2"), venue("BATE", "0.3", "estimated")


def load(make_zip: Write, name: str, *results: str) -> Run:
    return fitrs.load(make_zip(name, dvcres.message(name, *results)))


def monthly(month: int) -> str:
    return f"DVCRES_2025{month:02}08"


def tables() -> set[Any]:
    """All that is stored, without the numbers of rows."""
    return {
        (
            row.isin,
            row.reported_period_to,
            row.percentage,
            row.superseded,
            row.source_file.name,
            row.source_position,
            tuple((row.mic, row.percentage, row.disclaimer) for row in row.venues.all()),
        )
        for row in VolumeCap.objects.select_related("source_file").prefetch_related("venues")
    }


def test_results_of_several_periods_stand_beside_each_other(make_zip: Write) -> None:
    run = load(make_zip, monthly(10), result(VOLVO, XSTO), result(VOLVO, XSTO, end="2025-08-31"))

    assert counts(run) == {"new": 2}
    assert VolumeCap.objects.current().count() == 2
    assert [row.reported_period_to.month for row in VolumeCap.objects.for_isin(VOLVO)] == [9, 8]


def test_a_correction_supersedes_the_earlier_result_which_stays(make_zip: Write) -> None:
    first, second = result(VOLVO, XSTO, BATE), result(VOLVO, venue("XSTO", "4.3"), BATE)
    load(make_zip, monthly(9), first)
    run = load(make_zip, monthly(10), second, result(ERICSSON))
    again = load(make_zip, monthly(11), second)

    assert counts(run) == {"changed": 1, "new": 1}
    assert counts(again) == {"unchanged": 1}
    old = VolumeCap.objects.get(superseded=True)
    assert [(v.mic, str(v.percentage)) for v in old.venues.all()] == [
        ("BATE", "0.3"),
        ("XSTO", "4.2"),
    ]
    [now] = VolumeCap.objects.for_isin(VOLVO)
    assert [str(v.percentage) for v in now.venues.all()] == ["0.3", "4.3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        result(VOLVO, XSTO, BATE, updated="2025-10-09"),
        result(VOLVO, XSTO, BATE, percentage="3.6"),
        result(VOLVO, XSTO),
        result(VOLVO, XSTO, XSTO, BATE),
        result(VOLVO, XSTO, venue("BATE", "0.3")),
        result(VOLVO),
    ],
)
def test_whatever_differs_is_a_correction(make_zip: Write, other: str) -> None:
    load(make_zip, monthly(9), result(VOLVO, XSTO, BATE))

    assert counts(load(make_zip, monthly(10), other)) == {"changed": 1}


def test_the_order_of_venues_and_the_number_in_the_file_are_no_difference(make_zip: Write) -> None:
    load(make_zip, monthly(9), result(VOLVO, XSTO, BATE))
    numbered = result(VOLVO, BATE, XSTO).replace("<Id>", "<TechRcrdId>9</TechRcrdId><Id>", 1)

    assert counts(load(make_zip, monthly(10), numbered)) == {"unchanged": 1}
    assert VolumeCapVenue.objects.count() == 2


def test_a_file_that_is_loaded_twice_changes_nothing(make_zip: Write) -> None:
    files = [result(VOLVO, XSTO, BATE), result(VOLVO, XSTO, BATE), result(ERICSSON)]
    first = load(make_zip, monthly(9), *files)
    before = tables()
    second = load(make_zip, monthly(9), *files)

    assert (counts(first), counts(second)) == ({"new": 2, "unchanged": 1}, {"unchanged": 3})
    assert tables() == before
    assert VolumeCapVenue.objects.count() == 2


@pytest.mark.slow
def test_the_order_of_loading_makes_no_difference(make_zip: Write) -> None:
    files = {
        monthly(8): [result(VOLVO, XSTO, BATE), result(ERICSSON, BATE)],
        monthly(9): [
            result(VOLVO, venue("XSTO", "5"), BATE),
            result(VOLVO, XSTO, end="2025-08-31"),
        ],
        monthly(10): [result(VOLVO, BATE, XSTO), result(ERICSSON, BATE, percentage="1")],
        f"{monthly(10)}_b": [result(ERICSSON, BATE, percentage="2")],
    }
    outcomes = []
    for names in itertools.permutations(files):
        for model in (ResultFile, VolumeCap, Run, EsmaFile):
            model.objects.all().delete()
        for name in names:
            run = load(make_zip, name, *files[name])
            assert run.read == run.new + run.changed + run.late + run.unchanged
        outcomes.append(tables())

    assert all(outcome == outcomes[0] for outcome in outcomes)
    current = VolumeCap.objects.current().order_by("isin", "reported_period_to", "percentage")
    assert [(row.isin, str(row.percentage), row.venues.count()) for row in current] == [
        (ERICSSON, "1", 1),
        (ERICSSON, "2", 1),
        (VOLVO, "3.5", 1),
        (VOLVO, "3.5", 2),
    ]


NAMES = [monthly(8), monthly(9), f"{monthly(9)}_b", monthly(10)]
Record = tuple[str, str]  # ISIN, and percentage of XSTO


@st.composite
def revisions(draw: st.DrawFn) -> list[tuple[str, int, tuple[Record, ...]]]:
    """Files by name, hour of 8 November at which they were created, and content; some contents come again."""
    record = st.tuples(st.sampled_from([VOLVO, ERICSSON]), st.sampled_from(["4.2", "4.3"]))
    contents = st.lists(record, min_size=1, max_size=3).map(tuple)
    files = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)):
        pool = [draw(contents) for _ in range(2)]
        hours = range(draw(st.integers(1, 3)))
        files += [(name, hour, pool[hour % 2]) for hour in hours]
    return draw(st.permutations(files))


def expected(files: list[tuple[str, int, tuple[Record, ...]]]) -> set[Any]:
    """In the plainest Python: the records of the newest revisions, and the ones in the last publication."""
    newest = {name: records for name, _, records in sorted(files, key=lambda file: file[1])}
    names = sorted(newest, key=lambda name: (FileName.parse(name).sequence(), name))
    first: dict[Record, str] = {}
    last_day: dict[str, str] = {}
    held: dict[tuple[str, str], set[Record]] = {}
    for name in names:
        day = name.removesuffix("_b")
        for record in newest[name]:
            first.setdefault(record, name)
            last_day[record[0]] = day
            held.setdefault((record[0], day), set()).add(record)
    return {
        (*record, name, record not in held[record[0], last_day[record[0]]])
        for record, name in first.items()
    }


@pytest.mark.slow
@examples(40)
@given(files=revisions())
def test_any_revisions_in_any_order_give_the_rows_of_the_newest_ones(
    make_zip: Write, files: list[tuple[str, int, tuple[Record, ...]]]
) -> None:
    """Also where a third revision has the content of the first one again."""
    for model in (ResultFile, VolumeCap, Run, EsmaFile):
        model.objects.all().delete()
    for number, (name, hour, records) in enumerate(files):
        xml = dvcres.message(
            name,
            *(result(isin, venue("XSTO", share)) for isin, share in records),
        ).replace(b"2025-10-08T03:00:00Z</CreDt>", b"2025-11-08T%02d:00:00Z</CreDt>" % hour)
        run = fitrs.load(make_zip(name, xml, folder=f"file_{number}"))
        assert run.read == run.new + run.changed + run.late + run.unchanged == len(records)

    shown = {
        (
            row.isin,
            str(row.venues.get().percentage),
            row.source_file.name.removesuffix(".zip"),
            row.superseded,
        )
        for row in VolumeCap.objects.published().select_related("source_file")
    }
    assert shown == expected(files)
    assert VolumeCap.objects.published().count() == len(shown)
    assert not VolumeCap.objects.published().filter(source_position=0).exists()


@pytest.mark.sqlite  # its plans
def test_a_load_goes_from_what_changed_to_the_tables(make_zip: Write) -> None:
    load(make_zip, monthly(9), result(VOLVO, XSTO, BATE), result(ERICSSON))
    with planned() as rows:
        load(make_zip, monthly(10), result(VOLVO, BATE), result(ERICSSON))

    assert any("volumecapvenue" in sql for sql, _ in rows)
    assert [(sql, line) for sql, line in scans(rows) if "volumecap" in line] == []
    assert [(sql, line) for sql, line in rows if line.startswith("SCAN r")] == []
