"""The commands, as people and programs call them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from esma_files.models import EsmaFile, Run
from instruments.models import Instrument, Venue
from tests.conftest import FIRDS

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str | Path) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def as_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--format", "json"))


@pytest.mark.slow
def test_load_takes_folders_in_publication_order_and_counts(tmp_path: Path) -> None:
    for path in [*FIRDS.glob("FULINS_*.zip"), FIRDS / "DLTINS_20210117_01of01.zip"]:
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "notes.zip").write_text("not a published file")

    rows = as_json("load", tmp_path)

    assert rows[0]["file"] == "DLTINS_20210117_01of01.zip"
    assert len(rows) == 11
    assert rows[0]["read"] == 447
    for row in rows:
        outcomes = ("new", "changed", "ended", "late", "unchanged", "rejected")
        assert row["read"] == sum(row[name] for name in outcomes)
        assert row["state"] == "loaded"
        assert row["records_per_second"] >= 0  # 0 where the machine is busy
    table = run("load", tmp_path)
    assert "records per second" in table
    assert "447" in table


def test_a_list_of_venues_is_loaded_where_there_is_none() -> None:
    path, errors = str(FIRDS / "FULINS_C_20250830_01of01.zip"), io.StringIO()

    for _ in range(2):
        call_command("load", path, stdout=io.StringIO(), stderr=errors)

    assert errors.getvalue().count("The bundled list of 2,767 venues has been loaded") == 1
    assert Venue.objects.count() == 2767


def test_load_skips_what_is_loaded_when_asked_to() -> None:
    path = FIRDS / "FULINS_C_20250830_01of01.zip"
    assert as_json("load", path)[0]["new"] == 5

    [again] = as_json("load", path)
    [skipped] = as_json("load", "--skip-loaded", path)

    assert (again["read"], again["unchanged"]) == (5, 5)
    assert (skipped["read"], skipped["state"]) == (0, "loaded")


def test_load_takes_stored_copies_back(tmp_path: Path) -> None:
    run("load", FIRDS / "FULINS_C_20250830_01of01.zip")
    stored = Path(EsmaFile.objects.get().content.path)
    copy = tmp_path / stored.name
    copy.write_bytes(stored.read_bytes())

    [again] = as_json("load", tmp_path)

    assert copy.name != "FULINS_C_20250830_01of01.zip"
    assert (again["file"], again["unchanged"]) == ("FULINS_C_20250830_01of01.zip", 5)
    assert EsmaFile.objects.count() == 1


def test_load_names_a_bad_file_in_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "FULINS_E_20250302_01of01.zip"
    bad.write_bytes(b"no zip")
    for path, message in (
        (tmp_path / "nothing", "no such file or folder"),
        (bad, "FULINS_E_20250302_01of01.zip: this is not a readable zip"),
    ):
        with pytest.raises(CommandError, match=message) as raised:
            run("load", path)
        assert "\n" not in str(raised.value)
        assert raised.value.returncode == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="no zip"):
        run("load", tmp_path / "empty")


@pytest.mark.slow
def test_load_continues_after_a_bad_file(tmp_path: Path) -> None:
    good, bad = FIRDS / "FULINS_C_20250830_01of01.zip", tmp_path / "volvo.zip"
    bad.write_bytes(good.read_bytes())

    with pytest.raises(
        CommandError, match=r"volvo\.zip: this is not a published file's name"
    ) as raised:
        run("load", bad, tmp_path / "nothing", good)

    assert "no such file" in str(raised.value)
    assert Instrument.objects.exists()


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_instruments_answers_as_the_api_does(client: Client) -> None:
    listed = as_json("instruments", "list", "--limit", "5", "--category", "D", "--currency", "eur")
    api = client.get("/api/v1/instruments/?per_page=5&category=D&currency=EUR")
    assert listed == api.json()["results"]
    assert len(listed) == 5

    one = as_json("instruments", "get", "de000a1r07v3")
    assert one == client.get("/api/v1/instruments/DE000A1R07V3/").json()
    assert as_json("stats") == client.get("/api/v1/stats/").json()


@pytest.mark.usefixtures("real_instruments")
def test_tables_are_for_people() -> None:
    assert "HK0405033157" in run("instruments", "list", "--q", "yuexiu")
    assert "No instrument matches." in run("instruments", "list", "--q", "nonsense")
    shown = run("instruments", "get", "DE000A1R07V3")
    assert "terms maturity date" in shown
    assert "reference listing mic" in shown
    assert "XEUB" in shown
    assert f"{Instrument.objects.count():,}" in run("stats")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "SE0000115447"), "should be 6"),
        (("get", "SE0000115446"), "No instrument with the ISIN"),
        (("list", "--category", "X"), "--category"),
        (("list", "--isin", "x"), "--isin: X: an ISIN has 12"),
        (("list", "--limit", "0"), "--limit"),
    ],
)
def test_an_invalid_option_is_an_error_that_names_it(
    arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run("instruments", *arguments)


def test_a_load_names_three_elements_without_a_field_and_the_run_with_all() -> None:
    errors = io.StringIO()
    name = "20230605-0800-gleif-goldencopy-lei2-golden-copy.xml"
    call_command("load", FIRDS.parent / "gleif" / name, stdout=io.StringIO(), stderr=errors)

    first, last = (
        "LEIRecord/Extension/Geocoding/original_address (16), ",
        " and 15 more: see `runs get ",
    )
    assert first in errors.getvalue()
    assert f"{last}{Run.objects.get().pk}`." in errors.getvalue()
    assert "geocoding_failed" not in errors.getvalue()


def test_stats_of_an_empty_database() -> None:
    assert as_json("stats")["instruments"] == 0
    assert "newest publication loaded" in run("stats")


def test_create_admin_prints_a_password_once_and_it_works(client: Client) -> None:
    output = run("create_admin")
    password = output.split("password ")[1].split()[0]

    client.post("/admin/login/", {"username": "admin", "password": password})
    assert client.get("/admin/").status_code == 200
    assert password not in run("create_admin")
