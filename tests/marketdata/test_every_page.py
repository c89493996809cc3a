"""All pages of the site: few queries, however many rows there are."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, resolve

from accounts.models import User
from tests.pages import PUBLIC_PAGES, prepare_pages

pytestmark = pytest.mark.django_db(transaction=True)
# Parts of pages, files, redirections and forms without a page of their own.
_NO_PAGES = {
    *("suggestions", "list-answers", "api", "sign-in-entra", "sign-in-entra-callback"),
    *("sign-out", "logout"),
}
_MOST_QUERIES = 40
_MOST_BYTES = 150_000


def names_of_pages(patterns: list[Any]) -> Iterator[str]:
    """Return the names of the addresses that answer GET by a page, without those of the admin and the API."""
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            if pattern.namespace != "admin":
                yield from names_of_pages(pattern.url_patterns)
            continue
        page = getattr(pattern.callback, "view_class", None)
        is_of_api = hasattr(pattern.callback, "cls")  # as views of Django REST Framework have
        if hasattr(page, "get") and not is_of_api:
            yield pattern.name


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_every_page_takes_few_queries_and_is_small(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    pages = PUBLIC_PAGES | prepare_pages() | {"login": "/api/auth/login/"}

    too_many = {}
    for path in pages.values():
        with CaptureQueriesContext(connection) as queries:
            response = (Client() if path == "/sign-in/" else client).get(path)
        assert response.status_code == 200, path
        if len(queries) > _MOST_QUERIES or len(response.content) > _MOST_BYTES:
            too_many[path] = (len(queries), len(response.content))
    assert too_many == {}

    visited = {resolve(urlsplit(path).path).url_name for path in pages.values()}
    assert set(names_of_pages(get_resolver().url_patterns)) - visited == _NO_PAGES
