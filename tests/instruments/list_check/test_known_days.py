"""Lists checked for what was known on a day, and in one register: the answers of the single instrument."""

import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from curation import proposals
from curation.proposals import Proposal
from instruments.list_check.answers import Question, answer_items
from instruments.list_check.items import make_item
from tests import firds, fitrs
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, full, load
from tests.properties import mostly_slow

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
ERICSSON = "SE0000108656"
LIQUID = "<Lqdty>{}</Lqdty>"
NAMES = ("full_name", "cfi_code", "issuer_lei", "effective_status")


def ask(client: Client, *isins: str, **options: str) -> Any:
    body = {"items": [{"isin": isin} for isin in isins], **options}
    response = client.post("/api/v1/reportability/", body, content_type="application/json")
    assert response.status_code == 200, response.content
    return response.json()["results"]


def get(client: Client, path: str, **parameters: str) -> Any:
    response = client.get(f"/api/v1/instruments/{path}", parameters)
    assert response.status_code == 200, response.content
    return response.json()


def check_liquidity(client: Client, isins: Iterable[str], **days: str) -> list[Any]:
    """Compare each answer with that of the single instrument; return whether each was liquid."""
    isins = list(isins)
    answers = ask(client, *isins, **days)
    for isin, answer in zip(isins, answers, strict=True):
        single = get(client, f"{isin}/transparency/", **days)["applies"]["liquidity"]
        liquid = single["result"] and single["result"]["liquid"]
        assert (answer["liquid"], answer["liquidity_reason"]) == (liquid, single["why"]), days
    return [answer["liquid"] for answer in answers]


def load_results(
    make_zip: Write, name: str, *results: tuple[str, str], created: str = "2025-08-30T03:00:00Z"
) -> None:
    records = [fitrs.bond(isin, more=LIQUID.format(liquid)) for isin, liquid in results]
    xml = fitrs.message(name, *records, created=created)
    fitrs.load(make_zip(name, xml, folder=created[:10]))


@pytest.fixture
def shares(make_zip: Write) -> None:
    load(
        make_zip,
        full(2),
        *(firds.record("RefData", isin, "XSTO", period=day(1)) for isin in (VOLVO, ERICSSON)),
    )


@pytest.mark.usefixtures("shares")
@pytest.mark.parametrize("order", mostly_slow(itertools.permutations(range(3)), quick_share=3))
def test_liquidity_is_that_of_the_revisions_known(
    client: Client, make_zip: Write, order: tuple[int, ...]
) -> None:
    """The file of 23 August is published again on the 26th and the 29th, which has one of two results."""
    contents = [
        (23, [(VOLVO, "true"), (ERICSSON, "true")]),
        (26, [(VOLVO, "false"), (ERICSSON, "true")]),
        (29, [(VOLVO, "true")]),
    ]
    for number in order:
        created, results = contents[number]
        load_results(
            make_zip, "FULNCR_20250823_D_1of1", *results, created=f"2025-08-{created}T03:00:00Z"
        )

    both = (VOLVO, ERICSSON)
    assert check_liquidity(client, both, on="2025-09-01") == [True, None]
    known = {
        number: check_liquidity(client, both, on="2025-09-01", known_on=f"2025-08-{number}")
        for number in (22, 23, 25, 26, 28, 29)
    }
    assert known == {
        22: [None, None],
        23: [True, True],
        25: [True, True],
        26: [False, True],
        28: [False, True],
        29: [True, None],
    }


@pytest.mark.usefixtures("shares")
def test_a_correction_that_is_taken_back_counts(client: Client, make_zip: Write) -> None:
    for number, liquid in ((16, "true"), (23, "false"), (30, "true")):
        load_results(make_zip, f"FULNCR_202508{number}_D_1of1", (VOLVO, liquid))

    known = [
        check_liquidity(client, [VOLVO], on=f"2025-08-{on}", known_on=f"2025-08-{known_on}")
        for on, known_on in ((16, 16), (23, 23), (30, 30), (30, 23), (23, 30))
    ]
    assert known == [[True], [False], [True], [False], [False]]
    assert check_liquidity(client, [VOLVO], on="2025-09-01") == [True]


def test_an_estimate_begins_with_the_first_trade_that_was_known(
    client: Client, make_zip: Write
) -> None:
    """It was corrected on 9 March; another listing has a placeholder."""
    name = "FULECR_20250304_E_1of1"
    estimate = (
        f"<EqtyTrnsprncyData><TechRcrdId>1</TechRcrdId><Id>{VOLVO}</Id>"
        "<FinInstrmClssfctn>SHRS</FinInstrmClssfctn><Lqdty>true</Lqdty><Mthdlgy>ESTM</Mthdlgy>"
        "</EqtyTrnsprncyData>"
    )
    fitrs.load(make_zip(name, fitrs.message(name, estimate)))
    made = "2014-01-14T09:00:00Z"
    record = firds.record("RefData", VOLVO, "XSTO", period=day(1)).replace(
        made, "2025-02-03T09:00:00Z"
    )
    placeholder = firds.record("RefData", VOLVO, "XHEL", period=day(1)).replace(
        made, "1858-11-17T00:00:00Z"
    )
    load(make_zip, full(6), record, placeholder)
    corrected = firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(9))
    load(make_zip, delta(9), corrected.replace(made, "2025-03-03T09:00:00Z"))

    days = ("2025-02-10", "2025-03-10", "2025-04-01")
    for known_on, liquid in (
        (day(5), [None, None, None]),
        (day(8), [True, True, None]),
        (day(9), [None, True, True]),
    ):
        assert [
            check_liquidity(client, [VOLVO], on=on, known_on=known_on)[0] for on in days
        ] == liquid
    assert [check_liquidity(client, [VOLVO], on=on)[0] for on in days] == [None, True, True]


