"""Listings as they were known on a day, where their files were published again later."""

import datetime as dt
import itertools
from typing import Any

import pytest

from instruments import pipeline
from instruments.listings import history, reportability
from instruments.listings.timelines import read_timelines
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, delta, full
from tests.properties import mostly_slow

pytestmark = pytest.mark.django_db(transaction=True)

ERICSSON = "SE0000108656"
File = tuple[str, int, tuple[str, ...]]  # name, day of creation, records


def load_all(make_zip: Write, files: list[File], order: tuple[int, ...]) -> None:
    for number in order:
        name, created, records = files[number]
        xml = firds.message(name, *records, created=f"{day(created)}T03:00:00Z")
        path = make_zip(name, xml, folder=f"created_{created}")
        [loaded] = pipeline.load(pipeline.register_files([path]))
        assert loaded.error is None


def get_status(isin: str = ERICSSON, **days: int) -> str | None:
    when: Any = {name: dt.date(2025, 3, number) for name, number in days.items()}
    snapshot = history.get_snapshot(isin, **when)
    return str(snapshot.status) if snapshot else None


def listed(isin: str, **fields: Any) -> str:
    return firds.record("RefData", isin, "XSTO", period=day(1), **fields)


BOTH, ONE = (listed(VOLVO), listed(ERICSSON)), (listed(VOLVO),)


@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(4)), quick_share=4))
def test_a_set_that_lacked_a_listing_had_dropped_it_until_the_set_was_published_again(
    make_zip: Write, order: tuple[int, ...]
) -> None:
    """The set of 8 March has the listing only since the 12th; that of the 15th lacks it since the 19th."""
    load_all(
        make_zip,
        [(full(1), 1, BOTH), (full(8), 8, ONE), (full(8), 12, BOTH), (full(15), 15, BOTH)],
        order,
    )
    load_all(make_zip, [(full(15), 19, ONE)], (0,))

    known = [get_status(known_on=number) for number in (7, 8, 11, 12, 15, 18, 19)]
    assert known == ["active", "dropped", "dropped", "active", "active", "active", "dropped"]
    assert get_status(as_of=9, known_on=11) is None
    assert get_status(as_of=9, known_on=12) == "active"
    assert (get_status(as_of=16, known_on=18), get_status(as_of=16)) == ("active", None)
    on = dt.date(2025, 3, 10)
    reported = [
        reportability.get_reportability(ERICSSON, on=on, known_on=dt.date(2025, 3, number))
        for number in (11, 12)
    ]
    assert [answer.is_reportable for answer in reported] == [False, True]


def known_names(number: int) -> list[tuple[str, str]]:
    [timeline] = read_timelines(VOLVO, known_on=dt.date(2025, 3, number)) or [[]]
    return [(str(record.full_name), record.source_file.name[:15]) for record in timeline]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2)])
def test_a_record_that_a_republished_file_adds_was_known_from_a_full_file_already(
    make_zip: Write, order: tuple[int, ...]
) -> None:
    """ESMA adds to the delta of 6 March, on the 12th, what the full set of the 8th had."""
    changed = firds.record("ModfdRcrd", VOLVO, "XSTO", name="Changed", period=day(6))
    other = firds.record("NewRcrd", ERICSSON, "XSTO", period=day(6))
    load_all(make_zip, [(full(1), 1, (listed(VOLVO, name="Old"),))], (0,))
    in_set = changed.replace("<FinInstrm><ModfdRcrd>", "<RefData>")
    in_set = in_set.replace("</ModfdRcrd></FinInstrm>", "</RefData>")
    load_all(
        make_zip,
        [
            (delta(6), 6, (other,)),
            (full(8), 8, (in_set, listed(ERICSSON))),
            (delta(6), 12, (other, changed)),
        ],
        order,
    )
    later = firds.record("ModfdRcrd", VOLVO, "XSTO", name="Later", period=day(14))

    for newest in ([], [("Later", "DLTINS_20250314")]):
        names = [[name for name, _ in known_names(number)] for number in (6, 7, 8, 11, 12)]
        assert names == [*[["Old"]] * 2, *[["Old", "Changed"]] * 3]
        assert known_names(20)[2:] == newest
        load_all(make_zip, [(delta(14), 14, (later,))], (0,))


