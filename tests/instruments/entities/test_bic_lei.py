"""GLEIF's BIC-LEI files: listed, loaded in any order, and shown with the entities, which they find."""

import datetime as dt
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from esma_files import registers
from esma_files.errors import BadCsv
from esma_files.models import RejectedRecord
from instruments.models import EntityBic
from tests import golden_copy
from tests.bic_lei import put
from tests.golden_copy import load
from tests.register import running

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON = "549300HGV012CNC8JD22", "549300W9JLPW15XIFM52"
FIRST, SECOND = "001GPB6A9XPE8XJICC14", "004L5FPTUREIWK9T2N63"  # in the excerpt of a golden copy
MAIN, BRANCH, SHORT = "VOLVSES1XXX", "VOLVSES1GBG", "ERICSES1"


def pairs() -> set[tuple[Any, str]]:
    rows: Any = EntityBic.objects.values_list("entity_id", "bic")
    return set(rows)


@pytest.fixture
def months(tmp_path: Path) -> list[Path]:
    """Three files: a BIC goes to another LEI, one disappears and one comes."""
    contents = (
        [(VOLVO, MAIN), (VOLVO, SHORT)],
        [(VOLVO, MAIN), (ERICSSON, SHORT)],
        [(VOLVO, MAIN), (VOLVO, BRANCH)],
    )
    return [
        put(tmp_path, content, f"20260{month}28") for month, content in enumerate(contents, start=1)
    ]


def test_a_file_replaces_the_one_before(months: list[Path]) -> None:
    counts = [(run.new, run.ended, run.unchanged) for run in load(*months)]

    assert counts == [(2, 0, 0), (1, 1, 1), (1, 1, 1)]
    assert pairs() == {(VOLVO, MAIN), (VOLVO, BRANCH)}


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_file_counts_in_whatever_order_files_are_loaded(
    months: list[Path], order: tuple[int, ...]
) -> None:
    load(*(months[number] for number in order))

    assert pairs() == {(VOLVO, MAIN), (VOLVO, BRANCH)}


def test_what_is_no_bic_or_lei_is_rejected_with_the_reason(tmp_path: Path) -> None:
    content = [
        (VOLVO, MAIN),
        (VOLVO, MAIN),
        (VOLVO, "VOLV"),
        (f"{VOLVO[:-1]}3", SHORT),
        ("", SHORT),
    ]
    [run] = load(put(tmp_path, content))

    assert (run.read, run.new, run.unchanged, run.rejected) == (5, 1, 1, 3)
    fields = RejectedRecord.objects.order_by("position").values_list("position", "field")
    assert list(fields) == [(3, "BIC"), (4, "LEI"), (5, "LEI")]


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "LEI-BIC-20260828.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", f"LEI,ISIN\n{VOLVO},SE0000115446\n")

    with pytest.raises(BadCsv, match="its columns"):
        load(path)


@pytest.fixture
def entities(tmp_path: Path) -> None:
    load(golden_copy.EXCERPT, put(tmp_path, [(FIRST, MAIN), (FIRST, BRANCH), (SECOND, SHORT)]))


@pytest.mark.parametrize(
    ("query", "leis"),
    [
        ({"bic": MAIN}, [FIRST]),
        ({"bic": "volvses1"}, [FIRST]),
        ({"bic": BRANCH}, [FIRST]),
        ({"bic": f"{SHORT}XXX"}, [SECOND]),
        ({"bic": "DEUTDEFF"}, []),
        ({"q": "Volvses1"}, [FIRST]),
        ({"q": BRANCH}, [FIRST]),
    ],
)
def test_a_bic_leads_to_its_entity(
    admin_client: Client, entities: None, query: dict[str, str], leis: list[str]
) -> None:
    answer = admin_client.get("/api/v1/entities/", query).json()

    assert [row["lei"] for row in answer["results"]] == leis


def test_an_entity_shows_its_bics(
    admin_client: Client, entities: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert admin_client.get(f"/api/v1/entities/{FIRST}/").json()["bics"] == [BRANCH, MAIN]
    assert f"{BRANCH}, {MAIN}" in admin_client.get(f"/entities/{FIRST}/").content.decode()
    call_command("entities", "get", FIRST, "--format", "json")
    assert json.loads(capsys.readouterr().out)["bics"] == [BRANCH, MAIN]


def test_what_is_no_bic_is_refused_as_a_filter(admin_client: Client) -> None:
    answer = admin_client.get("/api/v1/entities/", {"bic": "VOLV"})

    assert answer.status_code == 400
    assert "A BIC has 8 or 11" in answer.content.decode()


def test_the_newest_file_is_listed(settings: Any) -> None:
    attributes = {"fileName": "LEI-BIC-20260828.zip", "downloadLink": ""}
    with running() as server:
        attributes["downloadLink"] = f"{server.url}/bic-lei/1/download"
        body = {"data": {"type": "bic-lei", "id": "1", "attributes": attributes}}
        server.files["/bic-lei/latest"] = json.dumps(body).encode()
        settings.GLEIF_BIC_LEI_URL = f"{server.url}/bic-lei/latest"
        settings.DOWNLOAD_HOSTS = [server.url]
        entries = registers.published("gleif_bic_lei", dt.date(2026, 8, 1), dt.date(2026, 8, 31))

    [file] = entries.files
    assert (file.name.kind.code, file.name.published_on) == ("BICLEI", dt.date(2026, 8, 28))
