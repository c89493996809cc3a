"""What of a register is loaded, and what comes of changing it."""

import io
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from audit.models import Event
from esma_files.models import EsmaFile, RejectedRecord, Run
from instruments import scoping, steps
from instruments.models import (
    CfiCode,
    Instrument,
    ListedVenue,
    Listing,
    ListingVersion,
    Register,
    Scope,
)
from tests import firds
from tests.accounts.people import make, signed_in
from tests.conftest import FIRDS
from tests.instruments.merging import DSB, VOLVO, Write, counts, day, delta, full, load
from tests.instruments.model import MadeFile, Said, expected, found
from tests.instruments.test_any_order import FILES, KEYS, clear, dump

pytestmark = pytest.mark.django_db(transaction=True)

EU = Register.ESMA


def set_scope(**criteria: list[str]) -> Scope:
    return scoping.change(EU, criteria)


def total(run: Run) -> int:
    return sum(counts(run).values()) - run.dropped + run.outside


def test_a_full_file_is_taken_as_far_as_it_is_in_scope(make_zip: Write) -> None:
    set_scope(venues=["xsto"])
    records = [
        firds.record("RefData", VOLVO, "XSTO", period=day(1)),
        firds.record("RefData", VOLVO, "XPAR", period=day(1)),
        # What is out of scope is not rejected either.
        firds.record("RefData", "SE0000115447", "XPAR", period=day(1)),
    ]
    run = load(make_zip, full(2), *records)

    assert (counts(run), run.read, run.outside) == ({"new": 1}, 3, 2)
    assert [listing.mic for listing in Listing.objects.all()] == ["XSTO"]
    assert not RejectedRecord.objects.exists()


@pytest.mark.parametrize(
    ("criteria", "taken"),
    [
        ({}, {"E SE", "D SE", "E DE", "E "}),
        ({"categories": ["E"]}, {"E SE", "E DE", "E "}),
        ({"categories": ["E"], "authorities": ["SE"]}, {"E SE", "E "}),
        ({"authorities": ["DE"]}, {"E DE", "E "}),
        ({"isins": [DSB]}, {"D SE"}),
        ({"categories": ["E"], "authorities": ["DE"], "isins": [DSB]}, {"D SE", "E DE", "E "}),
        ({"categories": ["F"], "venues": ["AAAA"]}, set()),
    ],
)
def test_kinds_are_all_met_and_listed_isins_are_always_in(
    make_zip: Write, criteria: dict[str, list[str]], taken: set[str]
) -> None:
    """A record that does not say its authority is not ruled out by one."""
    set_scope(**criteria)
    records = [
        firds.record("NewRcrd", VOLVO, "AAAA", name="E SE"),
        firds.record("NewRcrd", DSB, "AAAA", name="D SE", cfi="DBFTFB"),
        firds.record("NewRcrd", VOLVO, "BBBB", name="E DE", authority="DE"),
        firds.record("NewRcrd", VOLVO, "CCCC", name="E ", authority=""),
    ]
    run = load(make_zip, delta(2), *records)

    assert set(Listing.objects.values_list("full_name", flat=True)) == taken
    assert run.outside == 4 - len(taken)
    # The same by the columns of the tables.
    scope = Scope.objects.current(EU)
    set_scope()
    load(make_zip, delta(2), *records)
    assert (
        set(Listing.objects.filter(scope.condition()).values_list("full_name", flat=True)) == taken
    )


def test_what_is_followed_is_ended_by_records_that_do_not_say_what_they_are(
    make_zip: Write,
) -> None:
    set_scope(categories=["E"], authorities=["SE"])
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    run = load(
        make_zip,
        delta(3),
        firds.cancellation(VOLVO, "XSTO", "CancRcrd"),
        firds.cancellation(DSB, "XSTO", "CancRcrd"),
    )

    assert (counts(run), run.outside) == ({"ended": 1}, 1)
    assert [(row.isin, row.status) for row in Listing.objects.all()] == [(VOLVO, "cancelled")]
    assert counts(load(make_zip, delta(3), firds.cancellation(VOLVO, "XSTO", "CancRcrd")))


