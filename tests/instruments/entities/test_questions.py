"""Entities in the API and the command."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from instruments.entities.questions import read_successors
from instruments.listings.load import search_index
from instruments.models import Instrument, LegalEntity
from tests import golden_copy
from tests.benchmarks.entities import lei_of
from tests.golden_copy import EXCERPT, FULL, message, record

pytestmark = pytest.mark.django_db(transaction=True)
DENTSU = "213800FERQ5LE3H7WJ58"
VOLVO, ERICSSON = "549300HGV012CNC8JD22", "549300W9JLPW15XIFM52"


@pytest.fixture
def excerpt(tmp_path: Path) -> None:
    golden_copy.load(golden_copy.put(tmp_path, FULL, EXCERPT.read_bytes()))


def get(client: Client, path: str, **parameters: str) -> Any:
    response = client.get(f"/api/v1/entities/{path}", parameters)
    return response.status_code, response.json()


@pytest.fixture
def reader(settings: Any) -> Client:
    settings.ANONYMOUS_READ = True
    return Client()


@pytest.mark.usefixtures("excerpt")
def test_an_entity_has_everything_of_its_record(reader: Client) -> None:
    status, answer = get(reader, f"{DENTSU.lower()}/")

    assert status == 200
    assert answer["legal_name"] == "DENTSU INTERNATIONAL LIMITED"
    assert [name["name"] for name in answer["names"]] == [
        "DENTSU AEGIS NETWORK LTD.",
        "AEGIS GROUP PLC",
    ]
    assert answer["legal_address"]["country"] == "GB"
    assert answer["source_file"] == f"{FULL}.zip"


@pytest.mark.usefixtures("excerpt")
@pytest.mark.parametrize(
    ("parameters", "leis"),
    [
        ({"q": "aegis plc"}, [DENTSU]),
        ({"q": "DENTSU"}, [DENTSU]),
        ({"q": "oakm"}, ["00KLB2PFTM3060S2N216"]),
        ({"q": DENTSU.lower()}, [DENTSU]),
        ({"q": "nobody"}, []),
        ({"q": '" OR *'}, []),
        ({"q": "()"}, []),
        ({"country": "se"}, ["213800BJPX8V9HVY1Y11"]),
        ({"registration_status": "retired"}, ["00TR8NKAEL48RGTZEW89"]),
        ({"category": "FUND", "q": "prudential"}, ["00QDBXDXLLF3W3JJJO36"]),
    ],
)
def test_entities_are_found_by_names_and_codes(
    reader: Client, parameters: dict[str, str], leis: list[str]
) -> None:
    status, answer = get(reader, "", **parameters)

    assert status == 200
    assert [entity["lei"] for entity in answer["results"]] == leis


@pytest.mark.usefixtures("excerpt")
def test_next_leads_through_all_entities(reader: Client) -> None:
    status, answer = get(reader, "", cursor="", per_page="10")
    assert (status, len(answer["results"])) == (200, 10)

    following = reader.get(answer["pagination"]["next"]).json()

    assert len(following["results"]) == 3
    leis = [row["lei"] for row in (*answer["results"], *following["results"])]
    assert leis == sorted(leis)


def test_next_leads_through_all_entities_with_a_word(reader: Client, tmp_path: Path) -> None:
    leis = [lei_of(number) for number in (3, 1, 4, 2, 5)]
    records = [record(lei, f"Bank {lei[-4:]}") for lei in leis]
    golden_copy.load(
        golden_copy.put(tmp_path, FULL, message(*records, record(VOLVO, "Aktiebolaget Volvo")))
    )
    listed: list[str] = []
    address = "/api/v1/entities/?q=ban&per_page=2&cursor="
    while address:
        answer = reader.get(address).json()
        listed += [row["lei"] for row in answer["results"]]
        address = answer["pagination"]["next"]

    assert sorted(listed) == sorted(leis)
    by_number = reader.get("/api/v1/entities/", {"q": "bank", "per_page": "2", "page": "2"}).json()
    assert [row["lei"] for row in by_number["results"]] == listed[2:4]
    assert by_number["pagination"]["total"] == 5
    assert reader.get("/api/v1/entities/?q=bank&cursor=XX").status_code == 400


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(("lei", "status"), [("XX", 400), (DENTSU[:-1] + "9", 400), (DENTSU, 404)])
def test_unknown_and_malformed_leis_are_told_apart(reader: Client, lei: str, status: int) -> None:
    assert get(reader, f"{lei}/")[0] == status


def test_the_instruments_of_an_entity_are_listed(reader: Client, tmp_path: Path) -> None:
    golden_copy.load(golden_copy.put(tmp_path, FULL, message(record(VOLVO))))
    for isin, issuer in (("SE0000115446", VOLVO), ("SE0000108656", ERICSSON)):
        Instrument.objects.create(
            isin=isin,
            issuer_lei=issuer,
            status="active",
            mic="XSTO",
            register="ESMA",
            listing_count=1,
        )
    search_index.rebuild()

    status, answer = get(reader, f"{VOLVO}/instruments/")

    assert status == 200
    assert [row["isin"] for row in answer["results"]] == ["SE0000115446"]


def test_successors_are_followed_and_may_name_each_other(tmp_path: Path) -> None:
    def led_to(lei: str) -> str:
        return (
            f"<lei:SuccessorEntity><lei:SuccessorLEI>{lei}</lei:SuccessorLEI></lei:SuccessorEntity>"
        )

    xml = message(
        record(VOLVO, entity=led_to(ERICSSON)),
        record(ERICSSON, "Telefonaktiebolaget LM Ericsson", entity=led_to(VOLVO) + led_to(DENTSU)),
    )
    golden_copy.load(golden_copy.put(tmp_path, FULL, xml))

    successors = read_successors(LegalEntity.objects.get(lei=VOLVO))

    assert [(row.lei, row.predecessor_lei, row.entity is not None) for row in successors] == [
        (ERICSSON, VOLVO, True),
        (DENTSU, ERICSSON, False),
    ]


@pytest.mark.usefixtures("excerpt")
def test_the_command_lists_and_shows_entities(reader: Client) -> None:
    out = io.StringIO()
    call_command("entities", "list", "--q", "aegis", "--format", "json", stdout=out)
    assert [row["lei"] for row in json.loads(out.getvalue())] == [DENTSU]

    out = io.StringIO()
    call_command("entities", "get", DENTSU, stdout=out)
    assert "AEGIS GROUP PLC" in out.getvalue()

    out = io.StringIO()
    call_command("entities", "get", DENTSU, "--format", "json", stdout=out)
    assert json.loads(out.getvalue()) == get(reader, f"{DENTSU}/")[1]

    with pytest.raises(CommandError, match="check digits are wrong"):
        call_command("entities", "get", DENTSU[:-1] + "9")
