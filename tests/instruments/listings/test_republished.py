"""Republished files: the newest revision of a name counts, as if the older ones had never been loaded."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esma_files.models import EsmaFile, Run
from instruments import pipeline
from instruments.listings import history, scoping
from instruments.listings.timelines import read_timelines, read_timelines_of
from instruments.models import (
    Difference,
    FullFile,
    Instrument,
    ListedVenue,
    Listing,
    ListingVersion,
    Reconciliation,
    Register,
)
from tests import firds
from tests.conftest import DATA
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, full
from tests.instruments.listings.model import MadeFile, expected, found
from tests.instruments.listings.test_any_order import (
    clear,
    derive_anew,
    dump,
    indexed,
    made_files,
)
from tests.properties import examples, mostly_slow

pytestmark = pytest.mark.django_db(transaction=True)
CASE = DATA / "cases" / "republished_same_name"


def load_path(path: Path) -> Run:
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.error is None
    assert loaded.run is not None
    return loaded.run


def load_revision(make_zip: Write, name: str, hour: int, *records: str) -> Run:
    """Load a made file that was created at this hour of 9 March."""
    created = f"2025-03-09T{hour:02}:00:00Z"
    return load_path(
        make_zip(name, firds.message(name, *records, created=created), folder=f"at_{hour}")
    )


def counts_of_sets() -> list[Any]:
    columns = ("listed", "same", "missed", "different", "late", "extra", "by_field")
    keys = ("register", "category", "published_on", "parts")
    return list(Reconciliation.objects.order_by(*keys).values_list(*keys, *columns))


def state() -> list[Any]:
    return [
        dump(),
        indexed(),
        sorted(ListedVenue.objects.values_list("mic", "listings", "eu_listings")),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "order", mostly_slow(itertools.permutations(["1", "2", "d1", "d2"])), ids="-".join
)
def test_a_case_from_a_public_report_ends_as_if_only_the_newest_had_been_loaded(
    order: tuple[str, ...],
) -> None:
    for folder in ("2", "d2"):
        load_path(CASE / folder)
    alone = state()
    keys = sorted(Listing.objects.values_list("isin", "mic", "status"))
    clear()

    for folder in order:
        load_path(CASE / folder)

    assert sorted(Listing.objects.values_list("isin", "mic", "status")) == keys
    assert state() == alone
    assert {file.created_at.hour for file in EsmaFile.objects.all() if file.created_at} == {3, 12}


def test_reconciliation_counts_the_newest_revision_only(make_zip: Write) -> None:
    """Between two sets, a part is published twice; its first revision lacks one and has another name.

    Between them, a delta has another code: only the newest of two versions is compared.
    """

    def listed(isin: str, mic: str = "XSTO", name: str = "A name", **fields: Any) -> str:
        return firds.record("RefData", isin, mic, name=name, **{"period": day(1), **fields})

    def load_earlier() -> None:
        load_revision(make_zip, full(1), 1, listed(VOLVO), listed(DSB), listed(DSB, "XPAR"))
        changed = firds.record(
            "ModfdRcrd", VOLVO, "XSTO", name="A name", cfi="ESNUFR", period=day(4)
        )
        load_revision(make_zip, delta(4), 1, changed)

    load_earlier()
    renamed = listed(VOLVO, name="Renamed", cfi="ESNUFR", period=day(4))
    newest = [renamed, listed(DSB), listed(VOLVO, "XPAR")]
    load_revision(make_zip, full(8), 3, *newest)
    alone = counts_of_sets(), sorted(Difference.objects.values_list("kind", "isin", "mic"))
    assert alone[0][1][4:] == (3, 1, 1, 1, 0, 1, {"full_name": 1, "short_name": 1})
    clear()

    load_earlier()
    load_revision(make_zip, full(8), 2, listed(VOLVO, name="Wrong"), listed(VOLVO, "XPAR"))
    load_revision(make_zip, full(8), 3, *newest)

    assert counts_of_sets() == alone[0]
    assert sorted(Difference.objects.values_list("kind", "isin", "mic")) == alone[1]
    assert FullFile.objects.count() == 2


def test_an_instrument_is_active_again_when_its_set_is_published_again_with_it(
    make_zip: Write,
) -> None:
    """Nothing but the mark of a dropped listing changes: its record is known already."""
    records = [firds.record("RefData", isin, "XSTO", period=day(1)) for isin in (VOLVO, DSB)]
    load_revision(make_zip, full(1), 1, *records)
    load_revision(make_zip, full(8), 2, records[1])
    assert Instrument.objects.get(pk=VOLVO).status == "dropped"

    load_revision(make_zip, full(8), 3, *records)

    assert Instrument.objects.get(pk=VOLVO).status == "active"
    kept = state()
    derive_anew()
    assert state() == kept


def test_a_withdrawn_record_that_a_later_file_repeats_is_that_files(make_zip: Write) -> None:
    record = firds.record("RefData", VOLVO, "XSTO", name="Volvo", period=day(1))
    new = record.replace("RefData>", "NewRcrd>")
    new = f"<FinInstrm>{new}</FinInstrm>"
    other = firds.record("NewRcrd", DSB, "XOFF", period=day(2))
    load_revision(make_zip, delta(2), 1, new, other)
    load_revision(make_zip, full(3), 2, record)
    key = Listing.objects.get(isin=VOLVO).pk
    assert Listing.objects.get(isin=VOLVO).source_file.name == f"{delta(2)}.zip"

    run = load_revision(make_zip, delta(2), 3, other)

    listing = Listing.objects.get(isin=VOLVO)
    assert (listing.pk, listing.source_file.name) == (key, f"{full(3)}.zip")
    assert (listing.record_kind, listing.source_position) == ("full", 1)
    assert "withdraws 1." in run.report[0]
    assert not ListingVersion.objects.exists()


def test_a_later_record_outside_the_scope_is_not_read_again(make_zip: Write) -> None:
    """The listing is no longer followed: the only record of it in the scope is withdrawn."""
    scoping.change(Register.ESMA, {"authorities": ["SE"]})
    other = firds.record("NewRcrd", DSB, "XSTO", period=day(2))
    followed = firds.record("NewRcrd", VOLVO, "XSTO", period=day(2))
    moved = firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(3), authority="DK")
    load_revision(make_zip, delta(3), 2, moved)
    load_revision(make_zip, delta(2), 1, other, followed)
    assert Listing.objects.get(isin=VOLVO).competent_authority == "SE"

    load_revision(make_zip, delta(2), 3, other)

    assert [listing.isin for listing in Listing.objects.all()] == [DSB]
    assert not ListingVersion.objects.exists()


def test_a_later_file_that_is_not_stored_is_marked_to_be_loaded_again(make_zip: Write) -> None:
    new = firds.record("NewRcrd", VOLVO, "XSTO", name="Volvo", period=day(1))
    load_revision(make_zip, delta(2), 1, new)
    load_revision(make_zip, delta(3), 2, new)
    later = EsmaFile.objects.get(name=f"{delta(3)}.zip")
    later.content.storage.delete(later.stored_name)

    run = load_revision(make_zip, delta(2), 3, firds.record("NewRcrd", DSB, "XOFF", period=day(2)))

    later.refresh_from_db()
    assert later.scope_number is None
    assert "1 later file may" in run.report[1]
    assert not Listing.objects.filter(isin=VOLVO).exists()


def test_an_older_revision_that_comes_late_changes_nothing(make_zip: Write) -> None:
    load_revision(make_zip, delta(2), 2, firds.record("NewRcrd", VOLVO, "XSTO", period=day(2)))
    before = state()

    run = load_revision(make_zip, delta(2), 1, firds.record("NewRcrd", DSB, "XOFF", period=day(2)))

    assert state() == before
    assert "newer revision" in run.report[0]
    assert (run.read, run.unchanged, run.new) == (1, 1, 0)
    assert EsmaFile.objects.get(runs=run).state == EsmaFile.State.LOADED


def test_an_empty_revision_withdraws_all_of_a_delta(make_zip: Write) -> None:
    load_revision(make_zip, delta(2), 1, firds.record("NewRcrd", VOLVO, "XSTO", period=day(2)))

    load_revision(make_zip, delta(2), 2)

    assert not Listing.objects.exists()
    assert not Instrument.objects.exists()
    assert not ListedVenue.objects.exists()
    assert indexed() == []


def test_what_was_known_before_the_newer_revision_came_is_still_answered(make_zip: Write) -> None:
    """The delta of 2 March was republished on 9 March, with another venue and another name."""
    same = firds.record("NewRcrd", VOLVO, "XSTO", name="Same", period=day(2))
    load_revision(make_zip, full(1), 1, firds.record("RefData", VOLVO, "XAAA", period=day(1)))
    wrong = firds.record("NewRcrd", VOLVO, "XWRO", name="Wrong", period=day(2))
    load_revision(make_zip, delta(2), 1, same, wrong)
    right = firds.record("NewRcrd", VOLVO, "XRIG", name="Right", period=day(2))
    load_revision(make_zip, delta(2), 2, same, right)

    def venues(known_on: int | None) -> list[str]:
        day_ = dt.date(2025, 3, known_on) if known_on else None
        snapshot = history.get_snapshot(VOLVO, known_on=day_)
        return [listing.mic for listing in snapshot.listings] if snapshot else []

    assert venues(None) == ["XAAA", "XRIG", "XSTO"]
    assert venues(9) == ["XAAA", "XRIG", "XSTO"]
    assert venues(8) == ["XAAA", "XSTO", "XWRO"]
    assert venues(1) == ["XAAA"]


@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(3))))
def test_revisions_in_any_order_are_known_on_the_days_on_which_they_were_the_newest(
    make_zip: Write, order: tuple[int, ...]
) -> None:
    """Of a delta of 2 March, created on 3, 5 and 7 March: the third one has a record of the first again."""
    contents = [(3, {"XAAA": "A", "XBBB": "A"}), (5, {"XAAA": "B"}), (7, {"XAAA": "A"})]
    for number in order:
        created, names = contents[number]
        records = [
            firds.record("NewRcrd", VOLVO, mic, name=name, period=day(1))
            for mic, name in names.items()
        ]
        xml = firds.message(delta(2), *records, created=f"2025-03-0{created}T05:00:00Z")
        load_path(make_zip(delta(2), xml, folder=f"revision_{number}"))

    for day_ in range(1, 9):
        timelines = read_timelines(VOLVO, known_on=dt.date(2025, 3, day_))
        known = [(record.mic, record.full_name) for timeline in timelines for record in timeline]
        newest = [names for created, names in contents if created <= day_] or [contents[0][1]]
        assert known == (list(newest[-1].items()) if day_ > 1 else []), day_


# ISIN, MIC and name of a record of made files that differ in nothing else.
Name = tuple[str, str, str]


@st.composite
def dated_revisions(draw: st.DrawFn) -> list[tuple[str, int, tuple[Name, ...]]]:
    """Revisions of a delta of 2 March with the days of their creation, and perhaps an earlier full file."""
    keys = [(VOLVO, "XAAA"), (VOLVO, "XBBB"), (DSB, "XAAA")]
    contents = st.lists(
        st.tuples(st.sampled_from(keys), st.sampled_from(["A", "B"])),
        unique_by=lambda record: record[0],
    ).map(lambda records: tuple((*key, name) for key, name in records))
    files = [
        (delta(2), day_, draw(contents))
        for day_ in draw(st.lists(st.integers(3, 8), min_size=2, max_size=4, unique=True))
    ]
    if draw(st.booleans()):
        files.append((full(1), 1, draw(contents.filter(bool))))
    files = [file for n, file in enumerate(files) if file[::2] not in [f[::2] for f in files[:n]]]
    return draw(st.permutations(files))


def known_on(day_: int) -> list[Name]:
    timelines = read_timelines_of([VOLVO, DSB], known_on=dt.date(2025, 3, day_))
    return sorted(
        (record.isin, record.mic, str(record.full_name))
        for of_isin in timelines.values()
        for timeline in of_isin
        for record in timeline
    )


@pytest.mark.slow
@examples(30)
@example([(delta(2), 3, ()), (delta(2), 5, ((VOLVO, "XAAA", "A"),))])
@given(files=dated_revisions())
def test_what_was_known_on_a_day_is_what_the_revisions_of_that_day_contain(
    make_zip: Write, files: list[tuple[str, int, tuple[Name, ...]]]
) -> None:
    """The revision that was the newest one on the day counts, in whatever order they are loaded."""
    clear()
    for number, (name, day_, names) in enumerate(files):
        tag = "RefData" if name.startswith("FULINS") else "NewRcrd"
        records = [
            firds.record(tag, isin, mic, name=name_, period=day(1)) for isin, mic, name_ in names
        ]
        xml = firds.message(name, *records, created=f"2025-03-0{day_}T05:00:00Z")
        load_path(make_zip(name, xml, folder=f"revision_{number}"))

    by_day = sorted(files, key=lambda file: file[1])
    for day_ in range(1, 10):
        expected_names: set[Name] = set()
        for name in {name for name, *_ in files if day_ > 1 or name == full(1)}:
            revisions_ = [file for file in by_day if file[0] == name]
            created = [file for file in revisions_ if file[1] <= day_] or revisions_[:1]
            expected_names |= set(created[-1][2])
        assert known_on(day_) == sorted(expected_names)


@st.composite
def revisions(draw: st.DrawFn) -> list[tuple[MadeFile, int]]:
    """Made files with the hour at which each was created; some names have several revisions."""
    files = draw(made_files())
    others = {file.name: file for file in draw(made_files())}
    dated = [(file, draw(st.integers(0, 2)) * 3) for file in files]
    for n, file in enumerate(files):
        if draw(st.booleans()):
            pool = [
                other for other in (*files, *others.values()) if other.name[:6] == file.name[:6]
            ]
            again = MadeFile(file.name, draw(st.sampled_from(pool)).records)
            if again.records != file.records:
                dated.append((again, dated[n][1] + 1))
    return draw(st.permutations(dated))


@pytest.mark.slow
@examples(60)
@given(files=revisions(), in_one_load=st.booleans())
def test_any_revisions_in_any_order_come_to_what_the_newest_ones_say(
    make_zip: Write, files: list[tuple[MadeFile, int]], in_one_load: bool
) -> None:
    """In one load, files are staged while others are merged."""
    clear()
    newest: dict[str, tuple[int, MadeFile]] = {}
    paths = []
    for number, (file, hour) in enumerate(files):
        created = f"2025-03-09T{hour:02}:00:00Z"
        records = [record.xml() for record in file.records]
        xml = firds.message(file.name, *records, created=created)
        paths.append(make_zip(file.name, xml, folder=f"revision_{number}"))
        if not in_one_load:
            load_path(paths[-1])
        if file.name not in newest or hour > newest[file.name][0]:
            newest[file.name] = hour, file
    if in_one_load:
        registered = [file for path in paths for file in pipeline.register_files([path])]
        assert [loaded.error for loaded in pipeline.load(registered)] == [None] * len(paths)

    assert found() == expected(file for _, file in newest.values())
    counted: dict[str, int] = {}
    for mic in Listing.objects.values_list("mic", flat=True):
        counted[mic] = counted.get(mic, 0) + 1
    assert dict(ListedVenue.objects.values_list("mic", "listings")) == counted
    piecemeal = dump(), indexed()
    derive_anew()
    assert (dump(), indexed()) == piecemeal
