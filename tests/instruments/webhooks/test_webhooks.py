"""Webhooks: changes are signed and sent, sent again after failures, and only to public addresses."""

import base64
import hashlib
import hmac
import json
import ssl
import time
from typing import Any

import pytest
import trustme
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import User
from instruments.listings import changes
from instruments.models import Delivery, Listing, Webhook
from instruments.tasks import send_webhooks
from instruments.webhooks import keeping, sending
from marketdata.common import posting
from marketdata.common.errors import ForbiddenAddress, InvalidQuery, Unavailable
from tests.accounts.clients import make_user
from tests.instruments.webhooks.receiving import Receiver, answering_slowly, receiving

ROOT = "/api/v1/webhooks/"


def make(client: Client, url: str) -> Any:
    return client.post(ROOT, {"url": url}, "application/json")


def make_due() -> None:
    Webhook.objects.update(next_attempt_at=timezone.now())


@pytest.mark.usefixtures("real_instruments")
def test_all_changes_are_sent_once_and_signed(curator: Client, receiver: Receiver) -> None:
    made = make(curator, receiver.url).json()
    address = f"{ROOT}{made['number']}/"
    send_webhooks()
    assert receiver.messages == []  # nothing has changed since it was made

    replayed = curator.post(f"{address}replay/", {"since": "2000-01-01"}, "application/json")
    assert replayed.status_code == 200, replayed.content
    for _ in range(10):
        send_webhooks()
    number = len(receiver.messages)
    send_webhooks()

    assert len(receiver.messages) == number
    sent = [
        (change["isin"], change["mic"], change["register"]) for change in receiver.get_changes()
    ]
    listings = Listing.objects.values_list("isin", "mic", "register")
    assert sorted(sent) == sorted(listings)
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    ids = set()
    for headers, body in receiver.messages:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        signature = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{signature}"
        ids.add(headers["webhook-id"])
    assert len(ids) == number
    webhook = curator.get(address).json()
    assert webhook["cursor"] == json.loads(receiver.messages[-1][1])["cursor"]
    assert "secret" not in webhook
    log = curator.get(f"{address}deliveries/").json()["results"]
    assert [entry["status"] for entry in log] == [204] * min(number, Delivery.KEPT)


@pytest.mark.usefixtures("real_instruments")
def test_what_was_not_received_is_sent_again_later(curator: Client, receiver: Receiver) -> None:
    keeping.replay(_make_webhook(receiver.url), "2000-01-01")
    receiver.statuses.extend([500, 302])

    sending.send_due()
    webhook = Webhook.objects.get()
    assert (webhook.failures, webhook.problem) == (1, "It answered 500.")
    assert webhook.next_attempt_at > timezone.now()
    sending.send_due()
    assert len(receiver.messages) == 1  # it is not due yet
    make_due()
    sending.send_due()  # a redirect is not followed
    assert Webhook.objects.get().problem == "It answered 302."
    make_due()
    assert sending.send_due() > 1

    first, second, third = (headers["webhook-id"] for headers, _ in receiver.messages[:3])
    assert first == second == third
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.problem) == (0, "")
    assert [keeping.get_pause(n).total_seconds() / 60 for n in (1, 2, 9, 12)] == [1, 2, 256, 360]


@pytest.mark.usefixtures("real_instruments")
def test_a_webhook_keeps_its_place_while_another_goes_on(
    curator: Client, receiver: Receiver
) -> None:
    with receiving() as other:
        for url in (receiver.url, other.url):
            keeping.replay(_make_webhook(url), "2000-01-01")
        receiver.statuses.append(500)
        sending.send_due()
        failed, received = Webhook.objects.order_by("pk")
        assert (failed.failures, received.failures) == (1, 0)

        make_due()
        sending.send_due()

        assert receiver.get_changes()[: sending.PAGE] == other.get_changes()[: sending.PAGE]
        assert receiver.get_changes()[sending.PAGE :] == other.get_changes()


@pytest.mark.usefixtures("real_instruments")
def test_messages_with_other_changes_have_another_id(curator: Client, receiver: Receiver) -> None:
    """A replay that ends where an earlier message did is no repetition of it."""
    webhook = _make_webhook(receiver.url)
    newest = list(changes.read_all())[-20:]
    for place in (0, 10, 10):
        keeping.replay(webhook, newest[place]["cursor"])
        assert sending.send_due() == 1

    sent = [(headers["webhook-id"], json.loads(body)) for headers, body in receiver.messages]
    assert len({message["cursor"] for _, message in sent}) == 1
    assert [len(message["changes"]) for _, message in sent] == [19, 9, 9]
    (first, _), (second, _), (third, _) = sent
    assert first != second == third