def test_a_record_that_was_withdrawn_was_known_by_the_file_that_had_it_first(
    make_zip: Write,
) -> None:
    """A new record begins a new period of trading; the full set that repeats it does not say so."""
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", name="Old", period=day(1), until=day(3))
    end = "<FrstTradDt>2014-01-14T09:00:00Z</FrstTradDt><TermntnDt>2025-03-03T00:00:00Z</TermntnDt>"
    ended = ended.replace("<FrstTradDt>2014-01-14T09:00:00Z</FrstTradDt>", end)
    new = firds.record("NewRcrd", VOLVO, "XSTO", name="New", period=day(6))
    new = new.replace("2014-01-14", "2025-03-02")
    other = firds.record("NewRcrd", ERICSSON, "XSTO", period=day(6))
    in_set = new.replace("<FinInstrm><NewRcrd>", "<RefData>")
    in_set = in_set.replace("</NewRcrd></FinInstrm>", "</RefData>")
    files: list[File] = [
        (delta(4), 4, (ended,)),
        (delta(6), 6, (new, other)),
        (full(8), 8, (in_set, listed(ERICSSON))),
        (delta(6), 12, (other,)),
    ]
    load_all(make_zip, files, (0, 1, 2, 3))

    assert known_names(9)[-1] == ("New", "DLTINS_20250306")
    assert known_names(12)[-1] == ("New", "FULINS_E_202503")
    on = dt.date(2020, 1, 2)
    reported = [
        reportability.get_reportability(VOLVO, on=on, known_on=dt.date(2025, 3, number))
        for number in (9, 12)
    ]
    assert [answer.is_reportable for answer in reported] == [True, False]


def test_a_set_without_a_listing_tells_that_it_was_not_in_the_register_before_its_first_record(
    make_zip: Write,
) -> None:
    """The made records were first traded in 2014, and the full file does not say that they are new."""
    load_all(make_zip, [(full(1), 1, ONE), (full(8), 8, ONE)], (0, 1))
    first = firds.record("RefData", ERICSSON, "XSTO", period=day(15))
    load_all(make_zip, [(full(15), 15, (*ONE, first))], (0,))

    assert get_status(as_of=15) == "active"
    assert [get_status(as_of=number) for number in (1, 8, 14)] == [None] * 3
    snapshot = history.get_snapshot(ERICSSON, as_of=dt.date(2025, 2, 28))
    assert snapshot is not None
    assert history.get_basis(snapshot.listings[0]) == "earliest_known"


def test_a_set_without_a_listing_counts_before_a_late_termination(make_zip: Write) -> None:
    load_all(make_zip, [(full(1), 1, ONE), (full(8), 8, ONE)], (0, 1))
    late = firds.record("TermntdRcrd", ERICSSON, "XSTO", period=day(10), until=day(11))
    load_all(make_zip, [(delta(12), 12, (late,))], (0,))

    assert [get_status(as_of=number) for number in (8, 9, 10, 11, 12)] == [
        *(None, None, "active", "active", None)
    ]


def test_the_last_of_the_records_of_a_day_decides_which_sets_a_listing_is_missed_in(
    make_zip: Write,
) -> None:
    """Two full files of a day have it, as an equity and as debt; later sets have it as debt alone."""
    bond = firds.record("RefData", ERICSSON, "XPAR", period=day(1), cfi="DBFTFB")
    debt = firds.record("RefData", VOLVO, "XSTO", period=day(1), cfi="DBFTFB")
    sets = [(full(number).replace("_E_", "_D_"), number, (bond, debt)) for number in (8, 15)]
    load_all(
        make_zip, [(full(8), 8, ONE), (full(15), 15, (listed(ERICSSON),)), *sets], (0, 2, 1, 3)
    )

    snapshot = history.get_snapshot(VOLVO)
    assert snapshot is not None
    assert (snapshot.status, snapshot.cfi_code) == ("active", "DBFTFB")
    assert get_status(VOLVO, as_of=16) == "active"
