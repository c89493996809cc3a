"""The pages of legal entities, on real records."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from instruments.listings.load import search_index
from instruments.models import (
    EntityRelationship,
    Instrument,
    LegalEntity,
    RelationshipType,
)
from tests import demo_files, golden_copy
from tests.conftest import DATA
from tests.golden_copy import EXCERPT, FULL

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
DENTSU, FUND = "213800FERQ5LE3H7WJ58", "001GPB6A9XPE8XJICC14"


@pytest.fixture
def excerpt(tmp_path: Path) -> None:
    golden_copy.load(golden_copy.put(tmp_path, FULL, EXCERPT.read_bytes()))


@pytest.mark.usefixtures("excerpt")
def test_entities_are_found_by_any_form_of_their_names(client: Client) -> None:
    everything = client.get("/entities/").content.decode()
    matching = client.get("/entities/", {"q": "aegis"}).content.decode()

    assert all(f'href="/entities/{lei}/"' in everything for lei in _all_leis())
    assert f'href="/entities/{DENTSU}/"' in matching
    assert "1 entity<" in matching
    assert client.get("/entities/", {"q": DENTSU.lower()}).headers["Location"] == (
        f"/entities/{DENTSU}/"
    )
    assert "No legal entity found for" in client.get("/entities/?q=unheard").content.decode()


@pytest.mark.usefixtures("excerpt")
def test_every_entity_has_a_page_with_its_names_group_and_instruments(client: Client) -> None:
    for lei in _all_leis():
        assert client.get(f"/entities/{lei}/").status_code == 200
    Instrument.objects.create(
        isin="GB00B0000005", full_name="Made", issuer_lei=DENTSU, status="active", listing_count=1
    )
    search_index.rebuild()

    page = client.get(f"/entities/{DENTSU.lower()}/").content.decode()

    for text in (
        "DENTSU INTERNATIONAL LIMITED",
        "AEGIS GROUP PLC",
        "Source: GLEIF",
        FULL,
        "GB00B0000005",
    ):
        assert text in page


@pytest.mark.usefixtures("excerpt")
def test_related_entities_are_links_only_where_their_record_is_loaded(
    client: Client, tmp_path: Path
) -> None:
    stem = golden_copy.name(subject="rr")
    content = (DATA / "gleif" / f"{stem}.xml").read_bytes()
    golden_copy.load(golden_copy.put(tmp_path, stem, content))
    relationship = EntityRelationship.objects.get(start_lei=FUND, type="IS_SUBFUND_OF")
    address = f'href="/entities/{relationship.end_lei}/"'

    page = client.get(f"/entities/{FUND}/").content.decode()

    assert relationship.end_lei in page
    assert address not in page
    known = LegalEntity.objects.get(lei=DENTSU)
    EntityRelationship.objects.filter(pk=relationship.pk).update(
        end_lei=known.lei, type=RelationshipType.DIRECT
    )
    page = client.get(f"/entities/{FUND}/").content.decode()
    assert page.count(f'href="/entities/{known.lei}/"') == 2  # in the tree, and in the table


@pytest.mark.parametrize("lei", [DENTSU, "x", "213800FERQ5LE3H7WJ59"])
def test_an_unknown_entity_is_a_page_that_says_so(client: Client, lei: str) -> None:
    response = client.get(f"/entities/{lei}/")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_an_empty_list_says_how_to_load_golden_copies(client: Client) -> None:
    assert "manage.py sync_entities" in client.get("/entities/").content.decode()


def _all_leis() -> list[str]:
    return list(LegalEntity.objects.values_list("lei", flat=True))


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_the_group_is_drawn_as_a_tree(client: Client) -> None:
    page = client.get(f"/entities/{demo_files.ISSUER}/").content.decode()

    tree = page[page.index('<ul class="tree">') : page.index("<th>Relationship</th>")]
    names = re.findall(r"(<ul|</ul|[A-Z][^<>]+ [(]made up[)])", tree)
    assert names == [
        *("<ul", "Polarstern Holding SE (made up)", "<ul", "Nordlicht SE (made up)", "<ul"),
        *("Nordlicht UK Limited (made up)", "Nordlicht Finance B.V. (made up)"),
        *("</ul", "</ul", "</ul"),
    ]
    row = 'class="name">Nordlicht Finance B.V. (made up)</td>'
    assert row in page
    assert row not in client.get(f"/entities/{demo_files.ISSUER}/?on=1990-01-01").content.decode()


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_the_page_of_an_entity_lists_the_instruments_of_its_group(client: Client) -> None:
    parent = EntityRelationship.objects.get(
        start_lei=demo_files.ISSUER, type=RelationshipType.DIRECT
    ).end_lei
    isin = Instrument.objects.filter(issuer_lei=demo_files.ISSUER).order_by("isin")[0].isin

    own = client.get(f"/entities/{parent}/").content.decode()
    of_group = client.get(f"/entities/{parent}/?group=on").content.decode()
    on_day = client.get(f"/entities/{parent}/?group=on&on=2022-12-31").content.decode()

    assert f"/instruments/{isin}/" not in own
    assert "It is the published issuer of no instrument" in own
    assert '<a href="?group=on">Instruments of the whole group</a>' in own
    assert "<h2>Instruments of the group</h2>" in of_group
    assert "<h2>Instruments of the group today</h2>" in on_day
    assert f"/instruments/{isin}/" in of_group
    matches = client.get("/", {"issuer_group": parent}).content.decode()
    assert f"/instruments/{isin}/" in matches


def test_the_admin_reads_a_search_in_the_order_of_the_index(
    admin_client: Client, excerpt: None
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get("/admin/instruments/legalentity/", {"q": "limited"})

    assert DENTSU in page.content.decode()
    searches = [query["sql"] for query in queries if "entity_index MATCH" in query["sql"]]
    assert searches
    with connection.cursor() as cursor:
        for sql in searches:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            assert "TEMP B-TREE" not in str(cursor.fetchall())