@pytest.mark.usefixtures("real_instruments")
def test_a_webhook_is_switched_off_if_its_owner_cannot_be_told(
    curator: Client, receiver: Receiver, settings: LazySettings
) -> None:
    settings.WEBHOOK_MAX_FAILURES = 1
    User.objects.filter(username="carla").update(email="carla@example.org\nBcc: x@example.org")
    first, second = _make_webhook(receiver.url), _make_webhook(receiver.url)
    for webhook in (first, second):
        keeping.replay(webhook, "2000-01-01")
    receiver.statuses.append(503)

    sending.send_due()

    first.refresh_from_db()
    assert not first.is_active
    assert second.deliveries.filter(status=204).exists()


@pytest.mark.usefixtures("real_instruments")
def test_a_webhook_is_switched_off_with_a_notice_and_on_again(
    curator: Client, receiver: Receiver, settings: LazySettings
) -> None:
    settings.WEBHOOK_MAX_FAILURES = 2
    webhook = _make_webhook(receiver.url)
    keeping.replay(webhook, "2000-01-01")
    receiver.statuses.extend([503, 503])
    for _ in range(3):
        make_due()
        sending.send_due()

    webhook.refresh_from_db()
    assert not webhook.is_active
    assert len(receiver.messages) == 2
    assert [(message.to, message.subject) for message in mail.outbox] == [
        (["carla@example.org"], f"MarketData: webhook {webhook.pk} is switched off")
    ]
    on = curator.patch(f"{ROOT}{webhook.pk}/", {"is_active": True}, "application/json").json()
    assert (on["is_active"], on["failures"], on["problem"]) == (True, 0, "")
    assert sending.send_due() > 0


def test_a_cursor_of_another_database_or_a_lost_right_switches_off(
    curator: Client, receiver: Receiver
) -> None:
    webhook = _make_webhook(receiver.url)
    Webhook.objects.update(cursor="1.1.1")
    sending.send_due()
    webhook.refresh_from_db()
    assert "another database" in webhook.problem

    keeping.change(webhook, {"is_active": True})
    User.objects.update(is_active=False)
    sending.send_due()
    webhook.refresh_from_db()
    assert webhook.problem == "Its owner may not keep webhooks any more."
    assert not webhook.is_active


def test_webhooks_are_of_their_owners_and_limited(curator: Client, receiver: Receiver) -> None:
    number = make(curator, receiver.url).json()["number"]
    other, analyst = Client(), Client()
    other.force_login(make_user("other", "curator"))
    analyst.force_login(make_user("ana", "analyst"))

    assert other.get(f"{ROOT}{number}/").status_code == 404
    assert other.get(ROOT).json()["results"] == []
    assert analyst.get(ROOT).status_code == 403
    for _ in range(Webhook.MAX_OF_USER - 1):
        assert make(curator, receiver.url).status_code == 201
    assert make(curator, receiver.url).status_code == 409
    assert curator.delete(f"{ROOT}{number}/").status_code == 204


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://example.org:8443/",
        "https://user:secret@example.org/",
        "https:///path",
        "https://example.org/#part",
        "https://example.org/a b",
        "https://example.org/\r\nX: y",
        "https://[::1/",
        "ftp://example.org/",
        "https://example.org:99999/",
        "https://exämple.org/",
    ],
)
def test_only_https_on_its_port_is_accepted(curator: Client, url: str) -> None:
    response = make(curator, url)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["url"]


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        *[
            (address, False)
            for address in (
                *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
                *("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::"),  # noqa: S104
                *("fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
                *("2002:7f00:1::", "2001:0:7f00:1::", "ff02::1", "64:ff9b:1::7f00:1", "fec0::1"),
                *("::7f00:1", "::ffff:0:7f00:1", "168.63.129.16", "::ffff:168.63.129.16"),
            )
        ],
    ],
)
def test_private_addresses_are_told_from_public_ones(address: str, is_public: bool) -> None:
    assert posting.is_public(address) is is_public


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[fd00::1]", "localhost"),
        *("2130706433", "0x7f000001", "127.1", "a.LOCALHOST"),
    ],
)
def test_a_private_address_is_refused_at_once(host: str) -> None:
    with pytest.raises(InvalidQuery, match="is not a public address"):
        posting.check_new_address(f"https://{host}/", allow_private=False)
    posting.check_new_address(f"https://{host}/", allow_private=True)
    posting.check_new_address("https://93.184.215.14/", allow_private=False)


def test_a_name_that_leads_to_a_private_address_is_refused() -> None:
    with pytest.raises(ForbiddenAddress, match="not public"):
        posting.post("https://localhost/", b"{}", headers={})
    with pytest.raises(InvalidQuery, match="https://"):
        posting.post("http://localhost/", b"{}", headers={})


