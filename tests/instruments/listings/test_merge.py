"""The result of loading: ESMA's rules, in any order of files, and however often they are loaded."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection

from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.models import Instrument, Listing, ListingVersion, Underlying, WithdrawnRecord
from tests import firds
from tests.instruments.listings.merging import (
    DSB,
    VOLVO,
    Write,
    cancelled,
    counts,
    day,
    delta,
    full,
    load,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_modification_closes_the_open_record_the_day_before(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="Old", period=day(1)))

    run = load(
        make_zip, delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", name="New", period=day(5))
    )

    assert counts(run) == {"changed": 1}
    assert Listing.objects.get().full_name == "New"
    version = ListingVersion.objects.get()
    assert (version.full_name, version.valid_from, version.valid_to) == (
        "Old",
        dt.date(2025, 3, 1),
        dt.date(2025, 3, 4),
    )
    assert Instrument.objects.get().full_name == "New"


def test_a_termination_without_an_open_record_is_a_late_report(make_zip: Write) -> None:
    run = load(make_zip, delta(5), firds.record("TermntdRcrd", VOLVO, "XSTO", period=day(1)))

    assert counts(run) == {"ended": 1}
    assert Listing.objects.get().status == "terminated"


def test_a_termination_of_another_period_is_a_correction(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))

    load(
        make_zip, delta(5), firds.record("TermntdRcrd", VOLVO, "XSTO", period=day(3), until=day(4))
    )

    assert Listing.objects.get().valid_from == dt.date(2025, 3, 3)
    assert ListingVersion.objects.get().valid_to == dt.date(2025, 3, 2)


def test_a_termination_of_the_open_period_replaces_it(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))

    run = load(
        make_zip, delta(5), firds.record("TermntdRcrd", VOLVO, "XSTO", period=day(1), until=day(4))
    )

    assert counts(run) == {"ended": 1}
    replaced = ListingVersion.objects.get()
    assert replaced.valid_to < replaced.valid_from, "it counts for no day, and is not lost"


def test_a_termination_without_a_period_begins_on_the_day_of_its_file(make_zip: Write) -> None:
    load(make_zip, delta(5), firds.record("TermntdRcrd", VOLVO, "XSTO"))

    assert Listing.objects.get().valid_from == dt.date(2025, 3, 5)


def test_a_cancellation_is_a_tombstone_and_the_instrument_keeps_its_terms(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="Volvo", period=day(1)))

    run = load(make_zip, delta(5), firds.cancellation(VOLVO, "XSTO"))

    assert counts(run) == {"ended": 1}
    listing, instrument = Listing.objects.get(), Instrument.objects.get()
    assert (listing.status, listing.full_name) == ("cancelled", None)
    assert (instrument.status, instrument.full_name) == ("cancelled", "Volvo")
    assert ListingVersion.objects.get().full_name == "Volvo"


def test_a_record_that_comes_late_is_filed_below_the_newer_one(make_zip: Write) -> None:
    load(make_zip, delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", name="New", period=day(5)))

    run = load(
        make_zip, delta(3), firds.record("NewRcrd", VOLVO, "XSTO", name="Old", period=day(3))
    )

    assert counts(run) == {"late": 1}
    assert Listing.objects.get().full_name == "New"
    assert ListingVersion.objects.get().valid_to == dt.date(2025, 3, 4)


def test_a_full_file_after_its_deltas_changes_nothing(make_zip: Write) -> None:
    load(make_zip, delta(5), firds.record("NewRcrd", VOLVO, "XSTO", period=day(5)))

    run = load(make_zip, full(9), firds.record("RefData", VOLVO, "XSTO", period=day(5)))

    assert counts(run) == {"unchanged": 1}
    assert Listing.objects.get().source_file.name == f"{delta(5)}.zip"


def test_two_records_of_one_key_in_a_file_are_both_kept(make_zip: Write) -> None:
    run = load(
        make_zip,
        delta(5),
        firds.record("NewRcrd", VOLVO, "XSTO", name="First", period=day(5)),
        firds.record("ModfdRcrd", VOLVO, "XSTO", name="Second", period=day(5)),
    )

    assert counts(run) == {"new": 1, "late": 1}
    assert Listing.objects.get().full_name == "Second"
    assert ListingVersion.objects.get().full_name == "First"


def test_a_file_registered_later_replaces_one_created_at_the_same_time(make_zip: Write) -> None:
    """Both have the same CreDt. The record of the first one was never published."""
    for number, name in enumerate(("Wrong", "Right")):
        xml = firds.message(
            full(2), firds.record("RefData", VOLVO, "XSTO", name=name, period=day(1))
        )
        [loaded] = pipeline.load(
            pipeline.register_files([make_zip(full(2), xml, folder=str(number))])
        )
        assert loaded.error is None

    assert list(EsmaFile.objects.order_by("pk").values_list("revision", flat=True)) == [0, 1]
    assert Listing.objects.get().full_name == "Right"
    assert not ListingVersion.objects.exists()
    assert WithdrawnRecord.objects.get().full_name == "Wrong"


def test_the_instrument_speaks_by_its_listing_on_the_relevant_venue(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "AAAA", name="Elsewhere", period=day(1), relevant="XSTO"),
        firds.record("RefData", VOLVO, "XSTO", name="At home", period=day(1), relevant="XSTO"),
        firds.record("RefData", DSB, "AAAA", name="An OTC swap", period=day(1), cfi="SRCCSP"),
    )

    volvo = Instrument.objects.get(pk=VOLVO)
    assert (volvo.full_name, volvo.mic, volvo.listing_count) == ("At home", "XSTO", 2)
    assert Instrument.objects.get(pk=DSB).category == "S"


def test_a_name_is_found_in_any_case_of_any_letter(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", name="Företaget Å AB", period=day(1)),
    )

    for words in ("företaget", "FÖRETAGET", "ab å", VOLVO.lower(), VOLVO[:6].lower()):
        assert Instrument.objects.search(words).count() == 1, words
    assert Instrument.objects.search("företaget b%").count() == 0


def test_an_active_listing_speaks_before_one_that_has_ended(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "BBBB", name="Active", period=day(1)))
    load(
        make_zip,
        delta(5),
        firds.record("TermntdRcrd", VOLVO, "XSTO", name="Ended", period=day(1), relevant="XSTO"),
    )

    assert Instrument.objects.get().full_name == "Active"
    assert Instrument.objects.get().status == "active"


BASKET = "<DerivInstrmAttrbts><UndrlygInstrm><Bskt>{}</Bskt></UndrlygInstrm></DerivInstrmAttrbts>"


def test_a_basket_alone_makes_another_record(make_zip: Write) -> None:
    """Baskets are read apart from their records, which must not be taken for known without them."""
    baskets = [
        "",
        "<ISIN>SE0000108656</ISIN>",
        "<ISIN>SE0000108656</ISIN><ISIN>FI4000297767</ISIN>",
    ]
    runs = []
    for number, basket in enumerate(baskets, start=2):
        extra = BASKET.format(basket) if basket else ""
        records = [
            firds.record("RefData", VOLVO, "AAAA", period=day(1)),
            firds.record("RefData", VOLVO, "BBBB", period=day(1), extra=extra),
        ]
        runs.append(load(make_zip, full(number), *records))

    assert [counts(run) for run in runs] == [
        {"new": 2},
        {"changed": 1, "unchanged": 1},
        {"changed": 1, "unchanged": 1},
    ]
    assert Listing.objects.get(mic="BBBB").underlying_basket == "SE0000108656 FI4000297767"
    assert ListingVersion.objects.count() == 2


@pytest.mark.slow
def test_a_list_of_cancellations_cancels_once(make_zip: Write) -> None:
    """It may go on listing what was reported anew since: that stays, whatever it says of the past."""

    def listed(number: int, *, name: str) -> dict[str, int]:
        record = firds.record("CxlData", VOLVO, "XSTO", name=name, period=day(1))
        return counts(load(make_zip, cancelled(number), record))

    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    assert listed(5, name="One") == {"ended": 1}
    assert Listing.objects.get().status == "cancelled"
    assert Instrument.objects.get().full_name == "One"
    assert listed(6, name="One") == {"unchanged": 1}
    load(make_zip, delta(7), firds.record("NewRcrd", VOLVO, "XSTO", name="Two", period=day(7)))
    assert listed(8, name="One") == {"unchanged": 1}
    assert listed(9, name="One more") == {"late": 1}

    assert (Listing.objects.get().full_name, Listing.objects.get().status) == ("Two", "active")
    versions = ListingVersion.objects.order_by("source_file__sequence")
    assert [version.full_name for version in versions] == ["One", "One", "One more"]
    load(make_zip, delta(10), firds.cancellation(VOLVO, "XSTO"))
    assert Listing.objects.get().status == "cancelled"


def test_a_list_may_name_no_more_than_the_key(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, delta(5), firds.cancellation(VOLVO, "XSTO"))

    run = load(make_zip, cancelled(6), firds.cancellation(VOLVO, "XSTO", "CxlData"))

    assert counts(run) == {"unchanged": 1}
    assert Listing.objects.get().source_file.name.startswith("DLTINS")
    assert ListingVersion.objects.count() == 1


@pytest.mark.sqlite  # the trigger is one of SQLite
def test_a_merge_that_fails_half_way_leaves_nothing_of_itself(make_zip: Write) -> None:
    """The database refuses the second of the listings that are written anew."""
    load(
        make_zip,
        full(2),
        firds.record("RefData", DSB, "XOFF", name="Old", period=day(1)),
        firds.record("RefData", VOLVO, "XSTO", name="Old", period=day(1)),
    )
    listings = list(Listing.objects.order_by("id").values())
    changes = (
        firds.record("ModfdRcrd", DSB, "XOFF", name="New", period=day(5)),
        firds.record("ModfdRcrd", VOLVO, "XSTO", name="New", period=day(5)),
    )
    path = make_zip(delta(5), firds.message(delta(5), *changes))
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE TRIGGER refuses BEFORE UPDATE ON instruments_listing
            WHEN old.id = {listings[-1]["id"]} BEGIN SELECT RAISE(ABORT, 'no room left'); END
        """)
    try:
        with pytest.raises(IntegrityError, match="no room left"):
            list(pipeline.load(pipeline.register_files([path])))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuses")

    assert list(Listing.objects.order_by("id").values()) == listings
    assert not ListingVersion.objects.exists()
    assert {i.full_name for i in Instrument.objects.all()} == {"Old"}
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.run is not None
    assert counts(loaded.run) == {"changed": 2}
    assert ListingVersion.objects.count() == 2


