"""As of a day, as known on a day, and the changes, compared with a plain model of ESMA's algorithm."""

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
from tests.conftest import DATA
from tests.instruments.listings.merging import VOLVO, Write, cancelled, day, delta, full, load
from tests.instruments.listings.model import MadeFile, MadeRecord, in_publication_order
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = f"/api/v1/instruments/{VOLVO}/"


def date(number: int) -> dt.date:
    return dt.date(2025, 3, number)


@pytest.fixture
def volvo(make_zip: Write) -> None:
    """A listing of 1 March, renamed on the 5th, corrected on the 9th from the 4th on, ended on the 20th."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Two", period=day(5)))
    load(make_zip, delta(9), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Three", period=day(4)))
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", name="Three", period=day(4), until=day(19))
    load(make_zip, delta(20), ended)


def name(**when: dt.date) -> str | None:
    instrument = history.get_snapshot(VOLVO, **when)  # type: ignore[arg-type]
    return instrument.full_name if instrument else None


@pytest.mark.usefixtures("volvo")
def test_as_of_gives_the_record_valid_on_the_day() -> None:
    names = [name(as_of=date(number)) for number in (1, 3, 4, 5, 9, 19, 20, 31)]

    assert names == ["One", "One", "Three", "Three", "Three", "Three", None, None]


@pytest.mark.usefixtures("volvo")
def test_before_the_first_record_the_answer_is_that_record_and_named_so() -> None:
    """The made records are traded from 14 January 2014 on."""
    instrument = history.get_snapshot(VOLVO, as_of=dt.date(2025, 2, 28))

    assert instrument is not None
    assert instrument.full_name == "One"
    assert history.get_basis(instrument.listings[0]) == "earliest_known"
    assert name(as_of=dt.date(2014, 1, 14)) == "One"
    assert name(as_of=dt.date(2014, 1, 13)) is None


def test_before_a_new_record_the_register_had_no_listing(make_zip: Write) -> None:
    load(make_zip, delta(5), firds.record("NewRcrd", VOLVO, "XSTO", name="One", period=day(5)))

    assert [name(as_of=date(number)) for number in (4, 5)] == [None, "One"]


@pytest.mark.usefixtures("volvo")
def test_known_on_uses_only_files_published_by_then() -> None:
    names = [name(known_on=date(number)) for number in (1, 2, 4, 5, 8, 9, 20)]

    assert names == [None, "One", "One", "Two", "Two", "Three", "Three"]
    known = history.get_snapshot(VOLVO, known_on=date(19))
    assert known is not None
    assert known.status == "active"


@pytest.mark.usefixtures("volvo")
def test_as_of_and_known_on_can_be_combined() -> None:
    assert name(as_of=date(4), known_on=date(8)) == "One"
    assert name(as_of=date(5), known_on=date(8)) == "Two"
    assert name(as_of=date(5), known_on=date(9)) == "Three"
    assert name(as_of=date(25), known_on=date(19)) == "Three"
    assert name(as_of=date(25), known_on=date(20)) is None


def test_a_cancelled_listing_was_known_but_never_valid(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    there = firds.record("RefData", VOLVO, "XPAR", name="There", period=day(1))
    here = firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1))
    load(make_zip, full(3), here, there)
    load(make_zip, delta(10), firds.cancellation(VOLVO, "XSTO"))
    load(make_zip, delta(15), firds.record("NewRcrd", VOLVO, "XSTO", name="Anew", period=day(15)))

    def venues(**when: dt.date) -> dict[str, str]:
        instrument = history.get_snapshot(VOLVO, **when)  # type: ignore[arg-type]
        assert instrument is not None
        return {row.mic: row.full_name or row.status for row in instrument.listings}

    assert venues(as_of=date(5)) == {"XPAR": "There"}
    assert venues(as_of=date(5), known_on=date(9)) == {"XPAR": "There", "XSTO": "One"}
    assert venues(known_on=date(9)) == {"XPAR": "There", "XSTO": "One"}
    assert venues(known_on=date(10)) == {"XPAR": "There", "XSTO": "cancelled"}
    assert venues(as_of=date(15)) == {"XPAR": "There", "XSTO": "Anew"}


@pytest.mark.slow
def test_a_repeated_cancellation_in_a_list_cancels_nothing_new(make_zip: Write) -> None:
    def listed(name: str) -> str:
        return firds.record("CxlData", VOLVO, "XSTO", name=name, period=day(1))

    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, cancelled(5), listed("One"))
    load(make_zip, delta(7), firds.record("NewRcrd", VOLVO, "XSTO", name="Two", period=day(7)))
    load(make_zip, cancelled(9), listed("Otherwise"))

    assert [name(as_of=date(number)) for number in (3, 6, 7, 30)] == [None, None, "Two", "Two"]
    assert name(as_of=date(3), known_on=date(4)) == "One"
    names = [version.record.full_name for version in history.read_versions(VOLVO)]
    assert names == ["Two", "One", "Otherwise", "One"]


def test_a_termination_without_a_period_ends_a_listing(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, delta(9), firds.record("TermntdRcrd", VOLVO, "XSTO", name="One"))

    assert [name(as_of=date(number)) for number in (1, 8, 9, 30)] == ["One", "One", None, None]
    terminated, active = history.read_versions(VOLVO)
    assert (terminated.validity.valid_to, terminated.validity.was_valid) == (None, False)
    assert (active.validity.valid_to, active.validity.was_valid) == (date(8), True)


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_the_api_answers_as_of_and_as_known(client: Client) -> None:
    latest = client.get(ADDRESS).json()
    assert (latest["full_name"], latest["status"]) == ("Three", "terminated")
    then = client.get(ADDRESS, {"as_of": "2025-03-03"}).json()
    assert (then["full_name"], then["status"], then["listing_count"]) == ("One", "active", 1)
    assert then.keys() == latest.keys()
    assert then["listings"][0].keys() == latest["listings"][0].keys()
    assert then["listings"][0]["valid_from"] == "2025-03-01"
    assert (then["basis"], latest["basis"]) == ("valid_on_day", "newest_record")
    assert (then["as_of"], then["known_on"]) == ("2025-03-03", None)
    both = client.get(ADDRESS, {"as_of": "2025-03-05", "known_on": "2025-03-08"}).json()
    assert both["full_name"] == "Two"
    ended = client.get(ADDRESS, {"as_of": "2025-03-25"})
    assert (ended.status_code, "valid on 2025-03-25" in ended.json()["detail"]) == (404, True)
    earlier = client.get(ADDRESS, {"as_of": "2025-02-28"}).json()
    assert (earlier["basis"], earlier["source_file"]) == ("earliest_known", f"{full(2)}.zip")
    assert "not known" in earlier["rule"]
    assert (earlier["source_position"], earlier["published_on"]) == (1, "2025-03-02")
    assert client.get(ADDRESS, {"as_of": "yesterday"}).status_code == 400


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_history_lists_each_record_and_its_changes(client: Client) -> None:
    versions = client.get(f"{ADDRESS}history/").json()["results"]

    columns = ("valid_from", "valid_to", "was_valid", "published_on", "status")
    assert [tuple(version[name] for name in columns) for version in versions] == [
        ("2025-03-04", "2025-03-19", True, "2025-03-20", "terminated"),
        ("2025-03-04", None, False, "2025-03-09", "active"),
        ("2025-03-05", None, False, "2025-03-05", "active"),
        ("2025-03-01", "2025-03-04", True, "2025-03-02", "active"),
    ]
    assert versions[0]["rule"] == "The publication period ends on 2025-03-19."
    assert versions[1]["rule"] == "Replaced by the record valid from 2025-03-04."
    assert versions[1]["changes"]["full_name"] == {"old": "Two", "new": "Three"}
    assert versions[0]["changes"]["status"] == {"old": "active", "new": "terminated"}
    assert "full_name" not in versions[0]["changes"]
    assert versions[-1]["changes"] == {}


@pytest.mark.slow
def test_no_record_ends_before_it_begins(real_instruments: None, client: Client) -> None:
    for isin in Instrument.objects.values_list("pk", flat=True)[::5]:
        for version in history.read_versions(isin):
            validity = version.validity
            assert validity.valid_to is None or validity.valid_to >= validity.valid_from


@pytest.mark.usefixtures("anonymous_reading")
def test_days_without_a_neighbour_are_answered(client: Client) -> None:
    """A real termination whose publication period starts on the first day of the calendar."""
    [path] = (DATA / "cases" / "year_one_single").glob("*.zip")
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.error is None
    address = "/api/v1/instruments/NO0010883416/"

    [version] = client.get(f"{address}history/").json()["results"]

    assert (version["valid_from"], version["valid_to"]) == ("0001-01-01", None)
    assert (version["status"], version["was_valid"]) == ("terminated", False)
    for as_of in ("0001-01-01", "0001-01-02", "2021-03-01", "9999-12-31"):
        answer = client.get(address, {"as_of": as_of})
        assert answer.status_code == 404, as_of
        assert "no listing that was valid" in answer.json()["detail"]
    assert client.get(address).json()["status"] == "terminated"
    assert client.get("/instruments/NO0010883416/").status_code == 200
    with pytest.raises(CommandError, match="no listing that was valid"):
        call_command("instruments", "get", "NO0010883416", "--as-of", "0001-01-01")
    call_command("instruments", "get", "NO0010883416", "--history", stdout=io.StringIO())


@pytest.mark.slow
@pytest.mark.usefixtures("anonymous_reading")
def test_the_last_day_of_the_calendar_is_answered(make_zip: Write, client: Client) -> None:
    """As the start, and as the end of a publication period."""
    last = "9999-12-31"
    records = (
        firds.record("RefData", VOLVO, "A1A1", name="One", period=last),
        firds.record("RefData", VOLVO, "B1B1", name="Two", period=day(1), until=last),
    )
    load(make_zip, full(2), *records)

    by_mic = {v.record.mic: v.validity for v in history.read_versions(VOLVO)}
    assert [by_mic[mic].valid_to for mic in ("A1A1", "B1B1")] == [None, None]
    instrument = history.get_snapshot(VOLVO, as_of=dt.date.max)
    assert instrument is not None
    assert len(instrument.listings) == 2
    for query in ({"as_of": last}, {"known_on": last}, {"on": last}):
        assert client.get(f"/instruments/{VOLVO}/", query).status_code == 200
    dossier = client.get(f"/api/v1/instruments/{VOLVO}/dossier/", {"on": last})
    assert dossier.status_code == 200
    ranged = client.get("/api/v1/instruments/", {"first_trade_after": last})
    assert ranged.json()["results"] == []


@pytest.mark.usefixtures("volvo", "anonymous_reading")
def test_the_command_answers_as_the_api_does(client: Client) -> None:
    def run(*arguments: str) -> Any:
        out = io.StringIO()
        call_command("instruments", "get", VOLVO, *arguments, "--format", "json", stdout=out)
        return json.loads(out.getvalue())

    assert run("--as-of", "2025-03-03") == client.get(ADDRESS, {"as_of": "2025-03-03"}).json()
    assert run("--known-on", "2025-03-05")["full_name"] == "Two"
    assert run("--history") == client.get(f"{ADDRESS}history/").json()["results"]
    with pytest.raises(CommandError, match="no listing that was valid on 2025-03-25"):
        run("--as-of", "2025-03-25")
    out = io.StringIO()
    call_command("instruments", "get", VOLVO, "--history", stdout=out)
    assert "full_name: Two > Three" in out.getvalue()


@pytest.mark.slow
def test_real_records_answer_for_any_day(
    real_instruments: None, django_assert_max_num_queries: Any
) -> None:
    for isin in Instrument.objects.values_list("pk", flat=True)[:50]:
        latest = Instrument.objects.get(pk=isin)
        known = history.get_snapshot(isin, known_on=dt.date(2026, 1, 1))
        assert known is not None
        assert (known.mic, known.status) == (latest.mic, latest.status)
        with django_assert_max_num_queries(4):
            history.get_snapshot(isin, as_of=dt.date(2025, 9, 1))


def published(files: list[MadeFile], known_on: dt.date) -> list[tuple[str, MadeRecord, dt.date]]:
    """Return venue, record and first day of each distinct record known on a day, in order."""
    records: dict[tuple[Any, ...], tuple[str, MadeRecord, dt.date]] = {}
    for file in in_publication_order(files):
        published_on = dt.date.fromisoformat(file.day)
        for record in file.records if published_on <= known_on else ():
            cancelled = record.tag == "CancRcrd"
            began = published_on
            if record.period and not cancelled:
                began = dt.date.fromisoformat(record.period)
            ends = record.tag == "TermntdRcrd"
            key = (
                record.mic,
                cancelled,
                ends,
                None if cancelled else (record.name, record.period),
                began,
            )
            records.setdefault(key, (record.mic, record, began))
    return list(records.values())


def expected_names(files: list[MadeFile], *, as_of: dt.date, known_on: dt.date) -> dict[str, str]:
    """Return the names of the listings that answer for a day, by venue.

    ESMA's rules, one record after the other: the open row is closed by the next. For a day before the
    first record of a listing, that record answers, unless it is new or was cancelled.
    """
    rows: dict[str, list[tuple[str, dt.date, dt.date]]] = {}
    first: dict[str, tuple[MadeRecord, dt.date]] = {}
    cancelled = set()
    for mic, record, began in published(files, known_on):
        listing = rows.setdefault(mic, [])
        first.setdefault(mic, (record, began))
        if record.tag == "CancRcrd":
            listing.clear()
            cancelled.add(mic)
            continue
        before = began - dt.timedelta(days=1)
        if listing:
            name, since, until = listing.pop()
            listing.append((name, since, min(until, before)))
        end = before if record.tag == "TermntdRcrd" else dt.date.max
        listing.append((record.name, began, end))
    answers = {}
    for mic, listing in rows.items():
        for name, since, until in listing:
            if since <= as_of <= until:
                answers[mic] = name  # Of two, the one published later.
        record, began = first[mic]
        if (
            mic not in answers
            and mic not in cancelled
            and record.tag != "NewRcrd"
            and as_of < began
        ):
            answers[mic] = record.name
    return answers


DAYS = st.integers(1, 12)
RECORDS = st.builds(
    MadeRecord,
    tag=st.sampled_from(["NewRcrd", "ModfdRcrd", "TermntdRcrd", "CancRcrd"]),
    isin=st.just(VOLVO),
    mic=st.sampled_from(["XSTO", "XPAR"]),
    name=st.sampled_from(["A", "B", "C"]),
    period=st.one_of(st.none(), DAYS.map(day)),
)
FILES = st.dictionaries(
    DAYS, st.lists(RECORDS, min_size=1, max_size=2, unique_by=lambda record: record.mic), max_size=6
)


@pytest.mark.slow
@examples(60)
@given(files=FILES, shuffled=st.randoms(use_true_random=False), as_of=DAYS, known_on=DAYS)
def test_any_files_in_any_order_agree_with_the_model(
    files: dict[int, list[MadeRecord]], shuffled: Any, as_of: int, known_on: int, make_zip: Write
) -> None:
    for model in (Listing, ListingVersion, Instrument, ListedVenue, Run, EsmaFile):
        model.objects.all().delete()
    made = [MadeFile(delta(number), tuple(records)) for number, records in files.items()]
    order = list(made)
    shuffled.shuffle(order)
    for file in order:
        [loaded] = pipeline.load(pipeline.register_files([make_zip(file.name, file.xml())]))
        assert loaded.error is None

    instrument = history.get_snapshot(VOLVO, as_of=date(as_of), known_on=date(known_on))

    answers = {row.mic: row.full_name for row in instrument.listings} if instrument else {}
    assert answers == expected_names(made, as_of=date(as_of), known_on=date(known_on))


def test_a_record_of_the_first_day_of_the_calendar_replaces_another(make_zip: Write) -> None:
    """The record before it would end on a day that does not exist."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(
        make_zip,
        delta(3),
        firds.record("ModfdRcrd", VOLVO, "XSTO", name="Two", period="0001-01-01"),
    )

    assert Listing.objects.get().full_name == "Two"
    assert ListingVersion.objects.get().valid_to == dt.date.min
    newest, oldest = history.read_versions(VOLVO)
    assert (newest.validity.valid_from, oldest.validity.was_valid) == (dt.date.min, False)
