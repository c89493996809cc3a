"""Listings that a full set lacks, and a later publication has again: what held in between."""

import datetime as dt
import itertools
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from instruments import pipeline
from instruments.listings import history, reportability
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, delta, full, load
from tests.instruments.listings.model import MadeFile, MadeRecord
from tests.instruments.listings.test_any_order import clear
from tests.properties import examples

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
ERICSSON = "SE0000108656"


def listed(isin: str, **fields: Any) -> str:
    return firds.record("RefData", isin, "XSTO", period=day(1), **fields)


def date(number: int) -> dt.date:
    return dt.date(2025, 3, number)


def status(**when: int) -> str | None:
    """Return the status of Ericsson's listing; None if it had none."""
    days: Any = {name: date(number) for name, number in when.items()}
    instrument = history.get_snapshot(ERICSSON, **days)
    return str(instrument.status) if instrument else None


def load_with_gap(make_zip: Write, order: tuple[int, ...] = (1, 8, 15, 22)) -> None:
    """Load the full sets of four Saturdays; those of the 8th and the 15th lack Ericsson."""
    for number in order:
        isins = [VOLVO] if number in (8, 15) else [VOLVO, ERICSSON]
        load(make_zip, full(number), *map(listed, isins))


@pytest.mark.slow
def test_a_listing_is_dropped_until_a_set_has_it_again_in_whatever_order_they_are_loaded(
    make_zip: Write,
) -> None:
    for order in list(itertools.permutations((1, 8, 15, 22)))[::5]:
        load_with_gap(make_zip, order)

        assert [status(as_of=number) for number in (7, 8, 15, 21, 22)] == [
            *("active", None, None, None, "active")
        ], order
        assert [status(known_on=number) for number in (7, 8, 21, 22)] == [
            *("active", "dropped", "dropped", "active")
        ], order
        assert status(as_of=10, known_on=7) == "active"
        assert status(as_of=7, known_on=10) == "active"
        assert status() == "active"
        clear()


def test_reportability_in_between_is_that_of_what_was_known(
    make_zip: Write, client: Client
) -> None:
    """The newest record has no end, so the set that lacked the listing was wrong, as is known now."""
    load_with_gap(make_zip)

    def ask(on: int, known_on: int | None = None) -> tuple[bool, str]:
        known = date(known_on) if known_on else None
        answer = reportability.get_reportability(ERICSSON, on=date(on), known_on=known)
        return answer.is_reportable, answer.listings[0].reason

    missing = "missing from the full set of 2025-03-08, without a published termination"
    assert ask(10)[0] is True
    assert ask(10, known_on=16) == (False, f"first traded 2014-01-14, {missing}")
    assert ask(7, known_on=16)[0] is True
    path = f"/api/v1/instruments/{ERICSSON}/"
    assert client.get(path, {"known_on": "2025-03-16"}).json()["status"] == "dropped"
    assert client.get(path, {"as_of": "2025-03-16"}).status_code == 404


def test_a_later_record_prevails_from_its_first_day_on(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON))
    load(make_zip, full(8), listed(VOLVO))
    renamed = firds.record("ModfdRcrd", ERICSSON, "XSTO", name="Renamed", period=day(12))
    load(make_zip, delta(14), renamed)

    assert [status(as_of=number) for number in (7, 8, 11, 12, 14)] == [
        *("active", None, None, "active", "active")
    ]
    assert [status(known_on=number) for number in (7, 13, 14)] == ["active", "dropped", "active"]
    assert status(as_of=12, known_on=13) is None


def test_a_published_end_counts_more_than_a_set_that_lacks_the_listing(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON))
    ended = firds.record("TermntdRcrd", ERICSSON, "XSTO", period=day(1), until=day(20))
    load(make_zip, delta(5), ended)
    load(make_zip, full(8), listed(VOLVO))

    assert [status(as_of=number) for number in (7, 8, 20, 21)] == [
        "active",
        "active",
        "active",
        None,
    ]
    assert status(known_on=9) == "terminated"


SATURDAYS = (1, 8, 15, 22)
MICS = st.sets(st.sampled_from(["XSTO", "XPAR"]))


def in_set(mic: str) -> MadeRecord:
    return MadeRecord(tag="RefData", isin=ERICSSON, mic=mic, name="A", period=day(1))


def in_delta(tag: str, mic: str) -> MadeRecord:
    return MadeRecord(tag=tag, isin=ERICSSON, mic=mic, name="B", period=day(3))


SETS = st.dictionaries(st.sampled_from(SATURDAYS), MICS, min_size=2)
DELTAS = st.dictionaries(
    st.sampled_from([3, 5, 10, 12, 17]),
    st.builds(
        in_delta,
        st.sampled_from(["ModfdRcrd", "NewRcrd", "TermntdRcrd", "CancRcrd"]),
        st.sampled_from(["XSTO", "XPAR"]),
    ),
    max_size=2,
)


def describe(known_on: int | None = None) -> dict[str, tuple[Any, ...]]:
    """Return status, set that dropped it, and name of each of Ericsson's listings, by venue."""
    day_ = None if known_on is None else date(known_on)
    instrument = history.get_snapshot(ERICSSON, known_on=day_)
    return {
        row.mic: (str(row.status), history.get_drop_day(row), row.full_name)
        for row in (instrument.listings if instrument else ())
    }


@pytest.mark.slow
@examples(60)
@given(
    sets=SETS,
    deltas=DELTAS,
    shuffled=st.randoms(use_true_random=False),
    known_on=st.integers(1, 23),
)
def test_what_was_known_on_a_day_is_what_its_files_alone_would_say(
    sets: dict[int, set[str]],
    deltas: dict[int, MadeRecord],
    shuffled: Any,
    known_on: int,
    make_zip: Write,
) -> None:
    volvo = MadeRecord(tag="RefData", isin=VOLVO, mic="XSTO", name="V", period=day(1))
    files = {
        **{
            number: MadeFile(full(number), (volvo, *map(in_set, sorted(mics))))
            for number, mics in sets.items()
        },
        **{number: MadeFile(delta(number), (record,)) for number, record in deltas.items()},
    }

    def load_files(numbers: list[int]) -> None:
        clear()
        for number in numbers:
            path = make_zip(files[number].name, files[number].xml())
            [loaded] = pipeline.load(pipeline.register_files([path]))
            assert loaded.error is None

    load_files(sorted(number for number in files if number <= known_on))
    expected = describe()
    order = list(files)
    shuffled.shuffle(order)
    load_files(order)

    assert describe(known_on) == expected
