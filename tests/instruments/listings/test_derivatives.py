"""Underlyings and derivatives: by ISIN, by the LEI of an issuer, and by the members of a basket."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from stdnum.isin import calc_check_digit

from instruments import pipeline
from instruments.listings import underlyings
from instruments.listings.models.underlying import LINKS
from instruments.models import Instrument, Link, Listing, Underlying
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, full, load

pytestmark = pytest.mark.django_db(transaction=True)

ERICSSON, NORDEA = "SE0000108656", "FI4000297767"
LEI = "549300GDPG70E3MBBU98"
API = "/api/v1/instruments/"


def on(underlying: str) -> str:
    return f"<DerivInstrmAttrbts><UndrlygInstrm>{underlying}</UndrlygInstrm></DerivInstrmAttrbts>"


def single(isin: str) -> str:
    return on(f"<Sngl><ISIN>{isin}</ISIN></Sngl>")


def basket(*isins: str) -> str:
    members = "".join(f"<ISIN>{isin}</ISIN>" for isin in isins)
    return on(f"<Bskt>{members}<LEI>{LEI}</LEI></Bskt>")


def index(isin: str, name: str) -> str:
    named = f"<Nm><RefRate><Nm>{name}</Nm></RefRate></Nm>"
    return on(f"<Sngl><Indx><ISIN>{isin}</ISIN>{named}</Indx></Sngl>")


def rows() -> set[tuple[str, str, int]]:
    return set(Underlying.objects.values_list("code", "instrument", "link"))


def expected() -> set[tuple[str, str, int]]:
    """The same from the listings, one after the other."""
    closest: dict[tuple[str, str], int] = {}
    for listing in Listing.objects.all():
        for column, link in LINKS.items():
            for code in (getattr(listing, column) or "").split():
                key = (code, listing.isin)
                closest[key] = min(link, closest.get(key, link))
    return {(*key, link) for key, link in closest.items()}


def get(client: Client, path: str, expected_status: int = 200, **parameters: Any) -> Any:
    response = client.get(f"{API}{path}", parameters)
    assert response.status_code == expected_status, response.content
    return response.json()


def isins(answer: Any) -> list[tuple[str, str]]:
    return [(row["isin"], row["link"]) for row in answer["results"]]


@pytest.mark.slow
def test_the_rows_agree_with_the_listings(real_instruments: None) -> None:
    paths = sorted((FIRDS.parent / "firds_2021").glob("FULINS_[DHS]_*.zip"))
    for loaded in pipeline.load(pipeline.register_files(paths)):
        assert loaded.error is None

    assert rows() == expected()
    assert Underlying.objects.count() == len(rows()) > 1000
    assert {link for _, _, link in rows()} >= {Link.SINGLE, Link.INDEX, Link.BASKET}


@pytest.mark.slow
def test_the_rows_follow_changes_of_the_listings(make_zip: Write) -> None:
    def put(number: int, tag: str, mic: str, extra: str, **options: str) -> None:
        name = full(number) if tag == "RefData" else delta(number)
        record = firds.record(tag, DSB, mic, period=day(number), cfi="SESPXC", extra=extra)
        load(make_zip, name, record)
        assert rows() == expected()

    put(2, "RefData", "AAAA", single(VOLVO))
    assert rows() == {(VOLVO, DSB, Link.SINGLE)}
    put(3, "ModfdRcrd", "AAAA", basket(VOLVO, ERICSSON))
    assert rows() == {(code, DSB, Link.BASKET) for code in (VOLVO, ERICSSON, LEI)}
    put(4, "NewRcrd", "BBBB", single(VOLVO))
    assert (VOLVO, DSB, Link.SINGLE) in rows(), "the closest, where listings differ"
    put(5, "TermntdRcrd", "BBBB", single(VOLVO))
    put(6, "ModfdRcrd", "AAAA", index(NORDEA, "An index"))
    assert rows() == {(VOLVO, DSB, Link.SINGLE), (NORDEA, DSB, Link.INDEX)}
    load(make_zip, delta(7), *(firds.cancellation(DSB, mic) for mic in ("AAAA", "BBBB")))
    assert rows() == set()


@pytest.fixture
def three(make_zip: Write, anonymous_reading: None) -> None:
    """A swap on a share, one on a basket with it, and an index future; and the share."""
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", name="Volvo", period=day(1)),
        firds.record("RefData", DSB, "AAAA", period=day(1), cfi="SESPXC", extra=single(VOLVO)),
        firds.record(
            "RefData", ERICSSON, "AAAA", period=day(1), cfi="SEBPXC", extra=basket(VOLVO, DSB)
        ),
        firds.record(
            "RefData", NORDEA, "AAAA", period=day(1), cfi="FFICSX", extra=index(VOLVO, "OMX")
        ),
    )


@pytest.mark.usefixtures("three")
def test_everything_that_has_it_as_an_underlying(client: Client) -> None:
    answer = get(client, f"{VOLVO.lower()}/derivatives/")

    assert isins(answer) == [(DSB, "single"), (NORDEA, "index"), (ERICSSON, "basket")]
    assert answer["pagination"]["total"] == 3
    found = get(client, f"{VOLVO}/derivatives/", category="F", status="active")
    assert isins(found) == [(NORDEA, "index")]
    assert isins(get(client, f"{VOLVO}/derivatives/", per_page=1, page=3)) == [(ERICSSON, "basket")]
    by_filter = get(client, "", underlying=VOLVO)["results"]
    assert [row["isin"] for row in by_filter] == [DSB, NORDEA, ERICSSON]
    assert [row["isin"] for row in get(client, "", underlying=LEI)["results"]] == [ERICSSON]


@pytest.mark.usefixtures("three")
def test_what_it_is_derived_from(client: Client) -> None:
    def named(isin: str) -> list[tuple[Any, ...]]:
        found = get(client, f"{isin}/underlyings/")["results"]
        return [
            (row["link"], row["isin"], row["lei"], row["name"], row["known"], row["venues"])
            for row in found
        ]

    assert named(DSB) == [("single", VOLVO, None, "Volvo", True, ["AAAA"])]
    assert named(NORDEA) == [("index", VOLVO, None, "Volvo", True, ["AAAA"])]
    assert named(ERICSSON) == [
        ("basket", VOLVO, None, "Volvo", True, ["AAAA"]),
        ("basket", DSB, None, "A name", True, ["AAAA"]),
        ("basket", None, LEI, None, False, ["AAAA"]),
    ]
    assert named(VOLVO) == []


def test_an_index_and_a_rate_are_named_though_they_have_no_isin(
    real_instruments: None, anonymous_reading: None, client: Client
) -> None:
    """Real ones: what is named with an ISIN is known by the name published with it."""
    [named] = get(client, "DE000A2253D4/underlyings/")["results"]
    listing = Listing.objects.of("DE000A2253D4").get()
    assert (named["link"], named["name"]) == ("index", "FTSE MIB")
    assert named["isin"] == listing.underlying_index_isin
    without = Listing.objects.filter(interest_rate_index__isnull=False).first()
    assert without is not None
    rates = get(client, f"{without.isin}/underlyings/")["results"]
    assert [(row["isin"], bool(row["name"])) for row in rates if row["link"] == "rate"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("SE0000115447/derivatives/", 400, "should be 6"),
        ("DE000A1R07V3/derivatives/", 404, "No loaded file has DE000A1R07V3"),
        ("DE000A1R07V3/underlyings/", 404, "No instrument"),
        ("x/underlyings/", 400, "12 characters"),
        (f"{VOLVO}/derivatives/?underlying={VOLVO}", 400, "Unknown parameter"),
        (f"{VOLVO}/derivatives/?page=9", 404, "No such page"),
        ("?underlying=volvo", 400, "VOLVO"),
        ("?underlying=SE0000115447", 400, "should be 6"),
        ("?underlying=BBG000BLNNH6", 400, "No instrument with the FIGI BBG000BLNNH6"),
        ("?underlying=%00", 400, "ull character"),
    ],
)
def test_an_invalid_question_is_a_problem(
    client: Client, path: str, status: int, message: str
) -> None:
    assert message in get(client, path, status)["detail"]


def test_an_underlying_that_is_no_instrument_has_derivatives(
    make_zip: Write, anonymous_reading: None, client: Client
) -> None:
    load(make_zip, full(2), firds.record("RefData", DSB, "AAAA", extra=index(NORDEA, "OMX")))

    assert isins(get(client, f"{NORDEA}/derivatives/")) == [(DSB, "index")]
    [named] = get(client, f"{DSB}/underlyings/")["results"]
    assert (named["name"], named["known"]) == ("OMX", False)


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_the_number_of_queries_is_bounded(
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for isin in ("US6311011026", "NL00150001Q9"):
        for size in (1, 50):
            with django_assert_max_num_queries(6):
                get(client, f"{isin}/derivatives/", per_page=size)
    for isin in Underlying.objects.values_list("instrument", flat=True)[:3]:
        with django_assert_num_queries(3):
            get(client, f"{isin}/underlyings/")


@pytest.mark.usefixtures("three")
def test_the_command_answers_as_the_api_does(client: Client) -> None:
    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("instruments", *arguments, stdout=out)
        return out.getvalue()

    as_json = ("--format", "json")
    shown = json.loads(run("derivatives", VOLVO, "--category", "S", *as_json))
    assert shown == get(client, f"{VOLVO}/derivatives/", category="S")["results"]
    assert len(json.loads(run("derivatives", VOLVO, "--limit", "1", *as_json))) == 1
    named = json.loads(run("underlyings", ERICSSON, *as_json))
    assert named == get(client, f"{ERICSSON}/underlyings/")["results"]
    assert "basket" in run("derivatives", VOLVO)
    assert "has no underlying" in run("underlyings", VOLVO)
    assert "No matching instrument" in run("derivatives", VOLVO, "--category", "D")
    with pytest.raises(CommandError, match="No loaded file has DE000A1R07V3"):
        run("derivatives", "DE000A1R07V3")
    for action in ("derivatives", "underlyings"):
        with pytest.raises(CommandError, match="should be 6"):
            run(action, "SE0000115447")
    assert Instrument.objects.count() == 4


def test_a_basket_may_have_any_number_of_members(make_zip: Write) -> None:
    """Each is a parameter of a statement: the fixture `portable` counts them."""
    bodies = [f"SE{number:09}" for number in range(2_200)]
    members = [body + calc_check_digit(body) for body in bodies]
    basket = "".join(f"<ISIN>{isin}</ISIN>" for isin in members)
    record = firds.record(
        "RefData", VOLVO, "XSTO", period=day(1), extra=on(f"<Bskt>{basket}</Bskt>")
    )
    load(make_zip, full(2), record)

    named = underlyings.read_underlyings(Listing.objects.of(VOLVO))

    assert [underlying.isin for underlying in named] == members
