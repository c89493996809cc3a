"""The volume cap by API, command and admin."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from instruments.models import VolumeCap
from tests import dvcres, firds, fitrs
from tests.dvcres import result, venue
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.test_plans import planned, scans
from tests.snapshots import Snapshots
from tests.stored import stored

Write = Callable[..., Path]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
VOLVO, ERICSSON, SANDVIK = "SE0000115446", "SE0000108656", "SE0000667891"
EIGHT = stored("8.0")


@pytest.fixture
def loaded(transactional_db: None, make_zip: Write, snapshots: Snapshots) -> None:
    """Two months: a correction of Volvo's, and a second period of it."""
    snapshots.provide("volume-cap-of-two-months", lambda: load_two_months(make_zip))


def load_two_months(make_zip: Write) -> None:
    first = [
        result(VOLVO, venue("XSTO", "3.9"), percentage="6.5"),
        result(ERICSSON, venue("BATE", "4.0"), venue("XSTO", "0.5"), percentage="4.5"),
    ]
    second = [
        result(VOLVO, venue("XSTO", "4.10"), venue("BATE", "3.9", "estimated"), percentage="8.0"),
        result(VOLVO, venue("XSTO", "1"), percentage="1", begin="2024-09-01", end="2025-08-31"),
    ]
    for name, results in (("DVCRES_20251008", first), ("DVCRES_20251108", second)):
        fitrs.load(make_zip(name, dvcres.message(name, *results)))


