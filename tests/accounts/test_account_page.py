"""The page of the own account: API keys and activity."""

import re

import pytest
from django.conf import LazySettings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts import api_keys
from accounts.models import ApiKey, User
from audit.models import Event
from tests.accounts.clients import ApiClient, make_user

pytestmark = pytest.mark.django_db
FORM = {"name": "nightly", "days": "30", "permissions": ["instruments.view_instrument"]}


@pytest.fixture
def bob(client: Client) -> Client:
    """A client in which the analyst bob is signed in."""
    client.force_login(make_user("bob", "analyst"))
    return client


def test_the_page_is_for_users(client: Client) -> None:
    assert client.get("/account/").headers["Location"].startswith("/sign-in/")
    assert client.post("/account/api-keys/x/revoke/").headers["Location"].startswith("/sign-in/")


def test_a_key_is_created_shown_once_used_and_revoked(bob: Client) -> None:
    response = bob.post("/account/", FORM)
    page = response.content.decode()
    text = re.search(r'<code class="secret">(md_\w+?_[^<]+)</code>', page)

    assert text is not None
    assert "no-store" in response.headers["Cache-Control"]
    by_key = ApiClient(f"Api-Key {text[1]}")
    assert by_key("get", "/instruments/").status_code == 200
    assert text[1] not in bob.get("/account/").content.decode()
    key = ApiKey.objects.get()
    assert bob.post(f"/account/api-keys/{key.prefix}/revoke/").headers["Location"] == "/account/"
    assert by_key("get", "/instruments/").status_code == 401
    revoked = bob.get("/account/").content.decode()
    assert "is revoked." in revoked
    assert ">Revoked</span>" in revoked
    assert {"key.created", "key.revoked"} <= set(Event.objects.values_list("action", flat=True))
    assert "key.revoked" in revoked


def test_a_form_that_is_sent_again_creates_no_second_key(bob: Client) -> None:
    page = bob.get("/account/").content.decode()
    [identity] = re.findall(r'name="form_id" value="([^"]+)"', page)

    made = bob.post("/account/", {**FORM, "form_id": identity})
    again = bob.post("/account/", {**FORM, "form_id": identity}, follow=True).content.decode()

    assert b'class="secret"' in made.content
    assert 'class="secret"' not in again
    assert "ignored the second time" in again
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"permissions": ["accounts.add_user"]}, "is not one of the available choices"),
        ({"permissions": []}, "This field is required"),
        ({"days": "100000"}, "less than or equal to 366"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_invalid_keys_are_refused(bob: Client, changes: dict[str, object], message: str) -> None:
    response = bob.post("/account/", {**FORM, **changes})

    assert response.status_code == 400
    assert message in response.content.decode()
    assert not ApiKey.objects.exists()


def test_the_limit_of_keys_is_explained(bob: Client, settings: LazySettings) -> None:
    settings.API_KEYS_PER_USER = 1
    bob.post("/account/", FORM)

    page = bob.post("/account/", FORM).content.decode()

    assert "already has 1 usable API keys" in page
    assert ApiKey.objects.count() == 1


def test_keys_and_events_of_others_are_neither_shown_nor_revoked(bob: Client) -> None:
    eve = make_user("eve", "viewer")
    key, _ = api_keys.create(eve, name="hers", permissions=[], days=1)

    page = bob.get("/account/").content.decode()

    assert "hers" not in page
    assert bob.post(f"/account/api-keys/{key.prefix}/revoke/").status_code == 404
    assert ApiKey.objects.get().revoked_at is None


def test_without_the_permission_no_key_is_created_or_revoked(client: Client) -> None:
    user = User.objects.create_user("zoe")
    key, _ = api_keys.create(user, name="old", permissions=[], days=1)
    client.force_login(user)

    assert client.post("/account/", FORM).status_code == 403
    assert client.post(f"/account/api-keys/{key.prefix}/revoke/").status_code == 403
    assert "Create an API key" not in client.get("/account/").content.decode()


@pytest.mark.slow
def test_the_page_takes_a_fixed_number_of_queries(
    bob: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bob.post("/account/", FORM)
    with django_assert_num_queries(10):
        bob.get("/account/")
    for _ in range(5):
        bob.post("/account/", FORM)

    with django_assert_num_queries(10):
        bob.get("/account/")
