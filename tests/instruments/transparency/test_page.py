"""The page of transparency results, on the real ones and on made ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from instruments import pipeline
from tests import fitrs
from tests.conftest import DATA

Write = Callable[..., Path]
VOLVO = "SE0000115446"
ADDRESS = f"/instruments/{VOLVO}/transparency/"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]


def put(make_zip: Write, *years: tuple[int, str], day: str = "20250830") -> None:
    name = f"FULECR_{day}_E_1of1"
    records = [
        fitrs.equity(
            VOLVO,
            year=year,
            more=fitrs.period(f"{year + 1}-05-01", f"{year + 2}-04-30", tag="ApplPrd")
            + f"<Lqdty>{liquid}</Lqdty>",
        )
        for year, liquid in years
    ]
    fitrs.load(make_zip(name, fitrs.message(name, *records)))


def test_results_in_force_are_shown_with_their_rule_and_drawn_over_time(
    client: Client, make_zip: Write
) -> None:
    put(make_zip, (2022, "false"), (2023, "true"))

    page = client.get(ADDRESS, {"on": "2024-06-30"}).content.decode()

    assert "Applies 2024-05-01 to 2025-04-30." in page
    assert '<rect class="bar terminated" x="0.0%"' in page
    assert page.count('<rect class="bar active"') == 1
    assert "<title>Not liquid. Applies 2023-05-01 to 2024-04-30." in page
    assert "No reference data of this ISIN are loaded." in page


def test_the_known_day_leaves_out_what_was_published_later(client: Client, make_zip: Write) -> None:
    put(make_zip, (2023, "true"))

    before = client.get(ADDRESS, {"known_on": "2025-08-29"}).content.decode()

    assert "0 published results" in before


def test_every_real_result_has_a_page(client: Client) -> None:
    for loaded in pipeline.load(pipeline.register_files([DATA / "fitrs"])):
        assert loaded.error is None

    page = client.get("/instruments/US78463V1070/transparency/").content.decode()

    assert page.count('<rect class="bar overlapping"') == 3
    assert page.count("2023-10-01 to ") == 2
    for isin in ("XS2749349564", "EZ0JHW59N560", "BEEN20114540"):
        assert client.get(f"/instruments/{isin}/transparency/").status_code == 200


def test_the_page_takes_a_fixed_number_of_queries(
    client: Client, make_zip: Write, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    put(make_zip, (2023, "true"))
    with django_assert_num_queries(2):
        client.get(ADDRESS)
    put(make_zip, (2020, "true"), (2021, "false"), (2022, "false"), day="20250906")

    with django_assert_num_queries(2):
        client.get(ADDRESS)


@pytest.mark.parametrize(
    ("years", "periods"),
    [
        ((2023, 2024), "2024-06-03 to 2026-05-31"),
        ((2022, 2024), "2023-06-05 to 2024-06-02, 2025-06-02 to 2026-05-31"),
        ((2022, 2023, 2024), "2023-06-05 to 2026-05-31"),
    ],
)
def test_periods_without_a_day_between_them_are_one(
    years: tuple[int, ...], periods: str, client: Client, make_zip: Write
) -> None:
    for year in years:
        name = f"FULNCR_{year + 1}0501_D_1of1"
        record = fitrs.bond(
            VOLVO, begin=f"{year}-01-01", end=f"{year}-12-31", more="<Lqdty>true</Lqdty>"
        )
        fitrs.load(make_zip(name, fitrs.message(name, record)))

    page = client.get(ADDRESS, {"on": "2026-12-01"}).content.decode()
    assert (
        f"No result with liquidity applies on 2026-12-01. Those published apply {periods}." in page
    )
