"""Transparency by API, commands, page and admin: on real results, and on made ones for what these lack."""

import datetime as dt
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from instruments import pipeline
from instruments.models import TransparencyResult
from instruments.transparency.applicable import applying
from tests import firds, fitrs
from tests.conftest import DATA
from tests.instruments.listings.test_plans import planned, scans
from tests.stored import stored

Write = Callable[..., Path]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
VOLVO = "SE0000115446"


@pytest.fixture
def real_results(transactional_db: None, own_folders: None) -> None:
    for loaded in pipeline.load(pipeline.register_files([DATA / "fitrs"])):
        assert loaded.error is None


def get(client: Client, path: str, status: int = 200, /, **parameters: Any) -> Any:
    response = client.get(f"/api/v1/{path}", parameters)
    assert response.status_code == status, response.content
    return response.json()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("real_results")
@pytest.mark.parametrize(
    ("parameters", "condition"),
    [
        ({"isin": "us78463v1070"}, {"isin": "US78463V1070"}),
        (
            {"isin": ["XS2749349564", "FR0013480407"]},
            {"isin__in": ["XS2749349564", "FR0013480407"]},
        ),
        ({"classification": "bond"}, {"classification": "BOND"}),
        ({"subject": "statistics"}, {"subject": "statistics"}),
        ({"liquid": "true"}, {"liquid": True}),
        ({"methodology": "SINT"}, {"methodology": "SINT"}),
        ({"period_end": "2024-06-30"}, {"reported_period_to": "2024-06-30"}),
        ({"superseded": "false"}, {}),
        ({}, {}),
    ],
)
def test_each_filter_finds_what_has_that_value(
    client: Client, parameters: dict[str, Any], condition: dict[str, Any]
) -> None:
    wanted = TransparencyResult.objects.filter(**condition)
    with planned() as plan:
        answer = get(client, "transparency/", **parameters, per_page=100)

    assert answer["pagination"]["total"] == wanted.count() > 0
    found = [(row["isin"], row["source_file"], row["source_position"]) for row in answer["results"]]
    ordered = wanted.order_by("isin", "pk")
    assert found == list(ordered.values_list("isin", "source_file__name", "source_position"))
    if {"isin", "classification", "methodology", "period_end"} & parameters.keys():
        assert scans(plan) == []


@pytest.mark.usefixtures("real_results")
def test_a_result_is_shown_as_published(client: Client) -> None:
    row = get(client, "transparency/", isin="EZ0JHW59N560")["results"][0]

    assert row["liquid"] is False
    assert row["reporting_period"] == {"first_day": "2023-01-01", "last_day": "2023-12-31"}
    assert row["application_period"] is None
    assert row["thresholds"]["pre_trade_lis"] == {
        "amount": "5000000",
        "currency": "EUR",
        "number": None,
    }
    assert row["criteria"][0] == {"name": "SACL", "value": "IRD06"}
    assert row["market_size"] is None


@pytest.mark.usefixtures("real_results")
def test_turnover_is_a_series_and_overlaps_are_marked(client: Client) -> None:
    answer = get(client, "instruments/US78463V1070/transparency/")

    assert [(row["first_day"], row["volume"], row["overlaps"]) for row in answer["turnover"]] == [
        ("2023-10-01", "700600217.49834", True),
        ("2024-01-01", "629168379.16999", True),
        ("2024-04-01", "794961311.63774", True),
    ]
    assert answer["applies"]["liquidity"]["result"] is None
    assert "has been published" in answer["applies"]["liquidity"]["why"]


def test_the_application_period_decides_what_applies(client: Client, make_zip: Write) -> None:
    name = "FULECR_20250830_E_1of1"
    records = [
        fitrs.equity(
            VOLVO,
            year=year,
            more=fitrs.period(f"{year + 1}-04-01", f"{year + 2}-03-31", tag="ApplPrd")
            + f"<Lqdty>{liquid}</Lqdty>",
        )
        for year, liquid in ((2022, "false"), (2023, "true"))
    ]
    fitrs.load(make_zip(name, fitrs.message(name, *records)))

    def liquidity(on: str) -> tuple[Any, str]:
        said = get(client, f"instruments/{VOLVO}/transparency/", on=on)["applies"]["liquidity"]
        return said["result"] and said["result"]["liquid"], said["why"]

    assert liquidity("2023-04-01")[0] is False
    assert liquidity("2024-03-31")[0] is False
    assert liquidity("2024-04-01") == (
        True,
        "Its application period, 2024-04-01 to 2025-03-31, contains 2024-04-01.",
    )
    assert liquidity("2025-04-01")[0] is None
    assert liquidity("2023-03-31")[0] is None