def test_an_underlying_goes_when_no_listing_names_it_and_stays_while_one_does(
    make_zip: Write,
) -> None:
    def instrument(tag: str, mic: str, code: str, start: int) -> str:
        terms = (
            f"<DerivInstrmAttrbts><UndrlygInstrm><Sngl><ISIN>{code}</ISIN></Sngl></UndrlygInstrm>"
        )
        terms += "</DerivInstrmAttrbts>"
        return firds.record(tag, DSB, mic, cfi="SRCCSP", period=day(start), extra=terms)

    both, other = "SE0000115446", "DE000A1R07V3"
    load(
        make_zip,
        full(2),
        instrument("RefData", "XOFF", both, 1),
        instrument("RefData", "XSTO", both, 1),
    )
    assert named() == {(both, 1)}

    load(make_zip, delta(3), instrument("ModfdRcrd", "XOFF", other, 3))
    assert named() == {(both, 1), (other, 1)}

    load(make_zip, delta(4), instrument("ModfdRcrd", "XSTO", other, 4))
    assert named() == {(other, 1)}

    load(make_zip, delta(5), firds.cancellation(DSB, "XSTO"))
    assert named() == {(other, 1)}

    load(make_zip, delta(6), firds.cancellation(DSB, "XOFF"))
    assert named() == set()


def named() -> set[tuple[str, int]]:
    return set(Underlying.objects.values_list("code", "link"))
