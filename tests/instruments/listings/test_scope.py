"""Scopes: the records of a register that are loaded, and the effects of a change."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import Event
from esma_files.models import EsmaFile, RejectedRecord, Run
from instruments.listings import scoping
from instruments.models import (
    CfiCode,
    Instrument,
    Listing,
    ListingVersion,
    Register,
    Scope,
)
from tests import firds
from tests.accounts.clients import client_of_new_user, make_user
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.merging import DSB, VOLVO, Write, counts, day, delta, full, load

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


def test_a_late_file_has_later_deltas_reloaded(make_zip: Write) -> None:
    set_scope(categories=["E"])
    assert load(make_zip, delta(5), firds.cancellation(VOLVO, "XSTO", "CancRcrd")).outside == 1
    run = load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert run.report == [
        "It came late: a backfill of the scope (in the admin, below Scopes, or `manage.py scope backfill`)"
        " loads the later files (1) again."
    ]

    assert [loaded.file.name for loaded in scoping.backfill(EU)] == [f"{delta(5)}.zip"]
    assert Listing.objects.get().status == "cancelled"
    assert scoping.backlog(EU) == scoping.Backlog([], [])


def test_the_list_of_scopes_in_the_admin_requests_a_backfill(make_zip: Write) -> None:
    set_scope(categories=["D"])
    for file in (full(2), full(9)):
        load(make_zip, file, firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    set_scope()
    curator, viewer = Client(), Client()
    curator.force_login(make_user("curt", "curator"))
    analyst = make_user("ann", "analyst")
    analyst.is_staff = True
    analyst.save()
    viewer.force_login(analyst)
    waiting = "2 loaded files do not have all records of the present scope"

    page = curator.get("/admin/instruments/scope/").content.decode()
    assert waiting in page
    assert "Load them again" in page
    address = "/admin/instruments/scope/backfill/ESMA/"
    assert f'action="{address}"' in page
    assert "Load them again" not in viewer.get("/admin/instruments/scope/").content.decode()
    assert viewer.post(address).status_code == 403
    assert curator.get(address).status_code == 405

    answer = curator.post(address, follow=True).content.decode()

    assert "2 files will be loaded again." in answer
    assert Run.objects.filter(state="queued", kind="load", requested_by="curt").count() == 2
    assert Event.objects.get(action="scope.backfill").actor == "curt"
    for run in Run.objects.filter(state="queued"):
        run.end()
    list(scoping.backfill(EU))
    assert "loaded file" not in curator.get("/admin/instruments/scope/").content.decode()


def test_a_file_that_is_not_stored_any_more_is_named(make_zip: Write) -> None:
    set_scope(categories=["D"])
    run = load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert run.file is not None
    run.file.enter(EsmaFile.State.DELETED)
    set_scope()

    errors, printed = io.StringIO(), io.StringIO()
    call_command("scope", "backfill", stdout=printed, stderr=errors)
    assert printed.getvalue() == "No stored file has to be read again.\n"
    assert f"{full(2)}.zip does not cover this scope and is no longer stored" in errors.getvalue()
    assert Event.objects.get(action="command.scope_backfill").new == {"register": "ESMA"}


def test_the_registers_have_scopes_of_their_own(make_zip: Write) -> None:
    set_scope(categories=["D"])
    record = firds.record("RefData", VOLVO, "XSTO", period=day(1))
    load(make_zip, full(2), record)
    load(make_zip, full(2), record, dataset="fca_firds")

    assert [row.register for row in Listing.objects.all()] == ["FCA"]
    set_scope()
    assert [file.dataset for file in scoping.backlog(EU).stored] == ["esma_firds"]
    assert scoping.backlog(Register.FCA).stored == []


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

    for nothing_or_no in ("", "no\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(nothing_or_no))
        with pytest.raises(CommandError, match=r"Nothing has been deleted\. With --yes"):
            call_command("scope", "prune", stdout=io.StringIO())
    assert Listing.objects.count() == 3
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    call_command("scope", "prune", stdout=out)

    assert "Deleted 2 listings and 1 superseded record of the ESMA" in out.getvalue()
    assert [(row.isin, row.mic) for row in Listing.objects.all()] == [(VOLVO, "XSTO")]
    assert [row.full_name for row in ListingVersion.objects.all()] == ["One"]
    volvo = Instrument.objects.get()
    assert (volvo.pk, volvo.status, volvo.listing_count) == (VOLVO, "cancelled", 1)
    assert [row.code for row in CfiCode.objects.all()] == ["ESVUFR"]
    assert Event.objects.get(action="scope.pruned").new == {"listings": 2, "versions": 1}
    out = io.StringIO()
    call_command("scope", "prune", "--yes", stdout=out)
    check_counts()
    assert out.getvalue() == "Nothing is out of scope.\n"


def test_a_prune_that_was_killed_is_finished_and_recorded(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", period=day(1)),
        firds.record("RefData", DSB, "XCSE", period=day(1), authority="DK", cfi="ESNUFR"),
    )
    set_scope(authorities=["SE"])
    next(scoping.prune(Register.ESMA))  # all listings are on one page

    out = io.StringIO()
    call_command("scope", "prune", "--yes", stdout=out)

    assert out.getvalue() == "Nothing is out of scope.\n"
    assert [row.code for row in CfiCode.objects.all()] == ["ESVUFR"]
    assert Event.objects.get(action="command.scope_prune").new == {"register": "ESMA", "yes": True}


def test_curators_set_scopes_and_viewers_look_at_them(make_zip: Write) -> None:
    address = "/scope/ESMA/"
    viewer, curator = client_of_new_user("vera", "viewer"), client_of_new_user("curt", "curator")
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    assert viewer("put", address, {"categories": ["D"]}).status_code == 403
    changed = curator("put", address, {"categories": ["d"]})
    assert (changed.status_code, changed.json()["categories"]) == (200, ["D"])
    assert changed.json()["set_by"] == "curt"
    event = Event.objects.get(action="scope.set")
    assert (event.actor, event.old["categories"]) == ("curt", [])  # type: ignore[index]
    load(make_zip, full(9), firds.record("RefData", DSB, "XSTO", period=day(1)))

    assert curator("put", address, {}).json()["to_backfill"] == [f"{full(9)}.zip"]
    asked = curator("post", f"{address}backfill/")
    assert asked.status_code == 202
    assert list(Run.objects.filter(pk__in=asked.json()["runs"]).values_list("state")) == [
        ("queued",)
    ]
    assert viewer("get", "/scope/").json()["results"][0]["to_backfill"] == [f"{full(9)}.zip"]
    for wrong in ({"categories": ["X"]}, {"mics": ["XSTO"]}, {"isins": "SE"}, {"venues": [1.5]}):
        assert curator("put", address, wrong).status_code == 400, wrong
    countries = {"authorities": [f"{number}" for number in range(301)]}
    assert "At most 300 items" in curator("put", address, countries).json()["detail"]
    assert "Known fields: authorities" in curator("put", address, {"mics": []}).json()["detail"]
    assert viewer("get", "/scope/SEC/").status_code == 404
    assert Scope.objects.count() == 2


def test_a_scope_is_set_in_the_admin(client: Client) -> None:
    client.force_login(make_user("curt", "curator"))
    address = "/admin/instruments/scope/add/"
    wrong = client.post(address, {"register": "ESMA", "categories": "E, X"})
    assert b"X: is no category" in wrong.content
    venues = " ".join(f"{number:04}" for number in range(701))
    too_many = client.post(address, {"register": "ESMA", "venues": venues})
    assert b"701 are more than 700" in too_many.content
    client.post(address, {"register": "ESMA", "categories": "e d", "venues": "xsto"})
    scope = Scope.objects.get()
    assert (scope.categories, scope.venues, scope.set_by) == (["D", "E"], ["XSTO"], "curt")
    assert Event.objects.get(action="scope.set").actor == "curt"
    assert client.post(f"/admin/instruments/scope/{scope.pk}/delete/").status_code == 403
