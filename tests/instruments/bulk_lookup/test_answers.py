"""Lists of identifiers in the form of OpenFIGI."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from instruments.bulk_lookup.answers import MAX_ITEMS, MAX_MATCHES, IdType, Item, answer_items
from instruments.listings.descriptions import describe_instruments
from instruments.models import Figi, Instrument, Venue
from tests import firds
from tests.instruments.listings.merging import Write, day, full, load
from tests.instruments.listings.test_search import load_names

LOOKUP = "/api/v1/lookup/"
VOLVO, ERICSSON, SANDVIK = "SE0000115446", "SE0000108656", "SE0000667891"
ISSUER = "549300HGV012CNC8JD22"
FIGI, COMPOSITE, SHARE_CLASS = "BBG000BLNNH6", "BBG000BLNNV0", "BBG001S5S399"

pytestmark = [
    pytest.mark.usefixtures("anonymous_reading"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def shares(make_zip: Write) -> None:
    """Volvo on two venues, Ericsson on one, and the FIGIs of Volvo."""
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", name="Volvo", period=day(1)),
        firds.record("RefData", VOLVO, "MSTO", name="Volvo", period=day(1)),
        firds.record("RefData", ERICSSON, "XSTO", name="Ericsson", period=day(1)),
    )
    Instrument.objects.filter(pk=VOLVO).update(issuer_lei="")
    Venue.objects.create(mic="MSTO", operating_mic="MTFS", kind="SGMT", name="M", country="SE")
    Figi.objects.create(
        isin=VOLVO,
        figi=FIGI,
        composite_figi=COMPOSITE,
        share_class_figi=SHARE_CLASS,
        ticker="VOLVB",
        exchange_code="SS",
        is_current=True,
        fetched_at=timezone.now(),
    )


def ask(client: Client, *items: Any) -> Any:
    response = client.post(LOOKUP, list(items), content_type="application/json")
    assert response.status_code == 200, response.content
    answers = response.json()
    assert len(answers) == len(items)
    assert all(len(answer) == 1 for answer in answers)
    return answers


def isins(answer: dict[str, Any]) -> list[str]:
    return [row["isin"] for row in answer["data"]]


def test_each_kind_of_identifier_is_answered_in_the_order_of_the_request(
    client: Client, shares: None
) -> None:
    answers = ask(
        client,
        {"idType": "ID_ISIN", "idValue": ERICSSON.lower()},
        {"idType": "ID_BB_GLOBAL", "idValue": FIGI},
        {"idType": "composite_id_bb_global", "idValue": COMPOSITE},
        {"idType": "ID_BB_GLOBAL_SHARE_CLASS_LEVEL", "idValue": SHARE_CLASS},
        {"idType": "TICKER", "idValue": "volvb"},
        {"idType": "ID_ISIN", "idValue": ERICSSON},
    )

    assert list(map(isins, answers)) == [[ERICSSON], *[[VOLVO]] * 4, [ERICSSON]]
    [row] = describe_instruments(Instrument.objects.filter(pk=VOLVO))
    assert answers[1] == {"data": [row]}


def test_a_venue_narrows_to_listings_there_or_on_its_segments(client: Client, shares: None) -> None:
    ticker = {"idType": "TICKER", "idValue": "VOLVB"}

    answers = ask(client, *({**ticker, "micCode": mic} for mic in ("xsto", "MTFS", "XPAR")))

    assert [isins(answer) for answer in answers[:2]] == [[VOLVO], [VOLVO]]
    assert answers[2] == {"warning": "No instrument with a listing on XPAR has the TICKER VOLVB."}


def test_wrong_and_unknown_items_do_not_affect_the_others(client: Client, shares: None) -> None:
    wrong: list[Any] = [
        {"idType": "ID_ISIN", "idValue": "SE0000115447"},
        {"idType": "ID_BB_GLOBAL", "idValue": "BBG"},
        {"idType": "ID_LEI", "idValue": "LEI"},
        {"idType": "ID_CUSIP", "idValue": "1"},
        {"idType": "ID_ISIN"},
        {"idType": "ID_ISIN", "idValue": VOLVO, "mic": "XSTO"},
        {"idType": "ID_ISIN", "idValue": VOLVO, "micCode": "X"},
        {"idType": "ID_ISIN", "idValue": VOLVO, "as_of": "soon"},
        "text",
        None,
        [],
    ]

    answers = ask(
        client,
        *wrong,
        {"idType": "ID_ISIN", "idValue": SANDVIK},
        {"idValue": VOLVO},
    )

    assert all("error" in answer for answer in answers[: len(wrong)])
    assert "SE0000115447" in answers[0]["error"]
    assert "ID_ISIN" in answers[3]["error"]
    assert "Did you mean 'micCode'?" in answers[5]["error"]
    assert answers[6] == {"error": "micCode: A MIC has four letters or digits."}
    assert answers[8] == answers[10] == {"error": "Expected an object."}
    assert answers[-2] == {"warning": f"No instrument has the ID_ISIN {SANDVIK}."}
    assert isins(answers[-1]) == [VOLVO]


def test_days_select_the_records(client: Client, make_zip: Write) -> None:
    for number, name in ((2, "Old"), (9, "New")):
        load(
            make_zip,
            full(number),
            firds.record("RefData", VOLVO, "XSTO", name=name, period=day(number)),
        )
    item = {"idType": "ID_ISIN", "idValue": VOLVO}

    newest, old, unknown, nowhere = ask(
        client,
        item,
        {**item, "as_of": day(5), "micCode": "XSTO"},
        {**item, "known_on": "2025-01-01"},
        {**item, "as_of": day(5), "micCode": "XPAR"},
    )

    assert newest["data"][0]["full_name"] == "New"
    assert old["data"][0]["full_name"] == "Old"
    assert list(old["data"][0]) == list(newest["data"][0])
    assert unknown == {
        "warning": f"No instrument has the ID_ISIN {VOLVO}, by what was known on 2025-01-01."
    }
    assert "with a listing on XPAR" in nowhere["warning"]


def test_an_issuer_has_the_instruments_of_which_it_was_the_issuer_on_the_day(
    client: Client, make_zip: Write
) -> None:
    before, after = "549300GDPG70E3MBBU98", "529900T8BM49AURSDO55"
    record = firds.record("RefData", VOLVO, "XSTO", period=day(1))
    load(make_zip, full(2), record, record.replace(VOLVO, ERICSSON))
    load(make_zip, full(9), record.replace(before, after), record.replace(VOLVO, ERICSSON))

    def having(lei: str, **days: str) -> Any:
        [answer] = ask(client, {"idType": "ID_LEI", "idValue": lei, **days})
        return isins(answer) if "data" in answer else answer["warning"]

    assert (having(before), having(after)) == ([ERICSSON], [VOLVO])
    assert having(before, known_on=day(8)) == [ERICSSON, VOLVO]
    assert having(before, known_on=day(9)) == [ERICSSON]
    assert having(after, known_on=day(9)) == [VOLVO]
    assert having(after, known_on=day(8)) == (
        f"No instrument had the ID_LEI {after}, by what was known on {day(8)}."
    )


def test_an_issuer_of_many_instruments_is_referred_to_the_list(
    client: Client, make_zip: Write
) -> None:
    load_names(make_zip, *(f"Bond {n}" for n in range(MAX_MATCHES + 1)))
    lei = str(Instrument.objects.values_list("issuer_lei", flat=True)[0])
    assert len(lei) == 20

    item = {"idType": "ID_LEI", "idValue": lei}
    *answers, other = ask(
        client,
        item,
        {**item, "micCode": "XPAR"},
        {**item, "as_of": "1990-01-01"},
        {"idType": "ID_LEI", "idValue": ISSUER},
    )

    for answer in answers:
        assert f"More than {MAX_MATCHES} instruments have the ID_LEI {lei}" in answer["error"]
    assert "or had it on some day" in answers[2]["error"]
    assert other == {"warning": f"No instrument has the ID_LEI {ISSUER}."}


@pytest.mark.parametrize("body", [[], {}, {"items": []}, [{}] * (MAX_ITEMS + 1)])
def test_a_body_of_another_form_is_refused(client: Client, body: Any) -> None:
    response = client.post(LOOKUP, body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["errors"] == {"body": ["The body must be an array of 1 to 1,000 items."]}


def test_the_number_of_queries_does_not_depend_on_the_number_of_items(
    make_zip: Write, shares: None
) -> None:
    counts = []
    for number in (1, 100):
        items = [Item(IdType.ISIN, VOLVO, mic="XSTO"), Item(IdType.TICKER, "VOLVB")]
        items += [Item(IdType.FIGI, FIGI), Item(IdType.ISIN, ERICSSON)]
        items += [Item(IdType.TICKER, f"T{n}", mic="MTFS") for n in range(number)]
        with CaptureQueriesContext(connection) as queries:
            answers = answer_items(items)
        assert len(answers) == len(items)
        counts.append(len(queries))

    assert counts[0] == counts[1]
