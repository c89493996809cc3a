"""Links between pages, for people who look, and for those who use a keyboard or a screen reader."""

import pytest
from django.test import Client

from tests.accounts.clients import make_user
from tests.browsing import Visit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("/venues/", ['<a href="/venues/" aria-current="page">Venues</a>']),
        ("/check/files/", ['<a href="/check/" aria-current="true">Check a list</a>']),
        (
            "/files/runs/",
            [
                '<a href="/files/" aria-current="true">Files</a>',
                '<a href="/files/runs/" aria-current="page">Runs</a>',
            ],
        ),
        ("/", []),
    ],
)
def test_the_links_to_the_page_that_is_shown_are_marked(
    path: str, links: list[str], client: Client
) -> None:
    client.force_login(make_user("carla", "curator"))

    page = client.get(path).content.decode()

    assert page.count("aria-current") == len(links)
    assert [link for link in links if link not in page] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/corrections/", "No correction replaces a published value at present."),
        ("/notes/", "There are no notes yet."),
        ("/notes/?q=bank", "No note matches."),
    ],
)
def test_a_page_without_rows_says_so_in_words(path: str, text: str, client: Client) -> None:
    client.force_login(make_user("carla", "curator"))

    assert text in client.get(path).content.decode()


def test_a_code_that_is_in_no_name_has_a_heading(client: Client) -> None:
    client.force_login(make_user("carla", "curator"))

    page = client.get("/?q=DBFTFB").content.decode()

    assert "DBFTFB is a CFI code" in page
    assert '<h1 class="small">No instrument has “DBFTFB” in its name</h1>' in page
    assert page.count("<h1") == 1


def test_a_figi_that_is_not_known_is_not_taken_for_a_wrong_isin(client: Client) -> None:
    client.force_login(make_user("carla", "curator"))

    page = client.get("/?q=bbg000blnnh6").content.decode()

    assert "Not a valid ISIN" not in page
    assert "No FIGI of the instruments here is BBG000BLNNH6" in page
    assert "Not a valid ISIN" in client.get("/?q=DE000A1R07V4").content.decode()


def test_a_filter_is_named_in_the_title(client: Client) -> None:
    client.force_login(make_user("carla", "curator"))

    page = client.get("/?category=D&currency=EUR").content.decode()

    assert "<title>Category Debt instruments, Currency EUR · MarketData</title>" in page


@pytest.mark.slow
def test_the_first_key_leads_past_the_links(admin_visit: Visit) -> None:
    admin_visit.open("/venues/")
    page = admin_visit.page
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    assert link.evaluate("link => link === document.activeElement")
    assert link.evaluate("link => link.getBoundingClientRect().left") >= 0
    admin_visit.check_accessible()

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/?maturity_before=soon", "Maturity before: &#x27;soon&#x27; is not a day"),
        ("/venues/?country=Germany", "Country"),
        ("/problems/no_entity/?register=FDA", "Register"),
    ],
)
def test_a_wrong_filter_is_named_as_in_its_form(path: str, text: str, client: Client) -> None:
    client.force_login(make_user("carla", "curator"))

    response = client.get(path)

    assert response.status_code == 400
    assert f'role="alert">{text}' in response.content.decode()


@pytest.mark.usefixtures("real_instruments")
def test_titles_of_the_pages_of_an_instrument_have_its_name(client: Client) -> None:
    client.force_login(make_user("carla", "curator"))

    for part in ("", "history/", "compare/", "transparency/", "dossier/"):
        page = client.get(f"/instruments/DE000A1R07V3/{part}").content.decode()
        assert "DE000A1R07V3 KFW" in page[page.index("<title>") : page.index("</title>")], part