def test_what_is_followed_goes_on_being_followed_when_it_moves_away(make_zip: Write) -> None:
    set_scope(authorities=["SE"])
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="Here", period=day(1)))
    moved = firds.record("ModfdRcrd", VOLVO, "XSTO", name="There", period=day(3), authority="DE")
    assert counts(load(make_zip, delta(3), moved)) == {"changed": 1}
    assert Instrument.objects.get().full_name == "There"


def test_a_bad_record_of_a_followed_listing_is_rejected_and_others_are_not(make_zip: Write) -> None:
    set_scope(authorities=["SE"])
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    bad = {"authority": "DE", "cfi": "E0VUFR"}
    run = load(
        make_zip,
        delta(3),
        firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(3), **bad),
        firds.record("ModfdRcrd", DSB, "XSTO", period=day(3), **bad),
    )

    assert (run.rejected, run.outside, total(run)) == (1, 1, run.read)
    assert [row.isin for row in RejectedRecord.objects.all()] == [VOLVO]


def test_a_file_of_a_category_out_of_scope_is_not_read(make_zip: Write) -> None:
    set_scope(categories=["D"])
    run = load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert (run.read, run.state, run.file.state) == (0, "done", "loaded")  # type: ignore[union-attr]
    assert run.report == ["Category E is out of scope: the file was not read."]

    set_scope(categories=["D", "E"])
    [again] = scoping.backfill(EU)
    assert again.run is not None
    assert counts(again.run) == {"new": 1}


def test_a_late_file_has_later_deltas_read_anew(make_zip: Write) -> None:
    set_scope(categories=["E"])
    assert load(make_zip, delta(5), firds.cancellation(VOLVO, "XSTO", "CancRcrd")).outside == 1
    run = load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert run.report == ["It came late: `manage.py scope backfill` reads 1 later files anew."]

    assert [loaded.file.name for loaded in scoping.backfill(EU)] == [f"{delta(5)}.zip"]
    assert Listing.objects.get().status == "cancelled"
    assert scoping.backlog(EU) == scoping.Backlog([], [])


def test_a_file_that_is_not_stored_any_more_is_named(make_zip: Write) -> None:
    set_scope(categories=["D"])
    run = load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert run.file is not None
    run.file.enter(EsmaFile.State.DELETED)
    set_scope()

    said = io.StringIO()
    call_command("scope", "backfill", stdout=io.StringIO(), stderr=said)
    assert f"{full(2)}.zip lacks something of it and is not stored any more" in said.getvalue()


def test_the_registers_have_scopes_of_their_own(make_zip: Write) -> None:
    set_scope(categories=["D"])
    record = firds.record("RefData", VOLVO, "XSTO", period=day(1))
    load(make_zip, full(2), record)
    load(make_zip, full(2), record, source="fca_firds")

    assert [row.register for row in Listing.objects.all()] == ["FCA"]
    set_scope()
    assert [file.source for file in scoping.backlog(EU).stored] == ["esma_firds"]
    assert scoping.backlog(Register.FCA).stored == []


def test_real_files_narrow_and_then_whole_are_as_whole_from_the_beginning() -> None:
    paths = [*sorted(FIRDS.glob("FULINS_*_2025*.zip")), FIRDS / "DLTINS_20210117_01of01.zip"]

    def load_all() -> None:
        for loaded in steps.load(steps.take_in(paths)):
            assert loaded.error is None
            assert loaded.run is not None
            assert total(loaded.run) == loaded.run.read

    load_all()
    whole = dump()
    clear()
    set_scope(categories=["D"], authorities=["DE"])
    load_all()
    assert 0 < Listing.objects.count() < len(whole) / 4
    set_scope()
    for loaded in scoping.backfill(EU):
        assert loaded.error is None

    assert dump() == whole


