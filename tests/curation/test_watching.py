"""Watch lists: what changed since one last looked, on the page, by the API and by mail."""

import io
import re
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from curation import watching
from curation.models import WatchList
from instruments.models import Figi, Listing
from marketdata.common.errors import InvalidQuery, WrongState
from tests import firds
from tests.accounts.clients import client_of_new_user
from tests.curation.test_admin import sign_in
from tests.curation.test_problems import BOND, record
from tests.curation.test_proposals import correct
from tests.instruments.listings.merging import VOLVO, Write, delta, full, load, load_revision

pytestmark = pytest.mark.django_db(transaction=True)
UNKNOWN = "DE0007164600"  # no record of it is loaded


def publish(make_zip: Write, number: int, name: str, isin: str = VOLVO) -> None:
    cfi = "ESVUFR" if isin == VOLVO else "DBFTFB"
    text = record(isin, "AAAA", name=name, period=f"2025-03-{number:02}", cfi=cfi)
    modified = text.replace("<RefData>", "<FinInstrm><ModfdRcrd>")
    load(make_zip, delta(number), modified.replace("</RefData>", "</ModfdRcrd></FinInstrm>"))


@pytest.fixture
def loaded(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA"), record(BOND, "AAAA", cfi="DBFTFB"))


def make_list(**values: Any) -> WatchList:
    watch_list = WatchList(owner="ann", **{"name": "Mine", **values})
    watching.save(watch_list)
    return watch_list


@pytest.mark.usefixtures("loaded")
def test_a_list_of_isins_shows_what_changed_since_it_was_seen(make_zip: Write) -> None:
    watch_list = make_list(isins=[VOLVO.lower(), VOLVO])
    assert watch_list.isins == [VOLVO]
    assert watching.read_changes(watch_list).listings == []

    publish(make_zip, 3, "AB Volvo")
    publish(make_zip, 4, "A bond", BOND)

    read = watching.read_changes(watch_list)
    [row] = read.listings
    assert (row["isin"], row["kind"]) == (VOLVO, "changed")
    assert {"field": "full_name", "old": "VOLVO AB", "new": "AB Volvo"} in row["differences"]
    watching.mark_as_seen(watch_list, read.until)
    assert watching.read_changes(watch_list).listings == []


@pytest.mark.usefixtures("loaded")
def test_a_figi_or_ticker_stands_for_its_instrument() -> None:
    figi = "BBG000BDSLM5"
    Figi.objects.create(isin=VOLVO, figi=figi, ticker="VOLVB", fetched_at=timezone.now())

    assert make_list(isins=[figi, "volvb", BOND]).isins == sorted([BOND, VOLVO])
    with pytest.raises(InvalidQuery, match="BBG000BDSLM6"):
        make_list(name="Other", isins=["BBG000BDSLM6"])


@pytest.mark.usefixtures("loaded")
def test_a_correction_is_a_change_of_a_watched_listing() -> None:
    watch_list = make_list(isins=[VOLVO])

    correct(value="AB Volvo")

    [row] = watching.read_changes(watch_list).listings
    assert (row["isin"], row["kind"]) == (VOLVO, "corrected")
    published = Listing.objects.get(isin=VOLVO).full_name
    difference = {"field": "full_name", "old": published, "new": "AB Volvo"}
    assert row["differences"] == [difference]


@pytest.mark.usefixtures("loaded")
def test_a_saved_filter_shows_the_changes_of_its_instruments(make_zip: Write) -> None:
    watch_list = make_list(filter="category=D&q=bond")

    publish(make_zip, 3, "AB Volvo")
    publish(make_zip, 4, "A bond", BOND)

    assert [row["isin"] for row in watching.read_changes(watch_list).listings] == [BOND]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("values", [{"isins": [VOLVO, UNKNOWN]}, {"filter": "category=E"}])
def test_a_listing_that_is_withdrawn_is_a_change(make_zip: Write, values: dict[str, Any]) -> None:
    """Of an instrument that has gone with it, a filter cannot be asked."""
    new = [firds.record("NewRcrd", isin, "BBBB", period="2025-03-04") for isin in (VOLVO, UNKNOWN)]
    other = firds.record("NewRcrd", VOLVO, "CCCC", period="2025-03-04")
    load_revision(make_zip, delta(4), *new, other, created=4)
    watch_list = make_list(**values)

    load_revision(make_zip, delta(4), other, created=5)

    read = watching.read_changes(watch_list)
    withdrawn = [(row["isin"], row["mic"]) for row in read.listings if row["kind"] == "withdrawn"]
    gone = [(UNKNOWN, "BBBB")] if "isins" in values else []
    assert withdrawn == [*gone, (VOLVO, "BBBB")]
    assert "BBBB (ESMA): withdrawn" in watching.format_mail(watch_list, read)
    page = sign_in("ann", "curator").get(f"/watchlists/{watch_list.pk}/")
    assert page.content.decode().count("withdrawn") == len(withdrawn)
    watching.mark_as_seen(watch_list, read.until)
    assert watching.read_changes(watch_list).listings == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("values", [{"isins": [VOLVO]}, {"filter": "category=E"}])
def test_many_withdrawn_listings_are_read_in_parts(make_zip: Write, values: dict[str, Any]) -> None:
    mics = [f"X{number:03}" for number in range(watching.MAX_CHANGES + 5)]
    new = [firds.record("NewRcrd", VOLVO, mic, period="2025-03-04") for mic in mics]
    other = firds.record("NewRcrd", BOND, "CCCC", period="2025-03-04", cfi="DBFTFB")
    load_revision(make_zip, delta(4), *new, other, created=4)
    watch_list = make_list(**values)

    load_revision(make_zip, delta(4), other, created=5)

    withdrawn = []
    for has_more in (True, False):
        read = watching.read_changes(watch_list)
        assert read.has_more == has_more
        withdrawn += [row["mic"] for row in read.listings if row["kind"] == "withdrawn"]
        watching.mark_as_seen(watch_list, read.until)
    assert sorted(withdrawn) == mics


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("values", [{"isins": [VOLVO]}, {"filter": "category=E"}])
def test_changes_of_one_load_are_read_in_parts(make_zip: Write, values: dict[str, Any]) -> None:
    watch_list = make_list(**values)
    mics = [f"X{number:03}" for number in range(watching.MAX_CHANGES + 1)]
    load(make_zip, full(9), *(record(VOLVO, mic) for mic in mics))
    seen = []

    for _ in range(2):
        read = watching.read_changes(watch_list)
        seen += [row["mic"] for row in read.listings]
        watching.mark_as_seen(watch_list, read.until)

    assert sorted(set(seen)) == sorted({*mics, "AAAA"})
    assert watching.read_changes(watch_list).listings == []
    with pytest.raises(InvalidQuery, match="is not a place"):
        watching.mark_as_seen(watch_list, "7")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "either ISINs or a filter"),
        ({"isins": [VOLVO], "filter": "category=D"}, "either ISINs or a filter"),
        ({"isins": ["SE0000115447"]}, "the check digit is 7"),
        ({"filter": "kategory=D"}, "Unknown filter 'kategory'. Did you mean 'category'"),
        ({"filter": "status=no"}, "status"),
        ({"filter": "&"}, "has no filter"),
        ({"filter": "q=&currency= "}, "has no filter with a value"),
        ({"name": " ", "filter": "category=D"}, "Give the list a name"),
        ({"name": "Mine\x1b[2J", "filter": "category=D"}, "characters that cannot be seen"),
    ],
)
def test_an_invalid_list_says_why(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        make_list(**values)


def test_a_name_is_that_of_one_list_of_a_user() -> None:
    make_list(isins=[VOLVO])
    with pytest.raises(WrongState, match="already"):
        make_list(isins=[BOND])
    other = WatchList(owner="carl", name="Mine", isins=[BOND])
    watching.save(other)
    assert WatchList.objects.count() == 2


@pytest.mark.usefixtures("loaded")
def test_changes_are_mailed_once_to_those_who_may_read_them(make_zip: Write) -> None:
    client_of_new_user("ann", "viewer")
    from accounts.models import User

    User.objects.update(email="ann@example.org")
    make_list(isins=[VOLVO], by_mail=True)
    make_list(name="Quiet", isins=[VOLVO])
    WatchList(owner="gone", name="Gone", isins=[VOLVO], by_mail=True).save()
    publish(make_zip, 3, "AB Volvo")

    out = io.StringIO()
    call_command("watchlists", "mail", stdout=out)
    call_command("watchlists", "mail", stdout=out)

    assert out.getvalue() == "Mails sent: 1\nMails sent: 0\n"
    [sent] = mail.outbox
    assert sent.to == ["ann@example.org"]
    assert "full_name: VOLVO AB -> AB Volvo" in sent.body
    out = io.StringIO()
    call_command("watchlists", "changes", str(WatchList.objects.get(name="Mine").pk), stdout=out)
    assert "AB Volvo" in out.getvalue()


@pytest.mark.usefixtures("loaded")
def test_a_name_of_several_lines_keeps_no_mail_from_others(make_zip: Write) -> None:
    client_of_new_user("ann", "viewer")
    from accounts.models import User

    User.objects.update(email="ann@example.org")
    earlier = make_list(name="Earlier", isins=[VOLVO], by_mail=True)
    WatchList.objects.filter(pk=earlier.pk).update(name="Earlier\nBcc: carl@example.org")
    make_list(name="Mine\r\nBcc: carl@example.org\u2028", isins=[VOLVO], by_mail=True)
    make_list(name="Another", isins=[VOLVO], by_mail=True)
    publish(make_zip, 3, "AB Volvo")

    watching.send_mails()

    assert [(sent.subject, sent.recipients()) for sent in mail.outbox] == [
        (f"MarketData: changes of {name}", ["ann@example.org"])
        for name in ("Earlier Bcc: carl@example.org", "Mine Bcc: carl@example.org", "Another")
    ]


@pytest.mark.usefixtures("loaded")
def test_an_address_that_is_none_keeps_no_mail_from_others(make_zip: Write) -> None:
    from accounts.models import User

    for name, address in (
        ("ann", "ann@example.org\nBcc: x@example.org"),
        ("carl", "c@example.org"),
    ):
        client_of_new_user(name, "viewer")
        User.objects.filter(username=name).update(email=address)
        watching.save(WatchList(owner=name, name="Mine", isins=[VOLVO], by_mail=True))
    publish(make_zip, 3, "AB Volvo")

    assert watching.send_mails() == 1
    assert [sent.to for sent in mail.outbox] == [["c@example.org"]]


@pytest.mark.usefixtures("loaded")
def test_the_command_shows_control_characters_as_codes(make_zip: Write) -> None:
    watch_list = make_list(isins=[VOLVO])
    publish(make_zip, 3, "AB \x9b2JVolvo")  # which clears a terminal

    out = io.StringIO()
    call_command("watchlists", "changes", str(watch_list.pk), stdout=out)

    assert "\x9b" not in out.getvalue()
    assert "AB \\u009b2JVolvo" in out.getvalue()


@pytest.mark.django_db
def test_the_command_says_that_a_watch_list_does_not_exist() -> None:
    with pytest.raises(CommandError, match=r"There is no watch list 7\. `watchlists list` shows"):
        call_command("watchlists", "changes", "7")


@pytest.mark.usefixtures("loaded")
def test_the_api_has_only_the_own_lists(make_zip: Write) -> None:
    ann, carl = client_of_new_user("ann"), client_of_new_user("carl")

    made = ann("post", "/watchlists/", {"name": "Mine", "isins": [VOLVO]})
    assert made.status_code == 201, made.content
    path = f"/watchlists/{made.json()['number']}/"
    publish(make_zip, 3, "AB Volvo")

    changes = ann("get", f"{path}changes/").json()
    assert [row["isin"] for row in changes["changes"]] == [VOLVO]
    seen = ann("post", f"{path}seen/", {"until": changes["until"]})
    assert seen.status_code == 200
    assert ann("get", f"{path}changes/").json()["changes"] == []
    changed = ann("patch", path, {"filter": "category=E", "isins": []})
    assert changed.json()["filter"] == "category=E"
    assert ann("patch", path, {"filter": ""}).status_code == 400
    assert carl("get", path).status_code == 404
    assert carl("get", "/watchlists/").json()["results"] == []
    assert ann("delete", path).status_code == 204
    assert ann("get", "/watchlists/").json()["results"] == []


@pytest.mark.usefixtures("loaded")
def test_a_list_is_made_looked_at_and_deleted_on_its_page(make_zip: Write) -> None:
    client = sign_in("ann", "viewer")
    body = {"name": "Mine", "isins": f"{VOLVO}\n{BOND}"}

    assert "either ISINs or a filter" in client.post("/watchlists/", {"name": "x"}).content.decode()
    page = client.post("/watchlists/", body, follow=True)
    assert "Nothing has changed." in page.content.decode()
    publish(make_zip, 3, "AB Volvo")
    address = page.redirect_chain[0][0]
    text = client.get(address).content.decode()
    assert "Full name: VOLVO AB → AB Volvo" in text
    until = watching.read_changes(WatchList.objects.get()).until
    seen = client.post(address, {"until": until}, follow=True)
    assert "Nothing has changed." in seen.content.decode()
    assert sign_in("carl").get(address).status_code == 404
    client.post(address, {"delete": "yes"})
    assert not WatchList.objects.exists()


@pytest.mark.usefixtures("loaded")
def test_a_list_shows_its_instruments_and_is_changed_on_its_page() -> None:
    client = sign_in("ann", "viewer")
    body = {"name": "Mine", "isins": f"{VOLVO}\n{UNKNOWN}"}
    address = client.post("/watchlists/", body, follow=True).redirect_chain[0][0]

    page = client.get(address).content.decode()
    assert re.search(
        f'<a href="/instruments/{VOLVO}/">{VOLVO}</a></td>\\s*<td data-label="Name" class="name">VOLVO',
        page,
    )
    assert re.search(f"{UNKNOWN}</td>.*No record of it is loaded yet", page, re.DOTALL)
    assert f'href="/instruments/{UNKNOWN}/"' not in page
    for path in ("/watchlists/", address):
        wrong = client.post(path, {**body, "isins": "XX", "save": "yes"})
        assert wrong.status_code == 400
        problem = "XX: an ISIN has 12 characters, this has 2. No instrument has it as its ticker."
        assert problem in wrong.content.decode()
    assert WatchList.objects.get().isins == sorted([VOLVO, UNKNOWN])
    changed = client.post(
        address, {"name": "Shares", "filter": "category=E", "save": "yes"}, follow=True
    )
    assert '<a class="code" href="/?category=E">category=E</a>' in changed.content.decode()
    watch_list = WatchList.objects.get()
    assert (watch_list.name, watch_list.isins) == ("Shares", [])
