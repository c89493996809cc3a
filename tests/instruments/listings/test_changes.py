"""The changes feed: whoever walks it ends with what is in the tables, whatever is loaded meanwhile."""

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from instruments import pipeline
from instruments.listings import changes
from instruments.models import ChangeSet, Listing, Status
from tests import firds
from tests.instruments.listings.merging import (
    VOLVO,
    Write,
    day,
    delta,
    full,
    load,
    load_revision,
)
from tests.instruments.listings.model import MadeFile
from tests.instruments.listings.test_any_order import clear, made_files
from tests.properties import examples

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
ADDRESS = "/api/v1/instruments/changes/"
Mirror = dict[tuple[str, str, str], dict[str, Any]]


def ask(client: Client, expected_status: int = 200, **parameters: Any) -> Any:
    response = client.get(ADDRESS, parameters)
    assert response.status_code == expected_status, response.content
    return response.json()


def keep(mirror: Mirror, answer: Any) -> str:
    """Apply a page of the feed as a client does. Return the cursor to continue from."""
    for change in answer["results"]:
        mirror[change["isin"], change["mic"], change["register"]] = change["record"]
    return str(answer["pagination"]["cursor"])


def walk(client: Client, mirror: Mirror, cursor: str | None, *, limit: int = 100) -> str:
    asked: dict[str, Any] = {"limit": limit, "expand": "record"}
    if cursor:
        asked["since"] = cursor
    while True:
        answer = ask(client, **asked)
        asked["since"] = keep(mirror, answer)
        if not answer["pagination"]["more"]:
            return str(asked["since"])


def tables(client: Client) -> Mirror:
    found: Mirror = {}
    for isin in Listing.objects.order_by().values_list("isin", flat=True).distinct():
        for record in client.get(f"/api/v1/instruments/{isin}/listings/?per_page=100").json()[
            "results"
        ]:
            found[isin, record["mic"], record["register"]] = record
    return found


def kinds(answer: Any) -> list[tuple[str, str]]:
    return [(change["kind"], change["mic"]) for change in answer["results"]]


def test_each_listing_is_at_its_last_change(client: Client, make_zip: Write) -> None:
    def record(tag: str, mic: str, name: str, number: int, **more: str) -> str:
        return firds.record(tag, VOLVO, mic, name=name, period=day(number), **more)

    load(make_zip, full(2), *(record("RefData", mic, "One", 1) for mic in ("AAAA", "BBBB", "CCCC")))
    first = ask(client)
    assert kinds(first) == [("new", "AAAA"), ("new", "BBBB"), ("new", "CCCC")]
    load(make_zip, delta(5), record("ModfdRcrd", "AAAA", "Two", 5))
    load(make_zip, delta(6), record("TermntdRcrd", "BBBB", "One", 1, until=day(5)))
    load(make_zip, delta(7), firds.cancellation(VOLVO, "CCCC"))
    load(make_zip, delta(3), record("NewRcrd", "DDDD", "Late", 3))

    since = ask(client, since=first["pagination"]["cursor"])

    expected = [("changed", "AAAA"), ("ended", "BBBB"), ("cancelled", "CCCC"), ("new", "DDDD")]
    assert kinds(since) == kinds(ask(client)) == expected
    assert [change["source_file"] for change in since["results"]] == [
        f"{delta(number)}.zip" for number in (5, 6, 7, 3)
    ], "in the order of loading, and not of publication"
    assert since["results"][0]["record"] is None
    end = since["pagination"]["cursor"]
    again = ask(client, since=end)
    assert (again["results"], again["pagination"]["more"]) == ([], False)
    assert again["pagination"]["cursor"] == end


def test_dropped_and_returning_listings_are_in_the_feed(client: Client, make_zip: Write) -> None:
    def full_set(number: int, *mics: str) -> str:
        records = (firds.record("RefData", VOLVO, mic, period=day(1)) for mic in mics)
        load(make_zip, full(number), *records)
        return str(ask(client)["pagination"]["cursor"])

    end = full_set(2, "AAAA", "BBBB")
    lacking = full_set(9, "AAAA")
    assert kinds(ask(client, since=end)) == [("dropped", "BBBB")]
    full_set(16, "AAAA", "BBBB")

    back = ask(client, since=lacking, expand="record")["results"]

    assert [(change["kind"], change["status"]) for change in back] == [("new", "active")]
    assert back[0]["record"]["dropped_by"] is None


def test_a_file_without_news_changes_nothing(client: Client, make_zip: Write) -> None:
    record = firds.record("RefData", VOLVO, "AAAA", period=day(1))
    load(make_zip, full(2), record)
    end = ask(client)["pagination"]["cursor"]

    load(make_zip, full(2), record)
    load(make_zip, full(9), record)
    older = firds.record("NewRcrd", VOLVO, "AAAA", name="Older", period=day(1))
    load(make_zip, delta(1), older)

    assert ask(client, since=end)["results"] == [], "a late record is filed below"
    assert ChangeSet.objects.count() == 3, "but the versions have changed"
    load(make_zip, delta(2), firds.record("NewRcrd", VOLVO, "AAAA", period=day(1)))
    assert kinds(ask(client, since=end)) == [("changed", "AAAA")], "it was first said elsewhere"


