"""Full sets beside what was built from deltas before them: dropped, missed, extra, different."""

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from instruments import pipeline
from instruments.listings import history
from instruments.models import Difference, FullFile, Instrument, Listing, Reconciliation
from tests import firds
from tests.conftest import DATA
from tests.instruments.listings.merging import DSB, VOLVO, Write, counts, day, delta, full, load

pytestmark = pytest.mark.django_db(transaction=True)

ERICSSON, NORDEA = "SE0000108656", "FI4000297767"


def listed(isin: str, mic: str = "XSTO", **fields: Any) -> str:
    return firds.record("RefData", isin, mic, period=fields.pop("period", day(1)), **fields)


def numbers(of: Reconciliation) -> dict[str, int]:
    names = ("listed", "same", "missed", "different", "late", "extra")
    return {name: getattr(of, name) for name in names if getattr(of, name)}


@pytest.fixture
def week(make_zip: Write) -> None:
    """A full set, deltas of which one is missing here, and the next full set in two parts."""
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON), listed(NORDEA), listed(NORDEA, "XPAR"))
    changed = firds.record("ModfdRcrd", ERICSSON, "XSTO", name="As the delta has it", period=day(3))
    load(make_zip, delta(3), changed)
    load(
        make_zip,
        full(8, 1, of=2),
        listed(VOLVO),
        listed(ERICSSON, name="As the set has it", period=day(4)),
    )
    load(make_zip, full(8, 2, of=2), listed(NORDEA, "XPAR"), listed(DSB, "XPAR"))


@pytest.mark.usefixtures("week")
def test_what_a_complete_set_lacks_is_dropped() -> None:
    gone = Listing.objects.get(isin=NORDEA, mic="XSTO")

    assert (gone.status, gone.dropped_by and gone.dropped_by.name) == (
        "dropped",
        "FULINS_E_20250308_02of02.zip",
    )
    assert Listing.objects.filter(status="dropped").count() == 1
    assert Instrument.objects.get(pk=NORDEA).mic == "XPAR"
    assert Instrument.objects.get(pk=NORDEA).status == "active"


@pytest.mark.usefixtures("week")
def test_a_set_is_told_in_numbers_and_examples() -> None:
    second, first = Reconciliation.objects.all()

    assert (first.compared, numbers(first)) == (False, {"listed": 4})
    assert (second.compared, second.completed_at is not None) == (True, True)
    assert numbers(second) == {"listed": 4, "same": 2, "missed": 1, "different": 1, "extra": 1}
    assert second.by_field == {
        "valid_from": 1,
        "full_name": 1,
        "short_name": 1,
        "published_from": 1,
    }
    kept = {d.kind: (d.isin, d.mic, d.changes) for d in Difference.objects.all()}
    assert kept["missed"] == (DSB, "XPAR", {})
    assert kept["extra"] == (NORDEA, "XSTO", {})
    assert kept["different"][:2] == (ERICSSON, "XSTO")
    assert kept["different"][2]["full_name"] == {
        "old": "As the delta has it",
        "new": "As the set has it",
    }


@pytest.mark.usefixtures("week", "anonymous_reading")
def test_pages_show_the_numbers_and_the_listings_that_differ(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    second, first = Reconciliation.objects.all()

    with django_assert_num_queries(3):
        page = client.get("/reconciliations/").content.decode()
    with django_assert_num_queries(4):
        details = client.get(f"/reconciliations/{second.pk}/").content.decode()
    extra = client.get(f"/reconciliations/{second.pk}/?kind=extra").content.decode()
    alone = client.get(f"/reconciliations/{first.pk}/").content.decode()

    assert page.index(f'/reconciliations/{second.pk}/"') < page.index(
        f'/reconciliations/{first.pk}/"'
    )
    assert "<del>As the delta has it</del> <ins>As the set has it</ins>" in details
    assert f"/instruments/{NORDEA}/" in extra
    assert f"/instruments/{DSB}/" not in extra
    assert "Not compared: no earlier full set" in alone
    assert "is not a valid choice" in client.get("/reconciliations/?register=x").content.decode()
    assert client.get("/reconciliations/0/").status_code == 404


def test_part_of_a_set_drops_nothing(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON))
    run = load(make_zip, full(8, 1, of=2), listed(VOLVO))

    assert counts(run) == {"unchanged": 1}
    assert Reconciliation.objects.get(published_on=dt.date(2025, 3, 8)).completed_at is None
    assert not Listing.objects.filter(status="dropped").exists()

    assert counts(load(make_zip, full(8, 2, of=2), listed(DSB))) == {"new": 1, "dropped": 1}