def test_scopes_are_set_and_shown_by_command() -> None:
    out = io.StringIO()
    call_command("scope", "set", "--categories", "e", "D", "--authorities", "SE,DE", stdout=out)
    assert out.getvalue() == "ESMA: categories D, E; authorities DE, SE\n"
    event_ = Event.objects.get(action="scope.set")
    assert (event_.object_id, event_.new["categories"]) == ("ESMA", ["D", "E"])  # type: ignore[index]
    shown = io.StringIO()
    call_command("scope", "show", "--format", "json", stdout=shown)
    eu, uk = json.loads(shown.getvalue())
    assert (eu["authorities"], uk["number"], uk["set_at"]) == (["DE", "SE"], 0, None)
    with pytest.raises(
        CommandError, match=r"--isins: SE0000115447: .*should be 6.*--venues|--venues"
    ):
        call_command("scope", "set", "--venues", "X", "--isins", "SE0000115447")
    assert Scope.objects.count() == 1


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ({}, {"categories": ["E"]}, True),
        ({"categories": ["E"]}, {}, False),
        ({"categories": ["D", "E"]}, {"categories": ["E"]}, True),
        ({"categories": ["E"]}, {"categories": ["E"], "venues": ["XSTO"]}, True),
        ({"categories": ["E"], "venues": ["XSTO"]}, {"categories": ["E"]}, False),
        ({"categories": ["E"]}, {"isins": [VOLVO]}, False),
        ({"categories": ["E"], "isins": [VOLVO]}, {"isins": [VOLVO]}, True),
        ({"isins": [VOLVO]}, {"categories": ["E"], "isins": [VOLVO]}, False),
    ],
)
def test_one_scope_covers_another(
    wide: dict[str, list[str]], narrow: dict[str, list[str]], *, covered: bool
) -> None:
    assert Scope(**wide).covers(Scope(**narrow)) is covered


Criteria = dict[str, list[str]]
CRITERIA = st.fixed_dictionaries(
    {
        "categories": st.sampled_from([[], ["E"], ["D"], ["D", "E"]]),
        "authorities": st.sampled_from([[], ["SE"], ["DE"]]),
        "venues": st.sampled_from([[], [], ["AAAA"]]),
        "isins": st.sampled_from([[], [], [VOLVO]]),
    }
)


def wider(criteria: Criteria, more: Criteria) -> Criteria:
    """A scope with all of the first one in it."""
    if not any(criteria.values()):
        return criteria
    kinds = ("categories", "authorities", "venues")
    if not any(criteria[kind] for kind in kinds):
        if not any(more[kind] for kind in kinds):
            return {**criteria, "isins": sorted({*criteria["isins"], *more["isins"]})}
        return {**more, "isins": criteria["isins"]}
    found = {
        kind: sorted({*criteria[kind], *more[kind]}) if criteria[kind] and more[kind] else []
        for kind in kinds
    }
    if not any(found.values()):
        return {kind: [] for kind in (*kinds, "isins")}
    return {**found, "isins": sorted({*criteria["isins"], *more["isins"]})}


def says(criteria: Criteria, said: Said) -> bool:
    """Whether a record itself is in scope."""
    kinds = {"categories": said.cfi[0], "authorities": said.authority, "venues": said.mic}
    given_ = {kind: criteria[kind] for kind in kinds if criteria[kind]}
    if not given_ and not criteria["isins"]:
        return True
    if said.isin in criteria["isins"]:
        return True
    bare = {"categories": "", "authorities": ""} if said.is_bare else {}
    ends = said.tag in ("CancRcrd", "CxlData")
    return bool(given_) and all(
        (not ends if not (value := {**kinds, **bare}[kind]) else value in wanted)
        for kind, wanted in given_.items()
    )


