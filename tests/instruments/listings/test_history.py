"""As of a day, as known on a day, and what changed: against ESMA's algorithm, played out plainly."""

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from esma_files.models import EsmaFile, Run
from instruments import pipeline
from instruments.listings import history
from instruments.models import Instrument, ListedVenue, Listing, ListingVersion
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, cancelled, day, delta, full, load
from tests.instruments.listings.model import MadeFile, Said
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = f"/api/v1/instruments/{VOLVO}/"


def date(number: int) -> dt.date:
    return dt.date(2025, 3, number)


@pytest.fixture
def volvo(make_zip: Write) -> None:
    """Listed on 1 March, renamed on the 5th, corrected on the 9th from the 4th on, ended on the 20th."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Two", period=day(5)))
    load(make_zip, delta(9), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Three", period=day(4)))
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", name="Three", period=day(4), until=day(19))
    load(make_zip, delta(20), ended)


def name(**when: dt.date) -> str | None:
    found = history.snapshot(VOLVO, **when)  # type: ignore[arg-type]
    return found.full_name if found else None


@pytest.mark.usefixtures("volvo")
def test_what_was_valid_by_todays_knowledge() -> None:
    found = [name(as_of=date(number)) for number in (1, 3, 4, 5, 9, 19, 20, 31)]

    assert found == ["One", "One", "Three", "Three", "Three", "Three", None, None]
    assert history.snapshot(VOLVO, as_of=dt.date(2025, 2, 28)) is None


@pytest.mark.usefixtures("volvo")
def test_what_was_known_then() -> None:
    found = [name(known_on=date(number)) for number in (1, 2, 4, 5, 8, 9, 20)]

    assert found == [None, "One", "One", "Two", "Two", "Three", "Three"]
    known = history.snapshot(VOLVO, known_on=date(19))
    assert known is not None
    assert known.status == "active"


@pytest.mark.usefixtures("volvo")
def test_what_was_thought_to_be_valid_then() -> None:
    assert name(as_of=date(4), known_on=date(8)) == "One"
    assert name(as_of=date(5), known_on=date(8)) == "Two"
    assert name(as_of=date(5), known_on=date(9)) == "Three"
    assert name(as_of=date(25), known_on=date(19)) == "Three"
    assert name(as_of=date(25), known_on=date(20)) is None


def test_what_is_cancelled_was_never_valid_and_yet_known(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, full(3), firds.record("RefData", VOLVO, "XPAR", name="There", period=day(1)))
    load(make_zip, delta(10), firds.cancellation(VOLVO, "XSTO"))
    load(make_zip, delta(15), firds.record("NewRcrd", VOLVO, "XSTO", name="Anew", period=day(15)))

    def venues(**when: dt.date) -> dict[str, str]:
        found = history.snapshot(VOLVO, **when)  # type: ignore[arg-type]
        assert found is not None
        return {listing.mic: listing.full_name or listing.status for listing in found.listings}

    assert venues(as_of=date(5)) == {"XPAR": "There"}
    assert venues(as_of=date(5), known_on=date(9)) == {"XPAR": "There", "XSTO": "One"}
    assert venues(known_on=date(9)) == {"XPAR": "There", "XSTO": "One"}
    assert venues(known_on=date(10)) == {"XPAR": "There", "XSTO": "cancelled"}
    assert venues(as_of=date(15)) == {"XPAR": "There", "XSTO": "Anew"}


def test_what_a_list_of_cancellations_repeats_cancels_nothing_new(make_zip: Write) -> None:
    def listed(name: str) -> str:
        return firds.record("CxlData", VOLVO, "XSTO", name=name, period=day(1))

    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, cancelled(5), listed("One"))
    load(make_zip, delta(7), firds.record("NewRcrd", VOLVO, "XSTO", name="Two", period=day(7)))
    load(make_zip, cancelled(9), listed("Otherwise"))

    assert [name(as_of=date(number)) for number in (3, 6, 7, 30)] == [None, None, "Two", "Two"]
    assert name(as_of=date(3), known_on=date(4)) == "One"
    told = [version.record.full_name for version in history.versions(VOLVO)]
    assert told == ["Two", "One", "Otherwise", "One"]


@pytest.mark.usefixtures("anonymous_reading")
def test_where_an_instrument_was_reportable_on_a_day(make_zip: Write, client: Client) -> None:
    """Traded from 14 January 2014 in the made records, if nothing else is said."""
    until = "<TermntnDt>2025-03-06T23:00:00Z</TermntnDt></TradgVnRltdAttrbts>"
    ending = firds.record("RefData", VOLVO, "XPAR", name="There", period=day(1))
    later = firds.record("RefData", VOLVO, "XETR", name="Later", period=day(1))
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)),
        ending.replace("</TradgVnRltdAttrbts>", until),
        later.replace("2014-01-14T09:00:00Z", "2025-03-05T09:00:00Z"),
    )
    load(make_zip, delta(9), firds.record("TermntdRcrd", VOLVO, "XSTO", name="One"))

    def venues(**asked: str) -> list[str]:
        found = client.get(f"{ADDRESS}reportable/", asked).json()
        assert found["reportable"] == bool(found["venues"])
        return [venue["mic"] for venue in found["venues"]]

    assert venues(on="2025-02-28") == []
    assert venues(on="2025-03-04") == ["XPAR", "XSTO"]
    assert venues(on="2025-03-06") == ["XETR", "XPAR", "XSTO"]
    assert venues(on="2025-03-07") == ["XETR", "XSTO"]
    assert venues(on="2025-03-10") == ["XETR"]
    assert venues(on="2025-03-10", known_on="2025-03-08") == ["XETR", "XSTO"]
    assert venues() == ["XETR"]
    assert client.get(f"{ADDRESS}reportable/", {"day": "2025-03-10"}).status_code == 400
    assert client.get("/api/v1/instruments/SE0000108656/reportable/").status_code == 404
    out = io.StringIO()
    call_command("instruments", "reportable", VOLVO, "--on", "2025-03-10", stdout=out)
    assert "XETR" in out.getvalue()
    assert "XSTO" not in out.getvalue()


def test_a_termination_without_a_period_ends_a_listing(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, delta(9), firds.record("TermntdRcrd", VOLVO, "XSTO", name="One"))

    assert [name(as_of=date(number)) for number in (1, 8, 9, 30)] == ["One", "One", None, None]


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_the_api_answers_as_of_and_as_known(client: Client) -> None:
    latest = client.get(ADDRESS).json()
    assert (latest["full_name"], latest["status"]) == ("Three", "terminated")
    then = client.get(ADDRESS, {"as_of": "2025-03-03"}).json()
    assert (then["full_name"], then["status"], then["listing_count"]) == ("One", "active", 1)
    assert then.keys() == latest.keys()
    assert then["listings"][0].keys() == latest["listings"][0].keys()
    assert then["listings"][0]["valid_from"] == "2025-03-01"
    both = client.get(ADDRESS, {"as_of": "2025-03-05", "known_on": "2025-03-08"}).json()
    assert both["full_name"] == "Two"
    gone = client.get(ADDRESS, {"as_of": "2025-03-25"})
    assert (gone.status_code, "valid on 2025-03-25" in gone.json()["detail"]) == (404, True)
    assert client.get(ADDRESS, {"as_of": "yesterday"}).status_code == 400


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_history_tells_each_record_and_its_changes(client: Client) -> None:
    found = client.get(f"{ADDRESS}history/").json()["results"]

    shown = [(v["valid_from"], v["valid_to"], v["published_on"], v["status"]) for v in found]
    assert shown == [
        ("2025-03-04", "2025-03-19", "2025-03-20", "terminated"),
        ("2025-03-04", "2025-03-03", "2025-03-09", "active"),
        ("2025-03-05", "2025-03-03", "2025-03-05", "active"),
        ("2025-03-01", "2025-03-04", "2025-03-02", "active"),
    ]
    assert found[1]["changes"]["full_name"] == {"old": "Two", "new": "Three"}
    assert found[0]["changes"]["status"] == {"old": "active", "new": "terminated"}
    assert "full_name" not in found[0]["changes"]
    assert found[-1]["changes"] == {}


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_the_command_answers_as_the_api_does(client: Client) -> None:
    def run(*arguments: str) -> Any:
        out = io.StringIO()
        call_command("instruments", "get", VOLVO, *arguments, "--format", "json", stdout=out)
        return json.loads(out.getvalue())

    assert run("--as-of", "2025-03-03") == client.get(ADDRESS, {"as_of": "2025-03-03"}).json()
    assert run("--known-on", "2025-03-05")["full_name"] == "Two"
    assert run("--history") == client.get(f"{ADDRESS}history/").json()["results"]
    with pytest.raises(CommandError, match="no listing as of 2025-03-25"):
        run("--as-of", "2025-03-25")
    out = io.StringIO()
    call_command("instruments", "get", VOLVO, "--history", stdout=out)
    assert "full_name: Two > Three" in out.getvalue()


def test_real_records_can_be_asked_for_any_day(
    real_instruments: None, django_assert_num_queries: Any
) -> None:
    for isin in Instrument.objects.values_list("pk", flat=True)[:50]:
        latest = Instrument.objects.get(pk=isin)
        known = history.snapshot(isin, known_on=dt.date(2026, 1, 1))
        assert known is not None
        assert (known.mic, known.status) == (latest.mic, latest.status)
        with django_assert_num_queries(3):
            history.snapshot(isin, as_of=dt.date(2025, 9, 1))


def published(files: list[MadeFile], known_on: dt.date) -> list[tuple[str, Said, dt.date]]:
    """Venue, record and first day of each distinct record known by then, in order."""
    records: dict[tuple[Any, ...], tuple[str, Said, dt.date]] = {}
    for file in sorted(files, key=lambda file: file.order):
        of_file = dt.date.fromisoformat(file.day)
        for said in file.records if of_file <= known_on else ():
            cancelled = said.tag == "CancRcrd"
            began = of_file
            if said.period and not cancelled:
                began = dt.date.fromisoformat(said.period)
            ends = said.tag == "TermntdRcrd"
            key = (
                said.mic,
                cancelled,
                ends,
                None if cancelled else (said.name, said.period),
                began,
            )
            records.setdefault(key, (said.mic, said, began))
    return list(records.values())


def played(files: list[MadeFile], *, as_of: dt.date, known_on: dt.date) -> dict[str, str]:
    """ESMA's rules, one record after the other: the open row is closed by the next.

    Returns the names of the listings that are valid, by venue.
    """
    rows: dict[str, list[tuple[str, dt.date, dt.date]]] = {}
    for mic, said, began in published(files, known_on):
        listing = rows.setdefault(mic, [])
        if said.tag == "CancRcrd":
            listing.clear()
            continue
        before = began - dt.timedelta(days=1)
        if listing:
            name, since, until = listing.pop()
            listing.append((name, since, min(until, before)))
        listing.append((said.name, began, before if said.tag == "TermntdRcrd" else dt.date.max))
    valid = {}
    for mic, listing in rows.items():
        for name, since, until in listing:
            if since <= as_of <= until:
                valid[mic] = name  # of two, the one that came later
    return valid


DAYS = st.integers(1, 12)
SAID = st.builds(
    Said,
    tag=st.sampled_from(["NewRcrd", "ModfdRcrd", "TermntdRcrd", "CancRcrd"]),
    isin=st.just(VOLVO),
    mic=st.sampled_from(["XSTO", "XPAR"]),
    name=st.sampled_from(["A", "B", "C"]),
    period=st.one_of(st.none(), DAYS.map(day)),
)
FILES = st.dictionaries(
    DAYS, st.lists(SAID, min_size=1, max_size=2, unique_by=lambda said: said.mic), max_size=6
)


@examples(60)
@given(files=FILES, shuffled=st.randoms(use_true_random=False), as_of=DAYS, known_on=DAYS)
def test_any_files_in_any_order_give_what_the_rules_give(
    files: dict[int, list[Said]], shuffled: Any, as_of: int, known_on: int, make_zip: Write
) -> None:
    for model in (Listing, ListingVersion, Instrument, ListedVenue, Run, EsmaFile):
        model.objects.all().delete()
    made = [MadeFile(delta(number), tuple(records)) for number, records in files.items()]
    order = list(made)
    shuffled.shuffle(order)
    for file in order:
        [loaded] = pipeline.load(pipeline.register_files([make_zip(file.name, file.xml())]))
        assert loaded.error is None

    found = history.snapshot(VOLVO, as_of=date(as_of), known_on=date(known_on))

    valid = {of.mic: of.full_name for of in found.listings} if found else {}
    assert valid == played(made, as_of=date(as_of), known_on=date(known_on))
