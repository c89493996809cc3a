"""Filters of webhooks: the changes that each is sent."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from instruments.listings import changes
from instruments.models import Figi, Instrument, Listing, Webhook
from instruments.tasks import send_webhooks
from instruments.webhooks import keeping, sending
from tests import firds
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, load_revision
from tests.instruments.webhooks.receiving import Receiver

ROOT = "/api/v1/webhooks/"


def _read_expected(**conditions: Any) -> set[tuple[str, str]]:
    return set(Listing.objects.filter(**conditions).values_list("isin", "mic"))


def _read_listings_by_kind() -> dict[str, set[tuple[str, str]]]:
    """Return the listings of each kind of change in the whole feed."""
    listings: dict[str, set[tuple[str, str]]] = {}
    page = changes.read_page("2000-01-01", 100, with_record=False)
    while page.changes:
        for change in page.changes:
            listings.setdefault(change["kind"], set()).add((change["isin"], change["mic"]))
        page = changes.read_page(str(page.cursor), 100, with_record=False)
    return listings


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("with_record", [False, True])
def test_a_filter_selects_what_is_sent(
    curator: Client, receiver: Receiver, with_record: bool
) -> None:
    first, last = Listing.objects.earliest("pk"), Listing.objects.latest("pk")
    debt = Listing.objects.filter(cfi_code__startswith="D", register="ESMA").first()
    assert debt is not None
    mic = debt.mic
    by_kind = _read_listings_by_kind()
    kind = min(by_kind, key=lambda name: len(by_kind[name]))
    Figi.objects.create(
        isin=first.isin, figi="BBG000BDSLM5", ticker="ABC", fetched_at=timezone.now()
    )
    cases: tuple[tuple[dict[str, list[str]], set[tuple[str, str]]], ...] = (
        ({"isins": ["bbg000bdslm5", "ABC"]}, _read_expected(isin=first.isin)),
        (
            {"isins": [first.isin.lower(), last.isin]},
            _read_expected(isin__in=[first.isin, last.isin]),
        ),
        (
            {"mics": [mic], "categories": ["d"]},
            _read_expected(mic=mic, cfi_code__startswith="D"),
        ),
        ({"registers": ["ESMA"], "kinds": [kind]}, by_kind[kind]),
    )
    for conditions, expected in cases:
        receiver.messages.clear()
        body = {"url": receiver.url, "with_record": with_record, "filter": conditions}
        made = curator.post(ROOT, body, "application/json").json()
        keeping.replay(Webhook.objects.get(pk=made["number"]), "2000-01-01")
        for _ in range(3):
            send_webhooks()

        sent = {(change["isin"], change["mic"]) for change in receiver.get_changes()}
        assert sent == expected
        assert expected
        assert all(
            len(json.loads(body)["changes"]) <= sending.PAGE for _, body in receiver.messages
        )
        read = changes.read_page(str(changes.get_last_cursor()), 1, with_record=False)
        cursor = Webhook.objects.get(pk=made["number"]).cursor
        assert changes.read_page(cursor, 1, with_record=False).changes == read.changes == []
        assert curator.delete(f"{ROOT}{made['number']}/").status_code == 204


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("curator")
def test_a_withdrawn_listing_is_sent_to_those_who_asked_for_its_category(
    receiver: Receiver, make_zip: Write
) -> None:
    """Its instrument is no longer there, and the webhook stays switched on."""
    webhooks = [
        keeping.create("carla", url=receiver.url, filter={"categories": [letter]})
        for letter in "ED"
    ]
    for created, mic in ((4, "AAAA"), (5, "BBBB")):
        records = [firds.record("NewRcrd", DSB, mic, period=day(4))]
        if created == 4:
            records.append(firds.record("NewRcrd", VOLVO, mic, period=day(4)))
        load_revision(make_zip, delta(4), *records, created=created)
        send_webhooks()

    sent = [(change["kind"], change["isin"]) for change in receiver.get_changes()]
    assert sent.count(("withdrawn", VOLVO)) == 1
    assert not Instrument.objects.filter(pk=VOLVO).exists()
    assert Webhook.objects.filter(is_active=True).count() == len(webhooks)


@pytest.mark.usefixtures("real_instruments")
def test_more_changes_than_a_message_has_are_sent_in_several(
    curator: Client, receiver: Receiver
) -> None:
    conditions = {"registers": ["ESMA"]}
    webhook = keeping.create("carla", url=receiver.url, filter=conditions)
    keeping.replay(webhook, "2000-01-01")
    send_webhooks()

    sent = [(change["isin"], change["mic"]) for change in receiver.get_changes()]
    assert len(sent) == len(set(sent))
    assert set(sent) == _read_expected(register="ESMA")
    assert len(receiver.messages) > 1
    assert [json.loads(body)["more"] for _, body in receiver.messages[:-1]] == [True] * (
        len(receiver.messages) - 1
    )


@pytest.mark.parametrize(
    ("conditions", "name"),
    [
        ({"registers": ["BAFIN"]}, "registers"),
        ({"categories": ["Z"]}, "categories"),
        ({"mics": ["XETRA"]}, "mics"),
        ({"isins": ["DE000A1R07V4"]}, "isins"),
        ({"isins": ["BBG000BDSLM6"]}, "isins"),
        ({"kinds": ["moved"]}, "kinds"),
        ({"isins": ["DE000A1R07V3"] * 1_001}, "isins"),
        ({"isin": ["DE000A1R07V3"]}, "isin"),
    ],
)
def test_an_invalid_filter_is_refused(
    curator: Client, receiver: Receiver, conditions: Any, name: str
) -> None:
    body = {"url": receiver.url, "filter": conditions}
    response = curator.post(ROOT, body, "application/json")
    assert response.status_code == 400
    assert name in response.json()["detail"]
    assert not Webhook.objects.exists()