def taken(files: Iterable[MadeFile], criteria: Criteria) -> list[MadeFile]:
    """What is left of the files: a listing is followed from its first record in scope on."""
    followed: set[tuple[str, str]] = set()
    left = []
    for file in sorted(files, key=lambda file: file.order):
        letters = [] if criteria["isins"] else criteria["categories"]
        is_skipped = file.name.startswith("FULINS_E") and "E" not in (letters or ["E"])
        records = []
        for said in () if is_skipped else file.records:
            key = (said.isin, said.mic)
            in_scope = says(criteria, said)
            if in_scope or key in followed:
                records.append(said)
                followed.add(key)
        if not is_skipped:
            left.append(MadeFile(file.name, tuple(records)))
    return left


@st.composite
def scoped_files(draw: st.DrawFn) -> list[MadeFile]:
    """Files whose records differ in category and authority, and in name where they do."""
    files = []
    for name in draw(st.lists(st.sampled_from(FILES), min_size=2, max_size=5, unique=True)):
        is_full, lists = name.startswith("FULINS"), name.startswith("FULCAN")
        tags = ["RefData"] if is_full else ["CxlData"] if lists else firds.RECORDS[1:5]
        records = []
        for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)):
            cfi = "ESVUFR" if is_full else draw(st.sampled_from(["ESVUFR", "DBFTFB"]))
            authority = draw(st.sampled_from(["SE", "DE", ""]))
            called = f"Name {cfi} {authority or 'none'}"
            if lists and draw(st.booleans()):
                called = ""
            period = draw(st.sampled_from([None, day(1), day(4)]))
            tag = draw(st.sampled_from(tags))
            records.append(Said(tag, *key, called, period, cfi, authority))
        files.append(MadeFile(name, tuple(records)))
    return files


def load_made(make_zip: Write, files: Iterable[MadeFile]) -> None:
    for file in files:
        [loaded] = steps.load(steps.take_in([make_zip(file.name, file.xml())]))
        assert loaded.error is None
        assert loaded.run is not None
        assert total(loaded.run) == loaded.run.read or not loaded.run.read


def fill() -> None:
    for loaded in scoping.backfill(EU):
        assert loaded.error is None
    assert scoping.backlog(EU) == scoping.Backlog([], [])


def state() -> list[Any]:
    assert dict(ListedVenue.objects.values_list("mic", "listings")) == Counter(
        Listing.objects.values_list("mic", flat=True)
    )
    return dump()


