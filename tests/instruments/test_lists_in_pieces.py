"""All long lists of the API have an answer where few of many rows match: what was parts_read in its time."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.test import Client

from instruments import pipeline
from instruments.models import LegalEntity, SubclassTransparency, TransparencyResult
from marketdata.web import pieces
from tests.conftest import DATA
from tests.endless import endless_before

pytestmark = pytest.mark.usefixtures("anonymous_reading")
PAGE = 3


@pytest.fixture
def loaded(real_instruments: None) -> None:
    """The real instruments, transparency results and legal entities."""
    paths = [DATA / "fitrs", DATA / "gleif"]
    for loaded_file in pipeline.load(pipeline.register_files(paths, excerpt=True)):
        assert loaded_file.error is None


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("size", [1, 4, 1_000])
def test_pieces_have_all_rows_of_a_list(size: int) -> None:
    lists: list[Any] = [
        LegalEntity.objects.order_by("lei"),
        LegalEntity.objects.filter(legal_address_country="US").order_by("lei"),
        LegalEntity.objects.search("l"),
        TransparencyResult.objects.published().order_by("isin", "pk"),
        TransparencyResult.objects.filter(liquid=False).order_by("isin", "pk"),
        SubclassTransparency.objects.published().order_by("asset_class", "pk"),
    ]
    for rows in lists:
        whole = [row.pk for row in rows]
        parts_read = list(pieces.cut([("", rows)], "", 1_000, size))
        assert whole or rows.model is SubclassTransparency
        assert [row.pk for _, pairs in parts_read for _, row in pairs] == whole
        assert parts_read[-1][0] == ""
        assert len(parts_read) > 1 or size == 1_000 or rows.model is SubclassTransparency
        for searched_to, _ in parts_read[:-1]:
            rest = [row.pk for row in rows.after(searched_to)]
            assert rest == whole[len(whole) - len(rest) :]


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("entities/", "instruments_legalentity"),
        ("transparency/", "instruments_transparencyresult"),
        ("instruments/US6311011026/derivatives/", "instruments_instrument"),
    ],
)
def test_a_list_that_takes_too_long_is_read_in_pieces(
    path: str, table: str, client: Client, settings: LazySettings
) -> None:
    whole = client.get(f"/api/v1/{path}?per_page=999&cursor=").json()["results"]
    caches["answers"].clear()
    settings.REQUEST_TIMEOUT_SECONDS = 4

    def is_page(sql: str) -> bool:
        return f'FROM "{table}"' in sql and "LIMIT" in sql and "COUNT(" not in sql

    with endless_before(is_page):
        first = client.get(f"/api/v1/{path}?per_page={PAGE}&cursor=").json()

    assert len(whole) > PAGE
    following = client.get(first["pagination"]["next"]).json()
    assert first["results"] + following["results"] == whole[: 2 * PAGE]
    assert first["pagination"]["total"] is None