def test_a_set_that_drops_more_than_it_holds_is_doubted(make_zip: Write) -> None:
    load(make_zip, full(1), *(listed(isin) for isin in (VOLVO, ERICSSON, NORDEA)))
    run = load(make_zip, full(8), listed(VOLVO))

    assert (run.dropped, len(run.report)) == (2, 1)
    assert "holds 1 listing and drops 2" in run.report[0]


def test_a_set_speaks_for_its_own_category(make_zip: Write) -> None:
    bond = firds.record("NewRcrd", DSB, "XSTO", period=day(2), cfi="DBFTFB")
    load(make_zip, full(1), listed(VOLVO))
    load(make_zip, delta(2), bond)
    load(make_zip, full(8), listed(ERICSSON))

    assert Listing.objects.get(isin=DSB).status == "active"
    assert Listing.objects.get(isin=VOLVO).status == "dropped"


def test_what_was_reported_after_a_set_is_not_dropped_by_it(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO))
    load(make_zip, delta(9), firds.record("NewRcrd", ERICSSON, "XSTO", period=day(9)))
    load(make_zip, full(8), listed(VOLVO))

    assert Listing.objects.get(isin=ERICSSON).status == "active"


def test_what_is_listed_again_is_active_again(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON))
    load(make_zip, full(8), listed(VOLVO))
    run = load(make_zip, full(15), listed(VOLVO), listed(ERICSSON))

    assert counts(run) == {"changed": 1, "unchanged": 1}
    assert Listing.objects.get(isin=ERICSSON).status == "active"
    assert Instrument.objects.get(pk=ERICSSON).status == "active"
    third = Reconciliation.objects.first()
    assert third is not None
    assert numbers(third) == {"listed": 2, "same": 1, "different": 1}
    assert third.by_field == {"status": 1}


def test_a_record_that_cannot_be_read_is_there_all_the_same(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON))
    wrong = listed(ERICSSON).replace("<NtnlCcy>SEK</NtnlCcy>", "<NtnlCcy>kronor</NtnlCcy>")
    run = load(make_zip, full(8), listed(VOLVO), wrong)

    assert counts(run) == {"unchanged": 1, "rejected": 1}
    assert Listing.objects.get(isin=ERICSSON).status == "active"


@pytest.mark.usefixtures("week")
def test_a_dropped_listing_is_valid_until_the_set_that_lacks_it() -> None:
    def venues(**when: int) -> list[str]:
        days: Any = {name: dt.date(2025, 3, number) for name, number in when.items()}
        found = history.get_snapshot(NORDEA, **days)
        return [f"{one.mic} {one.status}" for one in found.listings] if found else []

    assert venues(as_of=7) == ["XPAR active", "XSTO active"]
    assert venues(as_of=8) == ["XPAR active"]
    assert venues(as_of=8, known_on=7) == ["XPAR active", "XSTO active"]
    assert venues(known_on=7) == ["XPAR active", "XSTO active"]


@pytest.mark.usefixtures("week")
def test_loading_a_part_again_counts_nothing_twice(make_zip: Write) -> None:
    before = list(Reconciliation.objects.values())
    load(make_zip, full(8, 2, of=2), listed(NORDEA, "XPAR"), listed(DSB, "XPAR"))

    assert list(Reconciliation.objects.values()) == before
    assert (FullFile.objects.count(), Difference.objects.count()) == (3, 3)


@pytest.mark.usefixtures("week", "anonymous_reading")
def test_the_api_and_the_command_tell_the_same(client: Client) -> None:
    [second, first] = client.get("/api/v1/reconciliations/").json()["results"]
    assert (first["compared"], second["missed"], second["extra"]) == (False, 1, 1)
    assert second["files"] == ["FULINS_E_20250308_01of02.zip", "FULINS_E_20250308_02of02.zip"]
    address = f"/api/v1/reconciliations/{second['id']}/differences/"
    [extra] = client.get(address, {"kind": "extra"}).json()["results"]
    assert (extra["isin"], extra["mic"]) == (NORDEA, "XSTO")
    assert client.get(address, {"kind": "none"}).status_code == 400
    assert client.get("/api/v1/reconciliations/999999/differences/").status_code == 404
    gone = client.get(f"/api/v1/instruments/{NORDEA}/listings/").json()["results"][1]
    assert (gone["status"], gone["dropped_by"]) == ("dropped", "FULINS_E_20250308_02of02.zip")

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("reconciliation", *arguments, stdout=out)
        return out.getvalue()

    assert json.loads(run("list", "--format", "json")) == [second, first]
    shown = run("get", str(second["id"]), "--kind", "different")
    assert "1 missed, 1 different" in shown
    assert "full_name: As the delta has it > As the set has it" in shown