def test_what_is_out_of_scope_is_deleted_only_when_asked(
    make_zip: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)),
        firds.record("RefData", VOLVO, "XPAR", period=day(1), authority="FR"),
        firds.record("RefData", DSB, "XCSE", name="One", period=day(1), authority="DK"),
    )
    load(make_zip, delta(3), firds.cancellation(VOLVO, "XSTO", "CancRcrd"))
    changed = firds.record("ModfdRcrd", DSB, "XCSE", period=day(3), authority="DK", cfi="ESNUFR")
    load(make_zip, delta(4), changed)
    with pytest.raises(CommandError, match="everything is in scope"):
        call_command("scope", "prune")
    set_scope(authorities=["SE"])
    assert Listing.objects.count() == 3

    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    with pytest.raises(CommandError, match="Nothing has been deleted"):
        call_command("scope", "prune", stdout=io.StringIO())
    assert Listing.objects.count() == 3
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    call_command("scope", "prune", stdout=out)

    assert "Deleted 2 listings and 1 superseded records of the ESMA" in out.getvalue()
    assert [(row.isin, row.mic) for row in Listing.objects.all()] == [(VOLVO, "XSTO")]
    assert [row.full_name for row in ListingVersion.objects.all()] == ["One"]
    volvo = Instrument.objects.get()
    assert (volvo.pk, volvo.status, volvo.listing_count) == (VOLVO, "cancelled", 1)
    assert [row.code for row in CfiCode.objects.all()] == ["ESVUFR"]
    assert Event.objects.get(action="scope.pruned").new == {"listings": 2, "versions": 1}
    out = io.StringIO()
    call_command("scope", "prune", "--yes", stdout=out)
    assert out.getvalue() == "Nothing is out of scope.\n"


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=scoped_files(), narrow=CRITERIA, more=CRITERIA)
def test_widened_and_filled_is_as_wide_from_the_beginning(
    make_zip: Write, files: list[MadeFile], narrow: Criteria, more: Criteria
) -> None:
    wide = wider(narrow, more)
    clear()
    Scope.objects.all().delete()
    set_scope(**narrow)
    load_made(make_zip, files)
    fill()
    assert found() == expected(taken(files, narrow))
    once = dump()
    load_made(make_zip, sorted(files, key=lambda file: file.order)[:1])
    fill()
    assert dump() == once
    event(f"{'some' if Listing.objects.exists() else 'none'} in the narrow scope")

    set_scope(**wide)
    fill()
    widened = state()
    assert found() == expected(taken(files, wide))
    clear()
    load_made(make_zip, sorted(files, key=lambda file: file.order))
    assert state() == widened


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=scoped_files(), criteria=CRITERIA)
def test_pruned_is_what_has_a_record_in_scope_and_comes_back(
    make_zip: Write, files: list[MadeFile], criteria: Criteria
) -> None:
    clear()
    Scope.objects.all().delete()
    set_scope()
    load_made(make_zip, files)
    whole = state()
    listings, versions = found()
    set_scope(**criteria)
    keys = {(r.isin, r.mic) for file in files for r in file.records if says(criteria, r)}
    if any(criteria.values()):
        call_command("scope", "prune", "--yes", stdout=io.StringIO())

    left = tuple({row for row in rows if row[:2] in keys} for rows in (listings, versions))
    assert found() == left
    state()
    set_scope()
    fill()
    assert state() == whole


def test_curators_set_scopes_and_viewers_look_at_them(make_zip: Write) -> None:
    address = "/scope/ESMA/"
    viewer, curator = signed_in("vera", "viewer"), signed_in("curt", "curator")
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert viewer("put", address, {"categories": ["D"]}).status_code == 403
    changed = curator("put", address, {"categories": ["d"]})
    assert (changed.status_code, changed.json()["categories"]) == (200, ["D"])
    assert changed.json()["set_by"] == "curt"
    said = Event.objects.get(action="scope.set")
    assert (said.actor, said.old["categories"]) == ("curt", [])  # type: ignore[index]
    load(make_zip, full(9), firds.record("RefData", DSB, "XSTO", period=day(1)))

    assert curator("put", address, {}).json()["to_backfill"] == [f"{full(9)}.zip"]
    asked = curator("post", f"{address}backfill/")
    assert asked.status_code == 202
    assert list(Run.objects.filter(pk__in=asked.json()["runs"]).values_list("state")) == [
        ("queued",)
    ]
    assert viewer("get", "/scope/").json()[0]["to_backfill"] == [f"{full(9)}.zip"]
    for wrong in ({"categories": ["X"]}, {"mics": ["XSTO"]}, {"isins": "SE"}, {"venues": [1.5]}):
        assert curator("put", address, wrong).status_code == 400, wrong
    assert viewer("get", "/scope/SEC/").status_code == 404
    assert Scope.objects.count() == 2


def test_a_scope_is_set_in_the_admin(client: Client) -> None:
    client.force_login(make("curt", "curator"))
    address = "/admin/instruments/scope/add/"
    wrong = client.post(address, {"register": "ESMA", "categories": "E, X"})
    assert b"X: is no category" in wrong.content
    client.post(address, {"register": "ESMA", "categories": "e d", "venues": "xsto"})
    scope = Scope.objects.get()
    assert (scope.categories, scope.venues, scope.set_by) == (["D", "E"], ["XSTO"], "curt")
    assert Event.objects.get(action="scope.set").actor == "curt"
    assert client.post(f"/admin/instruments/scope/{scope.pk}/delete/").status_code == 403
