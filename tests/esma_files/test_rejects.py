"""Rejected records by command and over HTTP."""

import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from instruments.pipeline import load, register_files
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, delta

pytestmark = pytest.mark.django_db(transaction=True)
LONG_NAME = "Volvo " * 1_000


@pytest.fixture
def rejected(make_zip: Write) -> Path:
    """A file of which two records are loaded, and two are rejected."""
    records = [
        firds.record("NewRcrd", VOLVO, "XSTO", period=day(1)),
        firds.record("NewRcrd", VOLVO[:-1] + "7", "XSTO", period=day(1)),
        firds.record("NewRcrd", VOLVO, "XHEL", name=LONG_NAME, period=day(1)),
        firds.record("NewRcrd", VOLVO, "XCSE", period=day(1)),
    ]
    path = make_zip(delta(2), firds.message(delta(2), *records))
    [result] = load(register_files([path]))
    assert result.error is None
    return path


def test_rejected_records_are_listed_over_http(
    client: Client, anonymous_reading: None, rejected: Path
) -> None:
    body = client.get("/api/v1/rejects/").json()

    assert [row["position"] for row in body["results"]] == [3, 2]
    row = body["results"][-1]
    assert (row["file"], row["dataset"]) == (rejected.name, "esma_firds")
    assert (row["isin"], row["field"]) == (VOLVO[:-1] + "7", "FinInstrmGnlAttrbts/Id")
    assert "should be 6" in row["reason"]
    assert row["record"]["TradgVnRltdAttrbts/Id"] == "XSTO"
    assert client.get(f"/api/v1/rejects/{row['id']}/").json() == row
    assert client.get(f"/api/v1/rejects/{10**17}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "positions"),
    [
        (f"isin={VOLVO}", [3]),
        ("mic=XSTO", [2]),
        ("field=FinInstrmGnlAttrbts/Id", [2]),
        (f"file={delta(2)}.zip", [3, 2]),
        ("dataset=fca_firds", []),
    ],
)
def test_rejected_records_can_be_filtered(
    client: Client, anonymous_reading: None, rejected: Path, query: str, positions: list[int]
) -> None:
    body = client.get(f"/api/v1/rejects/?{query}").json()

    assert [row["position"] for row in body["results"]] == positions


def test_a_long_text_of_a_rejected_record_is_cut(
    rejected: Path, client: Client, anonymous_reading: None
) -> None:
    [row] = client.get("/api/v1/rejects/?mic=XHEL").json()["results"]

    digest = hashlib.sha256(LONG_NAME.encode()).hexdigest()
    cut = f"{LONG_NAME[:2_000]}… [cut: {len(LONG_NAME):,} bytes, SHA-256 {digest}]"
    assert row["field"] == "FinInstrmGnlAttrbts/FullNm"
    assert row["value"] == row["record"]["FinInstrmGnlAttrbts/FullNm"] == cut


def test_rejected_records_need_the_right_to_view_them(client: Client, rejected: Path) -> None:
    assert client.get("/api/v1/rejects/").status_code == 401


def test_rejected_records_are_listed_and_shown_by_command(
    capsys: pytest.CaptureFixture[str], rejected: Path
) -> None:
    call_command("rejects", "list", "--format", "json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["position"] for row in rows] == [3, 2]

    call_command("rejects", "list", "--mic", "XSTO")
    assert "should be 6" in " ".join(capsys.readouterr().out.split())

    call_command("rejects", "get", str(rows[-1]["id"]))
    assert "TradgVnRltdAttrbts/Id" in capsys.readouterr().out

    call_command("rejects", "list", "--mic", "XXXX")
    assert "No rejected record matches." in capsys.readouterr().out

    with pytest.raises(CommandError, match="There is no rejected record 999999999"):
        call_command("rejects", "get", "999999999")