@pytest.mark.usefixtures("real_results")
def test_without_one_the_newest_reporting_period_that_is_over_decides(client: Client) -> None:
    def applies(on: str) -> Any:
        return get(client, "instruments/XS2398661319/transparency/", on=on)["applies"]["liquidity"]

    assert applies("2024-12-31")["result"]["reporting_period"]["last_day"] == "2024-12-31"
    assert applies("2024-12-30")["result"]["reporting_period"]["last_day"] == "2024-09-30"
    assert "no application period is published" in applies("2024-12-30")["why"]
    assert applies("2024-06-29")["result"] is None


def test_liquidity_is_never_inferred(make_zip: Write) -> None:
    """A result with high turnover and no word on liquidity says nothing of liquidity."""
    name = "FULNCR_20250830_D_1of1"
    numbers = "<TtlNbOfTxsExctd>99999</TtlNbOfTxsExctd><TtlVolOfTxsExctd>1e9</TtlVolOfTxsExctd>"
    statistics = f"<Sttstcs>{numbers.replace('1e9', '999999999')}</Sttstcs>"
    fitrs.load(make_zip(name, fitrs.message(name, fitrs.bond(VOLVO, more=statistics))))

    found = applying(TransparencyResult.objects.of(VOLVO), dt.date(2025, 9, 1))

    assert found["liquidity"].result is None


def test_superseded_results_are_asked_for(client: Client, make_zip: Write) -> None:
    for day, liquid in ((23, "false"), (30, "true")):
        name = f"FULNCR_202508{day}_D_1of1"
        record = fitrs.bond(VOLVO, more=f"<Lqdty>{liquid}</Lqdty>")
        fitrs.load(make_zip(name, fitrs.message(name, record)))

    assert [row["liquid"] for row in get(client, "transparency/")["results"]] == [True]
    with planned() as plan:
        old = get(client, "transparency/", superseded="true")["results"]
    assert [row["liquid"] for row in old] == [False]
    assert all(line.endswith("result_superseded_idx") for _, line in scans(plan))
    shown = get(client, f"instruments/{VOLVO}/transparency/")["results"]
    assert [row["liquid"] for row in shown] == [True]


def test_sub_classes_are_listed_with_their_criteria(client: Client, make_zip: Write) -> None:
    name = "FULNCR_20250830_NYAR_1of1"
    limit = "<PreTradLrgInScaleThrshld><Nb>12.5</Nb></PreTradLrgInScaleThrshld>"
    records = [fitrs.of_class(asset, "X1", more=limit) for asset in ("EMAL", "EQDV")]
    fitrs.load(make_zip(name, fitrs.message(name, *records)))

    [row] = get(client, "transparency/sub-classes/", asset_class="emal")["results"]

    assert (row["asset_class"], row["criteria"]) == ("EMAL", [{"name": "SACL", "value": "X1"}])
    assert row["thresholds"]["pre_trade_lis"]["number"] == "12.5"
    assert get(client, "transparency/sub-classes/", q="a sub")["pagination"]["total"] == 2