def get(client: Client, path: str, status: int = 200, /, **parameters: Any) -> Any:
    response = client.get(f"/api/v1/{path}", parameters)
    assert response.status_code == status, response.content
    return response.json()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [(ERICSSON, "4.5"), (VOLVO, EIGHT), (VOLVO, "1")]),
        ({"isin": ERICSSON.lower()}, [(ERICSSON, "4.5")]),
        ({"isin": [VOLVO, ERICSSON], "above": "4.5"}, [(VOLVO, EIGHT)]),
        ({"mic": "bate"}, [(ERICSSON, "4.5"), (VOLVO, EIGHT)]),
        ({"period_end": "2025-08-31"}, [(VOLVO, "1")]),
        ({"day": "2024-09-30"}, [(VOLVO, "1")]),
        ({"day": "2025-09-30"}, [(ERICSSON, "4.5"), (VOLVO, EIGHT)]),
        ({"day": "2025-10-01"}, []),
        ({"above": "8"}, []),
        ({"above": "7.99"}, [(VOLVO, EIGHT)]),
        ({"above_on_venue": "3.99"}, [(ERICSSON, "4.5"), (VOLVO, EIGHT)]),
        ({"above_on_venue": "3.99", "mic": "BATE"}, [(ERICSSON, "4.5")]),
        ({"above_on_venue": "4", "mic": "BATE"}, []),
        ({"superseded": "true"}, [(VOLVO, "6.5")]),
        ({"superseded": "true", "above_on_venue": "3.9"}, []),
    ],
)
def test_each_filter_finds_what_has_that_value(
    client: Client, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with planned() as plan:
        answer = get(client, "volume-cap/", **parameters)

    assert [(row["isin"], row["percentage"]) for row in answer["results"]] == expected
    assert answer["pagination"]["total"] == len(expected)
    if {"isin", "mic", "period_end"} & parameters.keys():
        assert scans(plan) == []


@pytest.mark.usefixtures("loaded")
def test_a_result_is_shown_as_published(client: Client) -> None:
    row = get(client, "volume-cap/", above="7")["results"][0]

    assert row.pop("source_file") == "DVCRES_20251108.zip"
    assert row == {
        "isin": VOLVO,
        "reporting_period": {"first_day": "2024-10-01", "last_day": "2025-09-30"},
        "last_updated_on": "2025-10-08",
        "total_volume": "1000000.5",
        "total_volume_currency": "EUR",
        "percentage": EIGHT,
        "venues": [
            {"mic": "BATE", "percentage": "3.9", "disclaimer": "estimated"},
            {"mic": "XSTO", "percentage": stored("4.10"), "disclaimer": None},
        ],
        "disclaimer": None,
        "superseded": False,
        "register": "ESMA",
        "technical_record_id": None,
        "source_position": 1,
    }


@pytest.mark.usefixtures("loaded")
def test_which_venues_of_an_instrument_are_above_a_percentage(client: Client) -> None:
    def venues(**parameters: str) -> list[tuple[str, list[str]]]:
        answer = get(client, f"instruments/{VOLVO.lower()}/volume-cap/", **parameters)
        assert answer["above"] == parameters.get("above")
        return [
            (row["reporting_period"]["last_day"], [result["mic"] for result in row["venues"]])
            for row in answer["results"]
        ]

    assert venues() == [("2025-09-30", ["BATE", "XSTO"]), ("2025-08-31", ["XSTO"])]
    assert venues(above="3.9") == [("2025-09-30", ["XSTO"]), ("2025-08-31", [])]
    assert venues(above="4.1") == [("2025-09-30", []), ("2025-08-31", [])]


@pytest.mark.usefixtures("loaded")
def test_the_number_of_queries_is_fixed(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for size in (1, 50):
        with django_assert_num_queries(3):
            get(client, "volume-cap/", per_page=size)
    with django_assert_num_queries(3):
        get(client, f"instruments/{VOLVO}/volume-cap/")


@pytest.mark.usefixtures("loaded")
def test_invalid_questions_are_refused_with_the_reason(client: Client, make_zip: Write) -> None:
    assert "check digit" in get(client, "instruments/SE0000115447/volume-cap/", 400)["detail"]
    assert "No loaded file" in get(client, f"instruments/{SANDVIK}/volume-cap/", 404)["detail"]
    for above in ("much", "NaN", "Infinity", "4,5", "1e999999999", "1e-999999999"):
        path = f"instruments/{VOLVO}/volume-cap/"
        assert "above" in get(client, path, 400, above=above)["errors"], above
    assert "below" in get(client, f"instruments/{VOLVO}/volume-cap/", 400, below="1")["errors"]
    for name, wrong in (
        ("above", "much"),
        ("above", "NaN"),
        ("above", "1e-999999999"),
        ("above_on_venue", "Infinity"),
        ("mic", "STOCKHOLM"),
        ("isin", "x"),
        ("day", "soon"),
        ("period_end", "2025"),
        ("superseded", "perhaps"),
        ("cap", "4"),
    ):
        assert name in get(client, "volume-cap/", 400, **{name: wrong})["errors"]
    name = "FULINS_E_20250302_01of01"
    record = firds.record("RefData", SANDVIK, "XSTO", period="2025-03-01")
    fitrs.load(make_zip(name, firds.message(name, record)))
    assert get(client, f"instruments/{SANDVIK}/volume-cap/")["results"] == []


@pytest.mark.usefixtures("loaded")
def test_the_command_says_what_the_api_says(client: Client) -> None:
    listed = run("volume_cap", "list", "--above_on_venue", "3.99", "--format", "json")
    assert json.loads(listed) == get(client, "volume-cap/", above_on_venue="3.99")["results"]
    result = run("volume_cap", "get", VOLVO.lower(), "--above", "4", "--format", "json")
    assert json.loads(result) == get(client, f"instruments/{VOLVO}/volume-cap/", above="4")
    shown = run("volume_cap", "get", VOLVO)
    assert stored("4.10") in shown
    assert "estimated" in shown
    assert "2024-10-01 to 2025-09-30" in run("volume_cap", "list", "--isin", VOLVO)
    assert "1000000.5 EUR" in run("volume_cap", "list", "--limit", "1")
    assert "No venue above it." in run("volume_cap", "get", VOLVO, "--above", "50")
    assert "No result matches" in run("volume_cap", "list", "--above", "50")
    for arguments, message in (
        (("get", "SE0000115447"), "check digit"),
        (("get", SANDVIK), "No loaded file"),
        (("get", VOLVO, "--above", "NaN"), "--above"),
        (("list", "--isin", "x"), "--isin"),
        (("list", "--above", "x"), "--above"),
        (("list", "--limit", "0"), "--limit"),
    ):
        with pytest.raises(CommandError, match=message):
            run("volume_cap", *arguments)


@pytest.mark.usefixtures("loaded")
def test_stats_root_and_admin_know_the_results(client: Client) -> None:
    assert get(client, "stats/")["volume_cap_results"] == 4
    check_counts()
    assert get(client, "")["volume_cap"].endswith("/api/v1/volume-cap/")
    client.force_login(User.objects.create_superuser("admin"))
    page = client.get("/admin/instruments/volumecap/", {"q": VOLVO})
    assert b"3 volume caps" in page.content
    assert client.get("/admin/instruments/volumecap/add/").status_code == 403
    row = VolumeCap.objects.get(percentage="8.0")
    result = client.get(f"/admin/instruments/volumecap/{row.pk}/change/")
    assert result.status_code == 200
    assert stored("4.10") in result.content.decode()
    assert b"estimated" in result.content
    assert b'name="_save"' not in result.content


@pytest.mark.usefixtures("loaded")
def test_reading_needs_a_permission(client: Client, settings: Any) -> None:
    settings.ANONYMOUS_READ = False

    for path in ("volume-cap/", f"instruments/{VOLVO}/volume-cap/"):
        get(client, path, 401)
    client.force_login(User.objects.create_user("nobody"))
    for path in ("volume-cap/", f"instruments/{VOLVO}/volume-cap/"):
        get(client, path, 403)
