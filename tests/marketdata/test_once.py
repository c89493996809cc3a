"""Forms that create something: sent twice, they create one thing."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import ApiKey
from curation.models import ImportBatch, Note, WatchList
from instruments.models import Correction, ListFile, OutputProfile, Scope, Webhook
from instruments.venues.load import load_bundled_if_none
from tests.accounts.clients import make_user
from tests.admin_pages import find_admin_pages

pytestmark = pytest.mark.django_db(transaction=True)
KEY = {"name": "nightly", "days": "30", "permissions": ["instruments.view_instrument"]}


@pytest.fixture(params=["file", "redis"])
def counts(
    request: pytest.FixtureRequest, settings: LazySettings, tmp_path: Path
) -> Iterator[None]:
    """Counts of this test, in each of their two places."""
    place = {
        "BACKEND": "marketdata.web.counts.FileCounts",
        "LOCATION": str(tmp_path / "counts.sqlite3"),
    }
    if request.param == "redis":
        url = request.getfixturevalue("redis")
        place = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}
    settings.CACHES = {**settings.CACHES, "counts": place}
    yield
    caches["counts"].close()


def sign_in(role: str = "curator") -> Client:
    client = Client()
    client.force_login(make_user("carla", role))
    return client


def read_id(client: Client, path: str) -> str:
    page = client.get(path).content.decode()
    return page.partition('name="form_id" value="')[2].partition('"')[0]


@pytest.mark.usefixtures("counts")
def test_requests_at_the_same_moment_create_one_key() -> None:
    client = sign_in()
    form = {**KEY, "form_id": read_id(client, "/account/")}
    cookies = client.cookies

    def send(_: int) -> int:
        other = Client()
        other.cookies = cookies
        status = other.post("/account/", form).status_code
        connection.close()
        return status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(send, range(4)))

    assert statuses == [200, 302, 302, 302]
    assert ApiKey.objects.count() == 1
    page = client.get("/account/").content.decode()
    assert "ignored the second time" in page
    assert "revoke that key" in page


@pytest.mark.usefixtures("counts")
def test_a_form_that_created_nothing_may_be_sent_again() -> None:
    client = sign_in()
    form = {"form_id": read_id(client, "/webhooks/")}

    statuses = [
        client.post("/webhooks/", {**form, "url": address}).status_code
        for address in ("http://localhost/", "https://93.184.215.14/", "https://93.184.215.14/")
    ]

    assert statuses == [400, 200, 302]
    assert Webhook.objects.count() == 1
    assert "delete that webhook" in client.get("/webhooks/").content.decode()


def test_a_form_is_carried_out_while_nothing_can_be_counted(
    settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    place = {"BACKEND": "marketdata.web.counts.FileCounts", "LOCATION": "/dev/null/counts"}
    settings.CACHES = {**settings.CACHES, "counts": place}
    client = sign_in()
    form = {**KEY, "form_id": read_id(client, "/account/")}

    assert client.post("/account/", {**form, "days": "0"}).status_code == 400
    assert client.post("/account/", form).status_code == 200
    assert "sent twice are not recognized" in caplog.text


def test_a_form_is_answered_after_another_process_has_cleared_the_counts(
    settings: LazySettings, tmp_path: Path
) -> None:
    path = tmp_path / "counts.sqlite3"
    place = {"BACKEND": "marketdata.web.counts.FileCounts", "LOCATION": str(path)}
    settings.CACHES = {**settings.CACHES, "counts": place}
    client = sign_in()
    form = {**KEY, "form_id": read_id(client, "/account/")}
    assert client.post("/account/", {**form, "days": "0"}).status_code == 400

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute("DELETE FROM counts").rowcount

    assert client.post("/account/", form).status_code == 200


@pytest.mark.parametrize(
    ("path", "form", "model", "shown"),
    [
        ("/notes/venue/XETR/", {"text": "Wrote to the venue"}, Note, "/notes/venue/XETR/"),
        (
            "/watchlists/",
            {"name": "German", "filter": "currency=EUR"},
            WatchList,
            "/watchlists/",
        ),
        ("/check/files/", {"question": "reportability"}, ListFile, "/check/files/"),
    ],
)
@pytest.mark.usefixtures("own_folders")
def test_the_second_answer_is_the_page_with_what_was_created(
    path: str, form: dict[str, str], model: Any, shown: str
) -> None:
    load_bundled_if_none()
    client = sign_in()
    identity = read_id(client, path)

    def send() -> Any:
        file = SimpleUploadedFile("trades.csv", b"DE000A1R07V3,XFRA,2020-06-30\n")
        files = {"file": file} if model is ListFile else {}
        return client.post(path, {**form, **files, "form_id": identity})

    first, second = send(), send()

    assert (first.status_code, second.status_code) == (302, 302)
    assert second["Location"] == shown
    assert model.objects.count() == 1


def test_a_proposal_that_is_sent_again_is_no_second_one_and_a_preview_may_be_repeated() -> None:
    load_bundled_if_none()
    client = sign_in()
    path = "/corrections/propose/"
    form = {"mic": "XETR", "field": "name", "value": "XETRA RIGHT", "reason": "Misspelt"}
    form["form_id"] = read_id(client, path)
    previews = [client.post(path, form).content.decode() for _ in range(2)]
    [mark] = re.findall(r'name="propose" value="([^"]+)"', previews[1])

    answers = [client.post(path, {**form, "propose": mark}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert "waits for a curator" in client.get(answers[1]["Location"]).content.decode()
    assert Correction.objects.count() == 1


def test_every_form_of_the_admin_that_adds_a_row_is_carried_out_once() -> None:
    user = make_user("ada", "admin")
    client = Client()
    client.force_login(user)
    request = RequestFactory().get("/admin/")
    request.user = user

    names = [
        f"admin:{model._meta.app_label}_{model._meta.model_name}_add"
        for model, page in find_admin_pages().items()
        if page.has_add_permission(request)
    ]

    assert len(names) > 5
    assert [name for name in names if not read_id(client, reverse(name))] == []


SCOPE = {"register": "ESMA", "categories": "E"}
PROFILE = {"name": "short", "rows": "instruments", "columns": '[{"field": "isin"}]'}


@pytest.mark.parametrize(
    ("path", "form", "model"),
    [
        ("/admin/instruments/scope/", SCOPE, Scope),
        ("/admin/instruments/outputprofile/", PROFILE, OutputProfile),
        ("/admin/curation/importbatch/", {"kind": "venues"}, ImportBatch),
    ],
)
def test_a_form_of_the_admin_that_is_sent_twice_adds_one_row_and_shows_the_list(
    path: str, form: dict[str, str], model: Any
) -> None:
    client = sign_in("admin")
    identity = read_id(client, f"{path}add/")

    def send(**changes: str) -> Any:
        file = SimpleUploadedFile(
            "venues.csv", b"mic,name,country,comments\nXSTO,Stockholm,SE,A test\n"
        )
        files = {"file": file} if model is ImportBatch else {}
        return client.post(f"{path}add/", {**form, **files, "form_id": identity, **changes})

    refused = send(**{next(iter(form)): ""})
    first, second = send(), send()

    assert refused.status_code == 200
    assert (first.status_code, second.status_code) == (302, 302)
    assert second["Location"] == path
    assert model.objects.count() == 1
    assert "sent twice" in client.get(path).content.decode()