def test_a_server_must_prove_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    authority = trustme.CA()
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(roots)
    for name, is_trusted in (("localhost", True), ("other.example", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        with receiving(context) as receiver:
            with pytest.raises(Unavailable, match="certificate"):
                posting.post(receiver.url, b"{}", headers={}, allow_private=True)
            with monkeypatch.context() as patched:
                # As in an installation with a certificate authority of its own.
                patched.setenv("REQUESTS_CA_BUNDLE", str(roots))
                if is_trusted:
                    answer = posting.post(receiver.url, b"{}", headers={}, allow_private=True)
                    assert answer == 204
                    assert receiver.messages[0][0]["host"].startswith("localhost:")
                else:
                    with pytest.raises(Unavailable, match="match"):
                        posting.post(receiver.url, b"{}", headers={}, allow_private=True)


def test_a_slow_server_is_left_in_time_wherever_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The time that opening the connection takes does not put off the end of the request."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "roots.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with answering_slowly(context) as url:
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            posting.post(url, b"{}", headers={}, allow_private=True, seconds=2)

    assert 2 < time.monotonic() - begin < 4


def _make_webhook(url: str) -> Webhook:
    return keeping.create("carla", url=url)


def test_two_workers_do_not_send_to_the_same_webhook(curator: Client, receiver: Receiver) -> None:
    webhook = _make_webhook(receiver.url)
    same = Webhook.objects.get(pk=webhook.pk)

    assert sending._claim(webhook)
    assert not sending._claim(same)
    assert changes.get_last_cursor().listing > 0


def test_a_webhook_is_kept_on_its_page(curator: Client, receiver: Receiver) -> None:
    assert 'href="/webhooks/"' in curator.get("/account/").content.decode()
    refused = curator.post("/webhooks/", {"url": receiver.url, "mics": "XETRA"})
    assert refused.status_code == 400
    assert "not a MIC of four letters or digits" in refused.content.decode()

    form = {"url": receiver.url, "mics": "xetr, XFRA"}
    made = curator.post("/webhooks/", form)
    webhook = Webhook.objects.get()
    address = f"/webhooks/{webhook.pk}/"
    assert keeping.format_secret(webhook).encode() in made.content
    assert webhook.filter == {"mics": ["XETR", "XFRA"]}
    Delivery.objects.create(
        webhook=webhook, message_id="msg_a", changes=7, cursor="c", milliseconds=9, problem="Gone."
    )
    Webhook.objects.update(is_active=False, failures=12, problem="12 attempts have failed.")

    for page in (curator.get("/webhooks/"), curator.get(address)):
        assert "12 attempts have failed." in page.content.decode()
        assert keeping.format_secret(webhook) not in page.content.decode()
    assert "Gone." in curator.get(address).content.decode()
    assert 'value="XETR XFRA"' in curator.get(address).content.decode()
    assert curator.post(address, {"action": "on"}).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.failures, webhook.problem) == (True, 0, "")
    curator.post(address, {"url": receiver.url, "kinds": "ended"})
    curator.post(address, {"action": "replay", "since": "2000-01-01"})
    webhook.refresh_from_db()
    assert webhook.filter == {"kinds": ["ended"]}
    assert webhook.cursor == str(changes.parse_cursor("2000-01-01"))
    page = curator.post(address, {"action": "replay", "since": "soon"}, follow=True)
    assert "is neither a cursor of this feed nor a time" in page.content.decode()
    assert curator.post(address, {"url": "ftp://x"}).status_code == 400
    curator.post(address, {"action": "off"})
    assert not Webhook.objects.get().is_active

    other = Client()
    other.force_login(make_user("other", "curator"))
    assert other.get(address).status_code == 404
    assert other.post(address, {"action": "delete"}).status_code == 404
    assert curator.post(address, {"action": "delete"}).status_code == 302
    assert not Webhook.objects.exists()
    analyst = Client()
    analyst.force_login(make_user("ana", "analyst"))
    assert analyst.get("/webhooks/").status_code == 403


def test_admins_see_all_webhooks_and_switch_them_on(curator: Client, receiver: Receiver) -> None:
    webhook = _make_webhook(receiver.url)
    Delivery.objects.create(
        webhook=webhook, message_id="msg_a", changes=7, cursor="c", milliseconds=9, problem="Gone."
    )
    Webhook.objects.update(is_active=False, problem="12 attempts have failed.")
    listed = "/admin/instruments/webhook/"
    admin = Client()
    admin.force_login(make_user("ada", "admin"))
    assert curator.get(listed).status_code == 403

    page = admin.get(listed).content.decode()
    record = admin.get(f"{listed}{webhook.pk}/change/").content.decode()
    assert "carla" in page
    assert "12 attempts have failed." in page
    assert "Gone." in record
    assert webhook.salt not in record
    admin.post(listed, {"action": "switch_on", "_selected_action": [webhook.pk]})
    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.problem) == (True, "")
    admin.post(listed, {"action": "switch_off", "_selected_action": [webhook.pk]})
    assert not Webhook.objects.get().is_active