@pytest.mark.usefixtures("week")
def test_the_admin_shows_what_differs(admin_client: Client) -> None:
    second = Reconciliation.objects.first()
    assert second is not None
    page = admin_client.get(f"/admin/instruments/reconciliation/{second.pk}/change/")

    assert page.status_code == 200
    assert "full_name: As the delta has it → As the set has it" in page.content.decode()
    assert admin_client.get("/admin/instruments/difference/?kind=missed").status_code == 200


def write(make_zip: Write, name: str, *records: str) -> str:
    """Write a file, to be loaded by the command, and return its path."""
    return str(make_zip(name, firds.message(name, *records)))


@pytest.mark.slow
def test_an_excerpt_drops_nothing_and_a_whole_set_after_it_does(make_zip: Write) -> None:
    load(make_zip, full(1), listed(VOLVO), listed(ERICSSON), listed(NORDEA))
    excerpt = write(make_zip, full(8), listed(VOLVO, name="Newer"))

    call_command("load", excerpt, excerpt=True, stdout=io.StringIO())

    assert set(Listing.objects.values_list("isin", "status")) == {
        (isin, "active") for isin in (VOLVO, ERICSSON, NORDEA)
    }
    assert Listing.objects.get(isin=VOLVO).full_name == "Newer"

    load(make_zip, full(15), listed(VOLVO), listed(ERICSSON))
    assert Listing.objects.get(isin=NORDEA).status == "dropped"
    assert Listing.objects.exclude(isin=NORDEA).filter(status="active").count() == 2


def test_a_file_loaded_as_a_whole_is_not_taken_for_an_excerpt_afterwards(make_zip: Write) -> None:
    path = write(make_zip, full(8), listed(VOLVO))
    call_command("load", path, stdout=io.StringIO())

    with pytest.raises(
        CommandError, match=r"was loaded as a whole file.*Load it without --excerpt"
    ):
        call_command("load", path, excerpt=True, stdout=io.StringIO())

    assert Listing.objects.get().status == "active"
    call_command("load", path, stdout=io.StringIO())


def test_a_record_with_a_malformed_isin_holds_its_listing() -> None:
    """A case: the second set has the ISIN of one listing in lower case."""
    for path in sorted((DATA / "cases" / "full_set_with_isin_rejected").glob("*.zip")):
        [loaded] = pipeline.load(pipeline.register_files([path]))
        assert loaded.error is None

    assert loaded.run is not None
    assert (loaded.run.rejected, loaded.run.dropped) == (1, 0)
    assert not Listing.objects.exclude(status="active").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("isin", "mic", "active"),
    [
        ("SE0000115447", "XSTO", [(VOLVO, "XSTO")]),  # a wrong check digit
        ("SE000011544", "XSTO", [(VOLVO, "XSTO")]),
        (f"{VOLVO}0", "XSTO", [(VOLVO, "XSTO")]),
        (VOLVO, "xcse", [(VOLVO, "XCSE")]),
        (VOLVO, "X", [(VOLVO, "XCSE"), (VOLVO, "XSTO")]),
        ("?", "XSTO", [(DSB, "XSTO"), (VOLVO, "XSTO")]),
        ("?", "?", []),
    ],
)
def test_a_malformed_key_holds_the_listings_that_it_may_be_of(
    make_zip: Write, isin: str, mic: str, active: list[tuple[str, str]]
) -> None:
    other = listed("SE0000108656", "XHEL")
    load(make_zip, full(2), listed(VOLVO), listed(VOLVO, "XCSE"), listed(DSB), other)

    run = load(make_zip, full(9), other, listed(isin, mic))

    assert run.rejected == 1
    rows = Listing.objects.filter(status="active").exclude(mic="XHEL")
    assert sorted(rows.values_list("isin", "mic")) == active
