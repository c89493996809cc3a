"""All long lists of the API have an answer where few of many rows match: what was found in its time."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.db import connection
from django.test import Client

from instruments import pipeline
from instruments.models import LegalEntity, SubclassTransparency, TransparencyResult
from marketdata.web import pieces
from tests.conftest import DATA

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
        found = list(pieces.cut([("", rows)], "", 1_000, size))
        assert whole or rows.model is SubclassTransparency
        assert [row.pk for _, pairs in found for _, row in pairs] == whole
        assert found[-1][0] == ""
        assert len(found) > 1 or size == 1_000 or rows.model is SubclassTransparency
        for searched_to, _ in found[:-1]:
            rest = [row.pk for row in rows.after(searched_to)]
            assert rest == whole[len(whole) - len(rest) :]


@contextlib.contextmanager
def endless_list(table: str) -> Iterator[None]:
    """Let SQLite work on the first statement that reads rows of a table until the time limit stops it."""
    stopped = False

    def work(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        nonlocal stopped
        is_page = f'FROM "{table}"' in sql and "LIMIT" in sql and "COUNT(" not in sql
        if not stopped and is_page:
            stopped = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
                )
        return execute(sql, *arguments)

    with connection.execute_wrapper(work):
        yield
    assert stopped


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

    with endless_list(table):
        first = client.get(f"/api/v1/{path}?per_page={PAGE}&cursor=").json()

    assert len(whole) > PAGE
    following = client.get(first["pagination"]["next"]).json()
    assert first["results"] + following["results"] == whole[: 2 * PAGE]
    assert first["pagination"]["total"] is None
