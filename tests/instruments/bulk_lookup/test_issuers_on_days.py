"""Instruments of an issuer on a day, whichever issuer they have now."""

import datetime as dt
import importlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from curation import proposals
from curation.proposals import Proposal
from instruments import pipeline
from instruments.bulk_lookup.answers import MAX_MATCHES, IdType, Item, answer_items
from instruments.listings.load import pruning
from instruments.models import Instrument, OtherIssuer, Scope
from tests import firds
from tests.instruments.listings.merging import (
    DSB,
    VOLVO,
    Write,
    cancelled,
    day,
    delta,
    full,
    load,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Made-up texts with the form and the check digits of an LEI.
FIRST, SECOND, THIRD = "549300GDPG70E3MBBU98", "529900T8BM49AURSDO55", "549300HGV012CNC8JD22"


def record(
    tag: str, issuer: str, *, isin: str = VOLVO, mic: str = "XSTO", on: int = 1, **more: Any
) -> str:
    made = firds.record(tag, isin, mic, period=day(on), **more)
    return made.replace(FIRST, issuer)


def having(lei: str, **days: str) -> list[str]:
    on = {name: dt.date.fromisoformat(text) for name, text in days.items()}
    [answer] = answer_items(
        [Item(IdType.LEI, lei, as_of=on.get("as_of"), known_on=on.get("known_on"))]
    )
    assert "error" not in answer, answer
    return [row["isin"] for row in answer.get("data", [])]


def as_of(lei: str, number: int) -> list[str]:
    return having(lei, as_of=day(number))


def test_an_earlier_record_leads_to_the_instrument(make_zip: Write) -> None:
    load(make_zip, full(2), record("RefData", FIRST))
    load(make_zip, delta(5), record("ModfdRcrd", SECOND, on=5))
    load(make_zip, delta(9), record("ModfdRcrd", THIRD, on=9))

    assert [having(lei) for lei in (FIRST, SECOND, THIRD)] == [[], [], [VOLVO]]
    assert [as_of(FIRST, number) for number in (1, 4, 5)] == [[VOLVO], [VOLVO], []]
    assert [as_of(SECOND, number) for number in (4, 5, 8, 9)] == [[], [VOLVO], [VOLVO], []]
    assert [as_of(THIRD, number) for number in (8, 9)] == [[], [VOLVO]]
    assert having(SECOND, known_on=day(8)) == [VOLVO]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_loading_makes_no_difference(make_zip: Write, order: tuple[int, ...]) -> None:
    contents = [
        (full(2), record("RefData", FIRST)),
        (delta(5), record("ModfdRcrd", SECOND, on=5)),
        (delta(9), record("ModfdRcrd", THIRD, on=9)),
    ]
    for number in order:
        load(make_zip, *contents[number])

    assert [as_of(lei, n) for lei, n in ((FIRST, 3), (SECOND, 6), (THIRD, 9))] == [[VOLVO]] * 3


def test_a_listing_that_was_not_the_reference_leads_to_the_instrument(make_zip: Write) -> None:
    """On XHEL it had another issuer, and was listed there alone until 9 March."""
    load(make_zip, full(2), record("RefData", FIRST, mic="XHEL"))
    other = record("NewRcrd", SECOND, on=9, relevant="XSTO")
    load(make_zip, delta(9), other)

    assert (having(FIRST), having(SECOND)) == ([], [VOLVO])
    assert (as_of(FIRST, 8), as_of(FIRST, 9)) == ([VOLVO], [])
    load(make_zip, delta(12), firds.cancellation(VOLVO, "XSTO"))
    assert (as_of(FIRST, 12), as_of(SECOND, 12)) == ([VOLVO], [])
    assert having(SECOND, known_on=day(11)) == [VOLVO]


def test_a_cancelled_instrument_is_found_as_it_was_known(make_zip: Write) -> None:
    load(make_zip, full(2), record("RefData", FIRST))
    load(make_zip, cancelled(8), firds.cancellation(VOLVO, "XSTO", tag="CxlData"))

    assert having(FIRST, known_on=day(7)) == [VOLVO]
    assert as_of(FIRST, 5) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_withdrawn_record_leads_to_what_was_known(
    make_zip: Write, order: tuple[int, int]
) -> None:
    """The file is republished without one instrument, and with another issuer of the other one."""
    old = (record("RefData", FIRST), record("RefData", FIRST, isin=DSB))
    revisions = [(old, "02"), ((record("RefData", SECOND),), "06")]
    for number in order:
        records, created = revisions[number]
        xml = firds.message(full(2), *records, created=f"2025-03-{created}T03:00:00Z")
        [loaded] = pipeline.load(
            pipeline.register_files([make_zip(full(2), xml, folder=f"created_{created}")])
        )
        assert loaded.error is None

    assert having(FIRST, known_on=day(5)) == [DSB, VOLVO]
    assert having(SECOND, known_on=day(5)) == []
    assert (having(FIRST, known_on=day(6)), having(SECOND, known_on=day(6))) == ([], [VOLVO])
    assert not Instrument.objects.filter(pk=DSB).exists()


def test_a_corrected_issuer_leads_to_the_published_one(
    make_zip: Write, approve: Callable[..., None]
) -> None:
    load(make_zip, full(2), record("RefData", FIRST))
    approve(FIRST, THIRD)

    assert (having(FIRST), having(THIRD)) == ([], [VOLVO])
    assert (as_of(FIRST, 3), as_of(THIRD, 3)) == ([VOLVO], [])
    load(make_zip, delta(5), record("ModfdRcrd", SECOND, on=5))
    assert (as_of(FIRST, 4), as_of(SECOND, 5)) == ([VOLVO], [VOLVO])


@pytest.fixture
def approve() -> Callable[..., None]:
    def approve_issuer(expected: str, value: str) -> None:
        proposal = Proposal(
            register="ESMA", isin=VOLVO, field="issuer_lei", value=value, reason="By its prospectus"
        )
        correction = proposals.propose(proposal, by="anna")
        assert correction.expected == expected
        proposals.approve(correction, by="bert")

    return approve_issuer


def test_nothing_is_noted_of_most_instruments(make_zip: Write) -> None:
    load(make_zip, full(2), record("RefData", FIRST), record("RefData", FIRST, mic="XHEL"))
    load(make_zip, delta(5), record("ModfdRcrd", FIRST, on=5, name="Another"))
    assert not OtherIssuer.objects.exists()
    load(
        make_zip,
        delta(9),
        record("ModfdRcrd", SECOND, on=9),
        record("ModfdRcrd", SECOND, mic="XHEL"),
    )
    assert list(OtherIssuer.objects.values_list("lei", "isin")) == [(FIRST, VOLVO)]

    scope = Scope(register="ESMA", categories=["D"])
    list(pruning.pages(scope, delete=True))

    assert not OtherIssuer.objects.exists()


def test_an_issuer_that_many_instruments_had_is_refused(make_zip: Write) -> None:
    OtherIssuer.objects.bulk_create(
        OtherIssuer(lei=FIRST, isin=f"ZZ{number:010}") for number in range(MAX_MATCHES + 1)
    )
    [answer] = answer_items([Item(IdType.LEI, FIRST, as_of=dt.date(2025, 3, 1))])

    assert "or had it on some day" in answer["error"]


def test_the_migration_notes_what_loads_note(make_zip: Write) -> None:
    load(make_zip, full(2), record("RefData", FIRST), record("RefData", SECOND, mic="XHEL"))
    load(make_zip, delta(5), record("ModfdRcrd", THIRD, on=5))
    noted = set(OtherIssuer.objects.values_list("lei", "isin"))
    assert noted >= {(FIRST, VOLVO)}
    OtherIssuer.objects.all().delete()

    migration = importlib.import_module("instruments.migrations.0003_other_issuers")
    with connection.cursor() as cursor:
        cursor.execute(migration.FILL)

    assert set(OtherIssuer.objects.values_list("lei", "isin")) == noted


def test_the_issuer_in_a_cancellation_with_terms_is_kept(make_zip: Write) -> None:
    """The instrument keeps the terms of the last record that was valid, and the cancellation has others."""
    load(make_zip, full(2), record("RefData", FIRST))

    load(make_zip, delta(4), record("CancRcrd", SECOND, on=4))

    assert Instrument.objects.get().issuer_lei == FIRST
    assert list(OtherIssuer.objects.values_list("isin", "lei")) == [(VOLVO, SECOND)]