def test_a_listing_that_is_withdrawn_stays_in_the_feed(client: Client, make_zip: Write) -> None:
    """A delta of a new listing is published again without it, and the listing is published later."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", period=day(1)))
    new = firds.record("NewRcrd", VOLVO, "BBBB", period=day(4))
    load_revision(make_zip, delta(4), new, created=4)
    mirror: Mirror = {}
    cursor = walk(client, mirror, None)
    assert {mic for _, mic, _ in mirror} == {"AAAA", "BBBB"}

    other = firds.record("NewRcrd", VOLVO, "CCCC", period=day(4))
    load_revision(make_zip, delta(4), other, created=5)

    answer = ask(client, since=cursor, expand="record")
    assert kinds(answer) == [("withdrawn", "BBBB"), ("new", "CCCC")]
    withdrawn = answer["results"][0]
    assert (withdrawn["record"], withdrawn["status"]) == (None, "active")
    assert withdrawn["source_file"] == f"{delta(4)}.zip"
    page = ask(client, since=withdrawn["cursor"])
    assert kinds(page) == [("new", "CCCC")]
    again = firds.record("NewRcrd", VOLVO, "BBBB", period=day(6))
    load(make_zip, delta(6), again)
    expected = [("withdrawn", "BBBB"), ("new", "CCCC"), ("new", "BBBB")]
    assert kinds(ask(client, since=cursor)) == expected


@pytest.mark.parametrize("revision", ["without it", "from another place"])
def test_a_listing_is_in_the_feed_again_when_an_earlier_record_is_withdrawn_or_moves(
    revision: str, client: Client, make_zip: Write
) -> None:
    """The listing itself stays as it was, and its history does not."""
    for number, tag, name in ((2, "NewRcrd", "A"), (4, "ModfdRcrd", "B"), (6, "ModfdRcrd", "C")):
        record = firds.record(tag, VOLVO, "AAAA", period=day(number), name=name)
        load_revision(make_zip, delta(number), record, created=number)
    mirror: Mirror = {}
    cursor = walk(client, mirror, None)
    assert ask(client, since=cursor)["results"] == []

    other = firds.record("NewRcrd", VOLVO, "BBBB", period=day(4))
    record = firds.record("ModfdRcrd", VOLVO, "AAAA", period=day(4), name="B")
    records = [other] if revision == "without it" else [other, record]
    load_revision(make_zip, delta(4), *records, created=7)

    assert sorted(kinds(ask(client, since=cursor))) == [("changed", "AAAA"), ("new", "BBBB")]


@pytest.mark.slow
@examples(25)
@given(files=made_files(), limit=st.integers(1, 3), reads=st.lists(st.booleans(), max_size=4))
def test_any_walk_ends_with_what_is_in_the_tables(
    client: Client, make_zip: Write, files: list[MadeFile], limit: int, reads: list[bool]
) -> None:
    """A page is read after some of the loads; at last the client walks to the end."""
    clear()
    ChangeSet.objects.all().delete()
    mirror: Mirror = {}
    cursor: str | None = None
    for number, file in enumerate(files):
        [loaded] = pipeline.load(pipeline.register_files([make_zip(file.name, file.xml())]))
        assert loaded.error is None
        if number < len(reads) and reads[number]:
            asked: Any = {"since": cursor} if cursor else {}
            cursor = keep(mirror, ask(client, limit=limit, expand="record", **asked))

    walk(client, mirror, cursor, limit=limit)

    assert mirror == tables(client)


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_real_records_can_be_walked_in_pages_of_any_size(client: Client) -> None:
    whole: Mirror = {}
    end = walk(client, whole, None, limit=250)

    assert whole == tables(client)
    small: Mirror = {}
    assert walk(client, small, None, limit=37) == end
    assert small == whole


@pytest.mark.usefixtures("real_instruments")
def test_an_export_has_the_cursor_to_continue_with(
    client: Client, make_zip: Write, admin_user: Any
) -> None:
    client.force_login(admin_user)
    export = client.get("/api/v1/instruments/export/")
    b"".join(export.streaming_content)  # type: ignore[attr-defined]
    later = firds.record("NewRcrd", VOLVO, "AAAA", period="2025-09-01")
    load(make_zip, "DLTINS_20250901_01of01", later)

    since = ask(client, since=export.headers["Changes-Cursor"])

    assert kinds(since) == [("new", "AAAA")]


def test_a_time_stands_for_the_first_change_at_that_time_or_later(
    client: Client, make_zip: Write
) -> None:
    for number, mic in ((2, "AAAA"), (3, "BBBB")):
        load(make_zip, delta(number), firds.record("NewRcrd", VOLVO, mic, period=day(1)))
    second = ChangeSet.objects.latest("number")
    today = second.made_at

    for time in (today, today.astimezone(dt.timezone(dt.timedelta(hours=5)))):
        assert kinds(ask(client, since=time.isoformat())) == [("new", "BBBB")]
    assert kinds(ask(client, since=f"{today.date()}")) == [("new", "AAAA"), ("new", "BBBB")]
    later = ask(client, since=(today + dt.timedelta(seconds=1)).isoformat())
    assert later["results"] == []
    load(make_zip, delta(4), firds.record("NewRcrd", VOLVO, "CCCC", period=day(1)))
    assert kinds(ask(client, since=later["pagination"]["cursor"])) == [("new", "CCCC")]


def test_a_later_change_set_is_never_before_an_earlier_one(make_zip: Write) -> None:
    """Though the clock of the machine that wrote the last one was an hour fast."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", period=day(1)))
    fast = timezone.now() + dt.timedelta(hours=1)
    ChangeSet.objects.filter(number=1).update(made_at=fast)
    load(make_zip, full(3), firds.record("RefData", VOLVO, "BBBB", period=day(1)))

    times = list(ChangeSet.objects.values_list("made_at", flat=True))

    assert len(times) == 3
    assert all(one <= other for one, other in pairwise(times))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"since": "x"}, "neither a cursor of this feed nor a time"),
        ({"since": "2026-02-30"}, "neither a cursor"),
        ({"since": "2026-02-28T25:00:00Z"}, "neither a cursor"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "neither a cursor"),
        ({"since": ""}, "may not be blank"),
        ({"since": "a" * 200}, "no more than 100"),
        ({"since": "0.0.99999999999999999999"}, "neither a cursor"),
        ({"since": "ff.1.1"}, "another database"),
        ({"limit": "0"}, "greater than or equal to 1"),
        ({"limit": "1001"}, "less than or equal to 1000"),
        ({"limit": "many"}, "integer"),
        ({"expand": "all"}, "not a valid choice"),
        ({"page": "2"}, "Unknown parameter 'page'"),
    ],
)
def test_an_invalid_parameter_is_a_problem_that_names_it(
    client: Client, make_zip: Write, parameters: dict[str, Any], message: str
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", period=day(1)))

    problem = ask(client, 400, **parameters)

    assert list(problem["errors"]) == list(parameters)
    assert message in problem["detail"]


def test_a_cursor_ahead_of_the_database_is_refused(client: Client, make_zip: Write) -> None:
    """As after a backup has been put back: silence would lose what changed meanwhile."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", period=day(1)))
    cursor = changes.get_last_cursor()
    ahead = changes.Cursor(cursor.database, cursor.number + 1, 1)

    assert "ahead of the database" in ask(client, 400, since=str(ahead))["detail"]


def test_every_status_has_a_kind_of_change() -> None:
    for status in Status:
        expected = {"active": {"new", "changed"}, "terminated": {"ended"}}.get(
            status, {status.value}
        )
        assert expected <= set(changes.KINDS)


@pytest.mark.usefixtures("real_instruments")
def test_the_number_of_queries_is_fixed(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    [*_, before_last, last] = ask(client, limit=1000)["results"]
    for since, queries in ((before_last["cursor"], 7), (last["cursor"], 5), ("2020-01-01", 7)):
        for expand in ("", "record"):
            asked: Any = {"since": since} | ({"expand": expand} if expand else {})
            with django_assert_num_queries(queries):
                ask(client, **asked)


@pytest.mark.usefixtures("real_instruments")
def test_a_listing_that_moves_while_a_page_is_read_is_found_further_on(client: Client) -> None:
    """It is written again between the two statements of the page."""
    keys = list(Listing.objects.order_by("change_id", "pk").values_list("pk", flat=True)[:10])
    moved, newest = keys[-1], ChangeSet.objects.latest("number").number + 1

    def move(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "has_versions" in sql and not ChangeSet.objects.filter(number=newest).exists():
            ChangeSet.objects.create(number=newest, made_at=timezone.now())
            Listing.objects.filter(pk=moved).update(change=newest)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(move):
        page = changes.read_page(None, 10, with_record=False)
    rest = list(changes.read_all(str(page.cursor)))

    assert len(page.changes) == 9
    assert len(page.changes) + len(rest) == Listing.objects.count()
    assert rest[-1]["cursor"].endswith(f".{newest}.{moved}")


@pytest.mark.usefixtures("real_instruments")
def test_a_page_with_records_is_shorter(client: Client) -> None:
    problem = ask(client, 400, limit=changes.MAX_RECORDS + 1, expand="record")

    assert problem["errors"] == {"limit": ["At most 250 with expand=record."]}
    assert len(ask(client, limit=changes.MAX_RECORDS, expand="record")["results"]) == 250
