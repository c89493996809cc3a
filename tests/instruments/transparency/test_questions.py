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
from instruments.models import TransparencyResult
from instruments.transparency.application_periods import year_applying
from instruments.transparency.questions import get_transparency
from tests import firds, fitrs
from tests.conftest import DATA
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.test_plans import planned, scans
from tests.snapshots import Snapshots
from tests.stored import stored

Write = Callable[..., Path]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
VOLVO = "SE0000115446"


@pytest.fixture
def real_results(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    snapshots.provide("real-results", fitrs.load_bundled)


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
    expected = TransparencyResult.objects.filter(**condition)
    with planned() as plan:
        answer = get(client, "transparency/", **parameters, per_page=100)

    assert answer["pagination"]["total"] == expected.count() > 0
    rows = [(row["isin"], row["source_file"], row["source_position"]) for row in answer["results"]]
    ordered = expected.order_by("isin", "pk")
    assert rows == list(ordered.values_list("isin", "source_file__name", "source_position"))
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


def liquidity(client: Client, isin: str, **parameters: str) -> Any:
    return get(client, f"instruments/{isin}/transparency/", **parameters)["applies"]["liquidity"]


def test_a_published_application_period_decides_before_the_rules(
    client: Client, make_zip: Write
) -> None:
    name = "FULECR_20250830_E_1of1"
    records = [
        fitrs.equity(
            VOLVO,
            year=year,
            more=fitrs.period(f"{year + 1}-05-01", f"{year + 2}-04-30", tag="ApplPrd")
            + f"<Lqdty>{liquid}</Lqdty>",
        )
        for year, liquid in ((2022, "false"), (2023, "true"))
    ]
    fitrs.load(make_zip(name, fitrs.message(name, *records)))

    answers = {
        on: liquidity(client, VOLVO, on=on)["result"]
        for on in ("2023-04-30", "2023-05-01", "2024-04-30", "2024-05-01", "2025-05-01")
    }

    assert {on: result and result["liquid"] for on, result in answers.items()} == {
        "2023-04-30": None,
        "2023-05-01": False,
        "2024-04-30": False,
        "2024-05-01": True,
        "2025-05-01": None,
    }
    answer = liquidity(client, VOLVO, on="2024-05-01")
    assert answer["rule"] == "published"
    assert answer["why"].startswith("Applies 2024-05-01 to 2025-04-30. The application period")


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_yearly_equity_result_applies_from_april_whenever_it_is_published(
    client: Client, newest_first: bool
) -> None:
    paths = sorted((DATA / "cases" / "fitrs_application").glob("*.zip"), reverse=newest_first)
    for path in paths:
        fitrs.load(path)
    isin = "NL0010273215"

    old = liquidity(client, isin, on="2025-01-02")
    new = liquidity(client, isin, on="2025-04-07")

    assert (old["result"]["liquid"], old["applies_from"], old["applies_to"]) == (
        True,
        "2024-04-01",
        "2025-04-06",
    )
    assert (old["rule"], old["source_file"]) == ("equity_year", "FULECR_20240302_E_1of1.zip")
    assert (new["applies_from"], new["source_file"], new["published_on"]) == (
        "2025-04-07",
        "FULECR_20250301_E_1of1.zip",
        "2025-03-01",
    )
    sizes = get(client, f"instruments/{isin}/transparency/", on="2025-04-06")
    assert sizes["applies"]["market_size"]["result"]["market_size"]["large_in_scale"] == "650000"


def test_a_result_does_not_apply_before_it_is_known(client: Client) -> None:
    for path in sorted((DATA / "cases" / "fitrs_application").glob("*.zip")):
        fitrs.load(path)
    isin = "NL0010273215"

    assert liquidity(client, isin, on="2025-05-01", known_on="2025-03-01")["result"] is not None
    unknown = liquidity(client, isin, on="2025-05-01", known_on="2025-02-28")

    assert unknown["result"] is None
    assert unknown["why"] == (
        "No result with liquidity applies on 2025-05-01. Those published apply 2024-04-01 to 2025-04-06."
    )


def test_a_replaced_result_applies_until_its_successor_is_published(
    client: Client, make_zip: Write
) -> None:
    """The liquidity band of a maturity bucket changes within the application period."""
    for date, liquid in (("20250607", "false"), ("20250906", "true")):
        name = f"FULNCR_{date}_D_1of1"
        record = fitrs.bond(VOLVO, more=f"<Lqdty>{liquid}</Lqdty>")
        fitrs.load(make_zip(name, fitrs.message(name, record)))

    on = ("2025-06-02", "2025-09-05", "2025-09-06", "2026-05-31", "2026-06-01")
    results = [liquidity(client, VOLVO, on=day)["result"] for day in on]

    assert [result and result["liquid"] for result in results] == [False, False, True, True, None]
    known = liquidity(client, VOLVO, on="2025-10-01", known_on="2025-09-05")
    assert known["result"]["liquid"] is False


def test_results_in_force_that_contradict_each_other_are_a_conflict(
    client: Client, make_zip: Write
) -> None:
    name = "FULECR_20250830_E_1of1"
    records = [fitrs.equity(VOLVO, more=f"<Lqdty>{liquid}</Lqdty>") for liquid in ("true", "false")]
    fitrs.load(make_zip(name, fitrs.message(name, *records)))

    answer = liquidity(client, VOLVO, on="2025-09-01")

    assert answer["result"] is None
    assert answer["rule"] is None
    assert answer["why"] == (
        "2 published results apply on 2025-09-01 and contradict each other (FULECR_20250830_E_1of1.zip)."
    )
    assert sorted(conflicting["result"]["liquid"] for conflicting in answer["conflict"]) == [
        False,
        True,
    ]
    assert {conflicting["applies_from"] for conflicting in answer["conflict"]} == {"2025-04-07"}
    printed = run("transparency", "get", VOLVO, "--on", "2025-09-01")
    assert "contradict each other" in printed


def test_an_estimate_applies_from_the_first_day_of_trading(client: Client, make_zip: Write) -> None:
    name = "FULECR_20250830_E_1of1"
    estimate = (
        f"<EqtyTrnsprncyData><TechRcrdId>1</TechRcrdId><Id>{VOLVO}</Id>"
        "<FinInstrmClssfctn>SHRS</FinInstrmClssfctn><Lqdty>true</Lqdty><Mthdlgy>ESTM</Mthdlgy>"
        "</EqtyTrnsprncyData>"
    )
    fitrs.load(make_zip(name, fitrs.message(name, estimate)))
    assert "not known" in liquidity(client, VOLVO, on="2020-02-01")["why"]
    name = "FULINS_E_20250830_01of01"
    record = firds.record("RefData", VOLVO, "XSTO", period="2025-08-30")
    first_trade = "2014-01-14T09:00:00Z"
    placeholder = record.replace(first_trade, "1858-11-17T00:00:00Z").replace("XSTO", "XAAA")
    record = record.replace(first_trade, "2025-08-04T09:00:00Z")
    fitrs.load(make_zip(name, firds.message(name, record, placeholder)))

    answer = liquidity(client, VOLVO, on="2025-09-14")

    assert (answer["applies_from"], answer["applies_to"]) == ("2025-08-04", "2025-09-14")
    assert liquidity(client, VOLVO, on="2025-09-15")["result"] is None
    shown = get(client, f"instruments/{VOLVO}/transparency/")["results"][0]["applies"]
    assert shown == {"first_day": "2025-08-04", "last_day": "2025-09-14", "rule": "equity_estimate"}


@pytest.mark.usefixtures("real_results")
def test_quarterly_bond_liquidity_applies_from_a_third_monday(client: Client) -> None:
    def last_quarter(on: str) -> Any:
        result = liquidity(client, "XS2398661319", on=on)["result"]
        return result and result["reporting_period"]["last_day"]

    assert last_quarter("2024-08-18") is None
    assert last_quarter("2024-11-17") == "2024-06-30"
    assert last_quarter("2024-11-18") == "2024-09-30"
    assert last_quarter("2025-02-17") == "2024-12-31"
    assert last_quarter("2025-05-19") is None


def test_liquidity_is_never_inferred(make_zip: Write) -> None:
    """Of a result with high turnover and no liquidity, the liquidity is not known."""
    name = "FULNCR_20250830_D_1of1"
    numbers = "<TtlNbOfTxsExctd>99999</TtlNbOfTxsExctd><TtlVolOfTxsExctd>1e9</TtlVolOfTxsExctd>"
    statistics = f"<Sttstcs>{numbers.replace('1e9', '999999999')}</Sttstcs>"
    fitrs.load(make_zip(name, fitrs.message(name, fitrs.bond(VOLVO, more=statistics))))

    answer = get_transparency(VOLVO, on=dt.date(2025, 9, 1))

    assert answer.applies["liquidity"].only is None
    assert [row.transactions for row in answer.turnover] == [Decimal(99999)]


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
def test_invalid_questions_are_refused_with_the_reason(client: Client) -> None:
    assert "check digit" in get(client, "instruments/SE0000115447/transparency/", 400)["detail"]
    assert "No loaded file" in get(client, "instruments/SE0000115446/transparency/", 404)["detail"]
    assert "on" in get(client, "instruments/US78463V1070/transparency/", 400, on="soon")["errors"]
    assert "off" in get(client, "instruments/US78463V1070/transparency/", 400, off="1")["errors"]
    assert "isin" in get(client, "transparency/", 400, isin="XX")["errors"]
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


def test_the_page_shows_the_results_that_apply_today(client: Client, make_zip: Write) -> None:
    name = "FULINS_D_20250302_01of01"
    record = firds.record("RefData", VOLVO, "XSTO", period="2025-03-01", cfi="DBFUFR")
    fitrs.load(make_zip(name, firds.message(name, record)))
    name = "FULNCR_20250830_D_1of1"
    limit = fitrs.threshold("PreTradLrgInScaleThrshld", "600000")
    year = year_applying(dt.datetime.now(tz=dt.UTC).date(), month=6)
    more = f"<Lqdty>true</Lqdty>{limit}"
    record = fitrs.bond(VOLVO, begin=f"{year}-01-01", end=f"{year}-12-31", more=more)
    fitrs.load(make_zip(name, fitrs.message(name, record)))

    page = client.get(f"/instruments/{VOLVO}/").content.decode()

    assert "Liquidity, thresholds: Applies" in page
    assert ">600,000" in page


@pytest.mark.usefixtures("real_results", "anonymous_reading")
def test_next_leads_through_all_results(client: Client) -> None:
    path = "transparency/"
    numbered = get(client, path, per_page=1000)["results"]

    rows: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = get(client, path, per_page=37, cursor=cursor)
        rows += answer["results"]
        cursor = answer["pagination"]["cursor"]

    assert len(rows) > 37
    assert rows[:1_000] == numbered


@pytest.mark.usefixtures("real_results")
def test_the_command_says_what_the_api_says(client: Client) -> None:
    listed = json.loads(
        run("transparency", "list", "--liquid", "true", "--limit", "5", "--format", "json")
    )
    assert listed == get(client, "transparency/", liquid="true", per_page=5)["results"]
    result = run("transparency", "get", "xs2398661319", "--on", "2025-08-30", "--format", "json")
    assert json.loads(result) == get(
        client, "instruments/XS2398661319/transparency/", on="2025-08-30"
    )
    assert "yearly non-equity result" in run(
        "transparency", "get", "BEEN20114540", "--on", "2025-08-30"
    )
    assert "25000 EUR" in run("transparency", "list", "--isin", "BEEN20114540")
    assert "No result matches" in run("transparency", "list", "--methodology", "YEAR")
    for arguments, message in (
        (("get", "SE0000115447"), "check digit"),
        (("get", VOLVO), "No loaded file"),
        (("list", "--isin", "x"), "--isin"),
        (("list", "--limit", "0"), "--limit"),
    ):
        with pytest.raises(CommandError, match=message):
            run("transparency", *arguments)


@pytest.mark.usefixtures("real_results")
def test_stats_and_admin_know_the_results(client: Client) -> None:
    stats = get(client, "stats/")
    assert (stats["transparency_results"], stats["subclass_results"]) == (78, 0)
    check_counts()
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


def test_each_isin_of_a_list_has_its_own_outcome(make_zip: Write, client: Client) -> None:
    isin, unknown = "SE0000115446", "FI4000297767"
    name = "FULECR_20250830_E_1of1"
    fitrs.load(make_zip(name, fitrs.message(name, fitrs.equity(isin, more="<Lqdty>true</Lqdty>"))))
    isins = f"{isin},XX,{unknown}"

    answer = get(client, "transparency/", isin=isins)
    excluded = get(client, "transparency/", isin=isins, liquid="false")
    volume_cap = get(client, "volume-cap/", isin=isins)

    assert [row["isin"] for row in answer["results"]] == [isin]
    statuses = [
        [outcome["status"] for outcome in listed["lookup"]]
        for listed in (answer, excluded, volume_cap)
    ]
    assert statuses == [
        ["found", "invalid", "unknown"],
        ["excluded", "invalid", "unknown"],
        ["unknown", "invalid", "unknown"],
    ]
    for command in ("transparency", "volume_cap"):
        errors = io.StringIO()
        call_command(command, "list", "--isin", isins, stdout=io.StringIO(), stderr=errors)
        assert "XX: invalid. Not an ISIN" in errors.getvalue()
