"""The HTML of pages, for keyboards and screen readers."""

import re

import pytest
from django.test import Client

from accounts.models import User
from tests.conftest import ROOT
from tests.pages import PUBLIC_PAGES, prepare_pages

pytestmark = pytest.mark.django_db(transaction=True)
_DESCRIBED = re.compile('aria-describedby="([^"]+)"')


def find_missing_descriptions(content: bytes) -> set[str]:
    """Return the ids by which fields refer to a text that the page does not have."""
    text = content.decode()
    ids = {identity for names in _DESCRIBED.findall(text) for identity in names.split()}
    return {identity for identity in ids if f'id="{identity}"' not in text}


def test_every_frame_that_scrolls_can_be_scrolled_by_the_keyboard() -> None:
    frames = [
        (path.name, frame)
        for path in (ROOT / "templates").rglob("*.html")
        for frame in re.findall('<div class="scroll"[^>]*>', path.read_text())
    ]

    assert len(frames) > 20
    assert [frame for frame in frames if 'tabindex="0"' not in frame[1]] == []


def test_what_is_deleted_or_revoked_takes_a_second_click() -> None:
    buttons = [
        (
            path.name,
            found[0],
            text.count("<details", 0, found.start()) > text.count("</details", 0, found.start()),
        )
        for path in (ROOT / "templates").rglob("*.html")
        for text in [path.read_text()]
        for found in re.finditer("<button[^>]*>(Delete|Remove|Revoke)", text)
    ]

    assert len(buttons) >= 6
    assert [button for *button, asks in buttons if not asks] == []


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_fields_refer_to_texts_of_their_page(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    pages = PUBLIC_PAGES | prepare_pages()

    missing = {path: find_missing_descriptions(client.get(path).content) for path in pages.values()}

    assert {path: ids for path, ids in missing.items() if ids} == {}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/corrections/propose/", {"field": "full_name", "evidence": "no address"}),
        ("/check/", {"lines": "DE000A1R07V3", "on": "yesterday"}),
        ("/check/", {"lines": "DE000A1R07V3\x00"}),
        ("/enrichment/", {"isins": "DE000A1R07V3\x00"}),
        ("/watchlists/", {"isins": "DE000A1R07V3"}),
        ("/webhooks/", {"isins": "DE000A1R07V3"}),
        ("/account/", {"name": "", "days": "many"}),
        ("/files/upload/", {}),
        ("/password/", {}),
    ],
)
def test_an_error_stands_beside_its_field_which_refers_to_it(
    path: str, values: dict[str, str], client: Client
) -> None:
    client.force_login(User.objects.create_superuser("root"))

    response = client.post(path, values)

    text = response.content.decode()
    assert 'aria-invalid="true"' in text
    assert '_error" role="alert"' in text
    assert find_missing_descriptions(response.content) == set()
