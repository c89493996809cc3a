"""The own mail address: a new one is used once it is confirmed by the link that is sent to it."""

import re
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail, signing
from django.test import Client

from accounts.models import User
from audit.models import Event
from tests.accounts.clients import make_user

pytestmark = pytest.mark.django_db

NEW = "ann@example.org"


class YesterdaysSigner(signing.TimestampSigner):
    """Signs as so many seconds before this time of yesterday."""

    seconds = 0

    def timestamp(self) -> str:
        return signing.b62_encode(int(time.time()) - 86_400 - self.seconds)


@pytest.fixture
def client() -> Client:
    """A client in which Ann is signed in."""
    client = Client()
    client.force_login(make_user("ann", "viewer"))
    return client


def ask_on_the_page(client: Client, email: str) -> Any:
    return client.post("/account/email/", {"email": email}, follow=True)


def ask_by_the_api(client: Client, email: str) -> Any:
    return client.patch("/api/v1/auth/me/", {"email": email}, "application/json")


def get_email() -> str:
    return User.objects.get(username="ann").email


def read_link() -> str:
    """Return the path of the link in the mail that was sent last."""
    [path] = re.findall(r"http://testserver(/account/email/\S+/)", str(mail.outbox[-1].body))
    return str(path)


@pytest.mark.parametrize("ask", [ask_on_the_page, ask_by_the_api])
def test_a_new_address_counts_when_its_link_is_opened(
    ask: Callable[[Client, str], Any], client: Client
) -> None:
    ask(client, NEW)

    assert [message.to for message in mail.outbox] == [[NEW]]
    assert get_email() == ""
    page = client.get(read_link())
    assert NEW in page.content.decode()
    assert get_email() == ""  # programs that look at links in mails change nothing
    confirmed = client.post(read_link(), follow=True)
    assert f"Your mail address is {NEW}." in confirmed.content.decode()
    assert get_email() == NEW
    assert Event.objects.get(action="user.email").new == {"email": NEW}
    again = client.post(read_link(), follow=True)
    assert "has been changed since the link was sent" in again.content.decode()


def test_the_api_answers_with_the_address_that_counts(client: Client) -> None:
    asked = ask_by_the_api(client, NEW)
    assert (asked.status_code, asked.json()["email"]) == (200, "")
    client.post(read_link())
    same = ask_by_the_api(client, NEW)
    assert (same.status_code, same.json()["email"]) == (200, NEW)
    removed = ask_by_the_api(client, "")
    assert (removed.status_code, removed.json()["email"], get_email()) == (200, "", "")
    assert len(mail.outbox) == 1


def test_a_link_is_for_one_user_and_a_day(client: Client) -> None:
    ask_on_the_page(client, NEW)
    link = read_link()
    other = Client()
    other.force_login(make_user("bob", "viewer"))

    assert other.get(link).status_code == 400
    other.post(link)
    assert not User.objects.filter(email=NEW).exists()
    assert Client().get(link).status_code in (302, 401)
    assert client.get(f"{link[:-3]}xx/").status_code == 400
    signer = YesterdaysSigner(salt="accounts.mail_addresses")
    values = [User.objects.get(username="ann").pk, "", NEW]
    for seconds, status in ((3_600, 400), (-3_600, 200)):
        signer.seconds = seconds
        token = signer.sign_object(values)
        assert client.get(f"/account/email/{token}/").status_code == status
        assert (client.post(f"/account/email/{token}/").status_code, get_email()) == (
            302,
            "" if status == 400 else NEW,
        )


def test_a_user_is_sent_few_links(client: Client) -> None:
    for number in range(5):
        assert ask_by_the_api(client, f"a{number}@example.org").status_code == 200
    refused = ask_by_the_api(client, NEW)

    assert refused.status_code == 409
    assert "5 links within a day" in refused.json()["detail"]
    assert "5 links within a day" in ask_on_the_page(client, NEW).content.decode()
    assert len(mail.outbox) == 5


def test_the_page_says_what_was_done(client: Client) -> None:
    assert f"A link was sent to {NEW}." in ask_on_the_page(client, NEW).content.decode()
    client.post(read_link())

    assert "Saved." in ask_on_the_page(client, NEW).content.decode()
    assert "Saved." in ask_on_the_page(client, "").content.decode()
    assert get_email() == ""


def test_a_mail_that_cannot_be_sent_changes_nothing(client: Client, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()[:2]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # nobody listens there

    assert ask_by_the_api(client, NEW).status_code == 503
    assert "The mail could not be sent." in ask_on_the_page(client, NEW).content.decode()
    assert not Event.objects.filter(action="user.email_link").exists()


def test_an_address_that_is_none_is_refused(client: Client) -> None:
    assert ask_by_the_api(client, "ann").status_code == 400
    assert "This is not a mail address." in ask_on_the_page(client, "ann").content.decode()
    assert mail.outbox == []