def test_a_listing_that_was_cancelled_was_never_traded(client: Client, make_zip: Write) -> None:
    """The cancellation repeats the terms, as the schema allows; the other listing began a month later."""
    name = "FULECR_20250304_E_1of1"
    liquid = LIQUID.format("true")
    estimate = fitrs.equity(VOLVO, methodology="ESTM", more=liquid)
    reported = fitrs.period("2024-01-01", "2024-12-31")
    fitrs.load(make_zip(name, fitrs.message(name, estimate.replace(reported, ""))))
    made = "2014-01-14T09:00:00Z"
    first = firds.record("RefData", VOLVO, "XSTO", period=day(1)).replace(
        made, "2025-02-03T09:00:00Z"
    )
    later = firds.record("RefData", VOLVO, "XHEL", period=day(1)).replace(
        made, "2025-03-03T09:00:00Z"
    )
    load(make_zip, full(6), first, later)
    load(
        make_zip,
        delta(9),
        first.replace("RefData>", "CancRcrd>").join(("<FinInstrm>", "</FinInstrm>")),
    )

    days = ("2025-02-10", "2025-04-01")
    for known, liquidity in (
        ({"known_on": day(8)}, [True, None]),
        ({"known_on": day(9)}, [None, True]),
        ({}, [None, True]),
    ):
        assert [check_liquidity(client, [VOLVO], on=on, **known)[0] for on in days] == liquidity


def test_an_instrument_is_as_it_was_known(client: Client, make_zip: Write) -> None:
    """Two listings, of which one is renamed and the other terminated later; the reference listing changes."""
    first = firds.record("RefData", VOLVO, "XAAA", name="Old", period=day(1), relevant="XAAA")
    load(make_zip, full(2), first, firds.record("RefData", VOLVO, "XBBB", name="B", period=day(1)))
    ended = firds.record("TermntdRcrd", VOLVO, "XAAA", name="New", period=day(1), until=day(4))
    load(make_zip, delta(5), ended.replace("ESVUFR", "ESNUFR"))
    load(make_zip, full(8), firds.record("RefData", DSB, "XBBB", period=day(7)))

    [unknown] = ask(client, VOLVO, on=day(9), known_on=day(1))
    assert (unknown["status"], unknown["reportable"]) == ("found", False)
    assert [unknown[name] for name in (*NAMES, "published_status")] == [None] * 5
    for known_on in (day(2), day(5), day(8), "2026-01-01"):
        [answer] = ask(client, VOLVO, on=known_on, known_on=known_on)
        single = get(client, f"{VOLVO}/", known_on=known_on)
        assert answer["published_status"] == single["status"]
        for name in NAMES:
            assert answer[name] == single[name], (known_on, name)


def test_a_register_answers_for_itself(client: Client, make_zip: Write) -> None:
    """The corrected name is that of the EU's register."""
    eu = firds.record("RefData", VOLVO, "XSTO", name="In the EU", period=day(1))
    uk = firds.record("RefData", VOLVO, "XLON", name="In the UK", period=day(1), authority="GB")
    load(make_zip, full(2), eu)
    load(make_zip, full(2), uk, dataset="fca_firds")
    load(make_zip, full(3), firds.record("RefData", DSB, "XSTO", period=day(1)))
    correction = proposals.propose(
        Proposal("ESMA", VOLVO, "full_name", "Volvo", reason="Misspelt by the venue"), by="ann"
    )
    proposals.approve(correction, by="carl")

    names = {}
    for register in ("ESMA", "FCA"):
        [answer] = ask(client, VOLVO, register=register)
        single = get(client, f"{VOLVO}/", register=register)
        assert answer["published_status"] == single["status"]
        for name in NAMES:
            assert answer[name] == single[name], (register, name)
        names[register] = answer["full_name"], answer["published_status"]
    assert names == {"ESMA": ("Volvo", "dropped"), "FCA": ("In the UK", "active")}


@pytest.mark.usefixtures("shares")
def test_the_number_of_queries_is_fixed(make_zip: Write) -> None:
    load_results(make_zip, "FULNCR_20250823_D_1of1", (VOLVO, "true"), (ERICSSON, "true"))
    for question in (Question(register="ESMA"), Question(known_on=dt.date(2025, 9, 1))):
        counts = []
        for isins in ([VOLVO], [VOLVO], [VOLVO, ERICSSON]):  # the first time, full sets are read
            items = [make_item(number, isin) for number, isin in enumerate(isins, start=1)]
            with CaptureQueriesContext(connection) as queries:
                assert len(list(answer_items(items, question))) == len(items)
            counts.append(len(queries))
        assert counts[1] == counts[2], question
