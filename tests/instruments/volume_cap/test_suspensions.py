"""Suspensions under the single volume cap: lists, in any order, and the answer for a day."""

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from instruments.models import VolumeCapSuspension
from instruments.volume_cap import suspensions
from instruments.volume_cap.suspensions import BadSuspensionList

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]
VOLVO = "SE0000115446"
HEADER = "ISIN,SUSPENSION START DATE,SUSPENSION END DATE,PUBLICATION DATE\n"
OPEN = f"{VOLVO},2025-10-13,,2025-10-09\n"
ENDED = f"{VOLVO},13/10/2025,12/01/2026,09/01/2026\n"
LATER = f"{VOLVO},2026-07-13,2026-10-12,2026-07-09\n"


def load(*rows: str, name: str = "list.csv") -> suspensions.Counts:
    return suspensions.load((HEADER + "".join(rows)).encode(), name=name)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def in_force(client: Client, on: str) -> Any:
    response = client.get(f"/api/v1/instruments/{VOLVO}/volume-cap/", {"on": on})
    assert response.status_code == 200, response.content
    return response.json()["suspension"]


def test_a_suspension_is_in_force_from_its_first_to_its_last_day(client: Client) -> None:
    load(ENDED, LATER)

    assert in_force(client, "2025-10-12") is None
    assert in_force(client, "2025-10-13") == {
        "suspended_from": "2025-10-13",
        "suspended_to": "2026-01-12",
        "published_on": "2026-01-09",
        "source_name": "list.csv",
    }
    assert in_force(client, "2026-01-12") is not None
    assert in_force(client, "2026-01-13") is None
    assert in_force(client, "2026-07-13")["suspended_to"] == "2026-10-12"


def test_an_open_suspension_stays_in_force(client: Client) -> None:
    load(OPEN)

    assert in_force(client, "9999-12-31")["suspended_to"] is None


def test_the_list_published_last_counts_in_any_order() -> None:
    lists = [OPEN, ENDED, LATER]
    for seed in range(6):
        VolumeCapSuspension.objects.all().delete()
        order = random.Random(seed).sample(lists, 3)
        for row in order:
            load(row)

        rows = VolumeCapSuspension.objects.values_list("suspended_from", "suspended_to")
        assert [(str(first), str(last)) for first, last in rows] == [
            ("2026-07-13", "2026-10-12"),
            ("2025-10-13", "2026-01-12"),
        ]


def test_outcomes_are_counted() -> None:
    assert load(ENDED, LATER).new == 2
    again = load(ENDED, LATER)
    older = load(OPEN)

    assert (again.read, again.unchanged, again.new) == (2, 2, 0)
    assert (older.older, older.changed) == (1, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks the columns ISIN"),
        (b"ISIN,FROM\n", "lacks the columns SUSPENSION START DATE"),
        (HEADER.encode(), "contains no suspension"),
        (
            (HEADER + OPEN.replace("2025-10-13", "soon")).encode(),
            "line 2: SUSPENSION START DATE: 'soon'",
        ),
        (
            (HEADER + OPEN.replace("2025-10-13", "2025-02-30")).encode(),
            "'2025-02-30' is not a date",
        ),
        (
            (HEADER + OPEN.replace("2025-10-13", "")).encode(),
            "start and publication date are required",
        ),
        ((HEADER + ENDED.replace("12/01/2026", "12/10/2025")).encode(), "before it begins"),
        ((HEADER + OPEN.replace(VOLVO, "SE0000115447")).encode(), "line 2: ISIN 'SE0000115447'"),
        (HEADER.encode() + b"\xff", "not UTF-8"),
    ],
)
def test_a_bad_list_changes_nothing_and_its_place_is_named(content: bytes, message: str) -> None:
    with pytest.raises(BadSuspensionList, match=message.replace("(", r"\(")):
        suspensions.load(content, name="list.csv")

    assert not VolumeCapSuspension.objects.exists()


def test_a_list_with_a_bad_row_is_not_loaded_in_part() -> None:
    with pytest.raises(BadSuspensionList, match="line 3"):
        load(OPEN, "nonsense,,,\n")

    assert not VolumeCapSuspension.objects.exists()


def test_the_command_loads_a_list_and_shows_it(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "suspensions.csv"
    path.write_text(HEADER + ENDED)

    assert (
        json.loads(run("volume_cap", "load_suspensions", str(path), "--format", "json"))["new"] == 1
    )
    shown = run("volume_cap", "get", VOLVO, "--on", "2025-12-01")
    assert "2026-01-12" in shown
    assert "yes" in shown
    answer = json.loads(run("volume_cap", "get", VOLVO, "--on", "2025-12-01", "--format", "json"))
    assert (
        answer
        == client.get(f"/api/v1/instruments/{VOLVO}/volume-cap/", {"on": "2025-12-01"}).json()
    )
    with pytest.raises(CommandError, match="there is no such file"):
        run("volume_cap", "load_suspensions", str(tmp_path / "nothing.csv"))