@pytest.mark.usefixtures("real_results")
def test_the_number_of_queries_is_fixed(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for size in (1, 50):
        with django_assert_num_queries(2):
            get(client, "transparency/", per_page=size)
    with django_assert_num_queries(1):
        get(client, "instruments/US78463V1070/transparency/")


@pytest.mark.usefixtures("real_results")
def test_wrong_questions_are_told_so(client: Client) -> None:
    assert "check digit" in get(client, "instruments/SE0000115447/transparency/", 400)["detail"]
    assert "Nothing of" in get(client, "instruments/SE0000115446/transparency/", 404)["detail"]
    assert "on" in get(client, "instruments/US78463V1070/transparency/", 400, on="soon")["errors"]
    assert "off" in get(client, "instruments/US78463V1070/transparency/", 400, off="1")["errors"]
    assert "methodology" in get(client, "transparency/", 400, methodology="YEARLY")["errors"]
    assert "liquid" in get(client, "transparency/", 400, liquid="perhaps")["errors"]
    assert "year" in get(client, "transparency/", 400, year="2024")["errors"]


def test_an_instrument_without_results_says_that_there_are_none(
    client: Client, make_zip: Write
) -> None:
    name = "FULINS_E_20250302_01of01"
    record = firds.record("RefData", VOLVO, "XSTO", period="2025-03-01")
    fitrs.load(make_zip(name, firds.message(name, record)))

    answer = get(client, f"instruments/{VOLVO}/transparency/")

    assert (answer["results"], answer["turnover"]) == ([], [])
    assert b"Transparency</h2>" not in client.get(f"/instruments/{VOLVO}/").content


def test_the_page_shows_what_applies(client: Client, make_zip: Write) -> None:
    name = "FULINS_D_20250302_01of01"
    record = firds.record("RefData", VOLVO, "XSTO", period="2025-03-01", cfi="DBFUFR")
    fitrs.load(make_zip(name, firds.message(name, record)))
    name = "FULNCR_20250830_D_1of1"
    limit = fitrs.threshold("PreTradLrgInScaleThrshld", "600000")
    record = fitrs.bond(VOLVO, more=f"<Lqdty>true</Lqdty>{limit}")
    fitrs.load(make_zip(name, fitrs.message(name, record)))

    page = client.get(f"/instruments/{VOLVO}/").content.decode()

    assert "Liquidity, thresholds: Its reporting period, 2024-01-01 to 2024-12-31" in page
    assert "<dd>600000</dd>" in page


@pytest.mark.usefixtures("real_results")
def test_the_command_says_what_the_api_says(client: Client) -> None:
    listed = json.loads(
        run("transparency", "list", "--liquid", "true", "--limit", "5", "--format", "json")
    )
    assert listed == get(client, "transparency/", liquid="true", per_page=5)["results"]
    one = run("transparency", "get", "xs2398661319", "--on", "2025-08-30", "--format", "json")
    assert json.loads(one) == get(client, "instruments/XS2398661319/transparency/", on="2025-08-30")
    assert "is the newest that was over" in run("transparency", "get", "BEEN20114540")
    assert "25000 EUR" in run("transparency", "list", "--isin", "BEEN20114540")
    assert "No result matches" in run("transparency", "list", "--methodology", "YEAR")
    for arguments, said in (
        (("get", "SE0000115447"), "check digit"),
        (("get", VOLVO), "Nothing of"),
        (("list", "--isin", "x"), "--isin"),
        (("list", "--limit", "0"), "--limit"),
    ):
        with pytest.raises(CommandError, match=said):
            run("transparency", *arguments)


@pytest.mark.usefixtures("real_results")
def test_stats_and_admin_know_the_results(client: Client) -> None:
    stats = get(client, "stats/")
    assert (stats["transparency_results"], stats["subclass_results"]) == (78, 0)
    client.force_login(User.objects.create_superuser("admin"))
    for model in ("transparencyresult", "subclasstransparency"):
        assert client.get(f"/admin/instruments/{model}/").status_code == 200
        assert client.get(f"/admin/instruments/{model}/add/").status_code == 403
    page = client.get("/admin/instruments/transparencyresult/", {"q": "US78463V1070"}).content
    assert b"3 transparency results" in page


@pytest.mark.usefixtures("real_results")
def test_amounts_keep_their_digits(client: Client) -> None:
    row = get(client, "transparency/", isin="USU9273ADE20")["results"][0]

    assert row["total_volume"] == "29748820.1571147578"
    zero = get(client, "transparency/", isin="XS1273442480")["results"][0]
    assert Decimal(zero["total_volume"]) == 0
    assert zero["total_volume"] == stored("0.00000000000000000")
