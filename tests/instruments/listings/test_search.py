"""Instruments by words of their names and by codes: what is found, in which order, and by what."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from stdnum.isin import calc_check_digit

from instruments import isin, pipeline
from instruments.listings import search
from instruments.models import Instrument, Listing
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, full, load
from tests.properties import examples

HOSTILE = [
    "AND", "OR", "NOT", "NEAR(", '"', "'", "*", "^", "(", "a:", "said:x", "-", "--", "%", "\\",
]  # fmt: skip
# What the index of names makes of words, and LIKE does not.
OF_THE_INDEX = {"345,5", '"S&P"', "sa", "p", "societe generale", "SOCIÉTÉ slask", "& % ,"}


def found(words: str) -> list[str]:
    return list(Instrument.objects.search(words).values_list("pk", flat=True))


def indexed() -> list[tuple[str, int]]:
    """Every word of the index, with the document that has it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT term, doc FROM {search.WORDS} ORDER BY term, doc")
        return list(cursor.fetchall())


def load_names(make_zip: Write, *names_: str) -> list[str]:
    """An instrument for each name; returns their ISINs, which are in order."""
    isins = [f"SE{n:09}" for n in range(1, len(names_) + 1)]
    isins = [body + calc_check_digit(body) for body in isins]
    records = [
        firds.record("RefData", code, "XSTO", name=name, period=day(1))
        for code, name in zip(isins, names_, strict=True)
    ]
    load(make_zip, full(2), *records)
    return isins


@pytest.mark.django_db(transaction=True)
def test_a_word_finds_the_beginning_of_a_word_in_any_alphabet(make_zip: Write) -> None:
    names_ = (
        "Discountzertifikat auf DAX 12.345,5",
        "S&P 500 3,5% Bond 10Y",
        "SAMPLE P 500",
        "Société Générale Śląsk",
        "Εθνική Τράπεζα",
        "Сбербанк Облигации",
        "PUT DAX12400 DAXT9X",
    )
    discount, standard, sample, societe, greek, russian, put = load_names(make_zip, *names_)

    for words, wanted in (
        ("disc", [discount]),
        ("dax AUF", [discount]),
        ("dax", [discount, put]),
        ("dax1", [put]),
        ("dax124", [put]),
        ("dax125", []),
        ("daxt9", [put]),
        ("124", []),
        ("zertifikat", []),  # inside a word
        ("12.345", [discount]),
        ("345,5", [discount]),
        ("500", [standard, sample]),
        ("S&P", [standard]),
        ("s&p 500", [standard]),
        ('"S&P"', [standard]),
        ("3,5%", [standard]),
        ("10y", [standard]),
        ("sa", []),  # two letters are a word of their own
        ("p", [standard, sample]),
        ("sam", [sample]),
        ("societe generale", [societe]),
        ("SOCIÉTÉ slask", [societe]),
        ("τράπεζα", [greek]),
        ("ΕΘΝΙΚΉ", [greek]),
        ("сбер", [russian]),
        ("сбербанк сбербанка", []),
        ("& % ,", []),
    ):
        if connection.vendor == "sqlite" or words not in OF_THE_INDEX:
            assert found(words) == wanted, words


@pytest.mark.django_db(transaction=True)
def test_a_word_may_be_the_start_of_an_isin_beside_words_of_the_name(make_zip: Write) -> None:
    first, second = load_names(make_zip, "Alpha one", "Alpha SE0000 two")

    assert found("se00000000 alpha") == [first, second]
    assert found(f"alpha {first[:11]}") == [first]
    assert found("se99 alpha") == []


@examples(60)
@given(
    st.lists(st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE)), max_size=6).map(" ".join)
)
@pytest.mark.usefixtures("real_instruments")
def test_nothing_that_is_typed_is_an_error(words: str) -> None:
    isins = found(words)

    assert isins == sorted(isins)


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_every_instrument_is_found_by_each_word_of_its_names() -> None:
    """The words as Python sees them, not as FTS5 does."""
    for row in Instrument.objects.order_by("pk")[:40]:
        for word in f"{row.full_name} {row.short_name}".split():
            assert row.pk in found(word) or not any(c.isalnum() for c in word), word


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.usefixtures("real_instruments")
def test_the_index_says_what_it_would_say_if_it_were_built_anew() -> None:
    """After new, changed, ended and late records, and records on another venue."""
    paths: list[Path] = sorted((FIRDS.parent / "firds_2021").glob("FULINS_[DJ]_*.zip"))
    for loaded in pipeline.load(pipeline.register_files(paths)):
        assert loaded.run is not None
        assert loaded.run.changed + loaded.run.ended > 0
    kept = indexed()

    call_command("index_names")

    assert indexed() == kept
    assert len({document for _, document in kept}) == Instrument.objects.count()


@pytest.mark.django_db(transaction=True)
def test_a_listing_on_another_venue_and_a_new_name_are_found_and_the_old_ones_not(
    make_zip: Write,
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="Old", period=day(1)))
    load(
        make_zip,
        full(9),
        firds.record("RefData", VOLVO, "XSTO", name="New", period=day(1), relevant="XSTO"),
        firds.record("RefData", VOLVO, "FRAB", name="Other", period=day(1)),
        firds.record("RefData", DSB, "FRAB", name="Old too", period=day(1)),
    )

    assert found("old") == [DSB]
    assert found("new") == [VOLVO]
    assert [i.pk for i in Instrument.objects.traded_on("FRAB")] == sorted([VOLVO, DSB])
    assert [i.pk for i in Instrument.objects.traded_on("FRAB").search("new")] == [VOLVO]


@pytest.mark.sqlite
@pytest.mark.usefixtures("real_instruments")
def test_what_is_deleted_leaves_nothing_in_the_index() -> None:
    first, second = Listing.objects.order_by("mic")[:2]
    assert first.isin != second.isin

    first.delete()
    assert not Instrument.objects.traded_on(first.mic).filter(pk=first.isin)
    Instrument.objects.filter(pk=first.isin).delete()
    assert {document for _, document in indexed()} == {
        isin.key_of(code) for code in Instrument.objects.values_list("pk", flat=True)
    }
    Listing.objects.all().delete()
    Instrument.objects.all().delete()
    assert indexed() == []


@pytest.mark.usefixtures("real_instruments")
def test_a_walk_goes_on_after_any_instrument_whatever_leads_there() -> None:
    called = Instrument.objects.values_list("full_name", flat=True)
    [(word, _)] = Counter(name.split()[0] for name in called).most_common(1)
    for asked in (
        Instrument.objects.all(),
        Instrument.objects.of_category("D"),
        Instrument.objects.with_status("active").search(word),
    ):
        every = list(asked.after("").values_list("pk", flat=True))
        middle = every[len(every) // 2]
        assert list(asked.after(middle).values_list("pk", flat=True)) == [
            code for code in every if code > middle
        ]
        assert len(every) > 1


@pytest.mark.usefixtures("real_instruments")
def test_any_number_of_questions_can_be_added_to_one_another() -> None:
    row = Instrument.objects.exclude(notional_currency="").order_by("pk")[100]
    asked = Instrument.objects.all()
    for _ in range(30):
        asked = asked.of_category(row.category).in_currency(row.notional_currency)
        asked = asked.issued_by(row.issuer_lei).traded_on(row.mic).with_status(row.status)
        asked = asked.classified(row.cfi_code).search(row.full_name.split()[0])

    assert row in asked
    assert asked.filter(pk=row.pk).count() == 1
    assert list(Instrument.objects.filter(pk__in=asked.values("pk"))) == list(asked)
    assert not asked.search("nonsense").exists()
    assert not asked.of_category("K").exists()


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
@pytest.mark.parametrize("asked", [{}, {"category": "D"}, {"q": "o n"}, {"currency": "EUR"}])
def test_a_cursor_walks_a_whole_list(client: Client, asked: dict[str, str]) -> None:
    path = "/api/v1/instruments/"
    walked: list[str] = []
    pages = 0
    cursor: str | None = ""
    while cursor is not None:
        answer: Any = client.get(path, {**asked, "cursor": cursor, "per_page": "7"}).json()
        walked += [row["isin"] for row in answer["results"]]
        cursor, pages = answer["pagination"]["cursor"], pages + 1
        assert (answer["pagination"]["next"] is None) == (cursor is None)
        assert answer["pagination"]["total"] is None

    first: Any = client.get(path, {**asked, "per_page": "100"}).json()
    assert walked[:100] == [row["isin"] for row in first["results"]]
    last = first["results"][-1]["isin"]
    assert first["pagination"]["cursor"] == (last if len(walked) > 100 else None)
    assert len(walked) == len(set(walked)) == first["pagination"]["total"]
    assert pages == -(-len(walked) // 7)


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
@pytest.mark.parametrize("cursor", ["x", "DE000A1R07V3x", "'", "\x00"])
def test_what_is_no_cursor_is_said(client: Client, cursor: str) -> None:
    answer = client.get("/api/v1/instruments/", {"cursor": cursor})

    assert answer.status_code == 400
    assert "cursor" in answer.json()["errors"]


def test_keys_are_ordered_as_isins_are_and_lead_back_to_them() -> None:
    isins = sorted(["AA0000000000", "DE000A1R07V3", "US0231351067", "EZXQ2VY8PZP7", "ZZZZZZZZZZZ9"])
    keys = [isin.key_of(code) for code in isins]

    assert keys == sorted(keys)
    assert keys[-1] < 2**63
    as_bytes = np.frombuffer("".join(isins).encode(), dtype=np.uint8).reshape(len(isins), 12)
    assert isin.keys_of(as_bytes).tolist() == keys
    with closing(sqlite3.connect(":memory:")) as database:
        for code, key in zip(isins, keys, strict=True):
            back = search.isin_in_sql(str(key)).replace("%%", "%")
            sql = f"SELECT {search.key_in_sql(repr(code))}, {back}"
            assert database.execute(sql).fetchone() == (key, code)


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
@pytest.mark.usefixtures("anonymous_reading")
def test_a_page_of_a_search_and_its_total_ask_the_index_once(
    client: Client, make_zip: Write
) -> None:
    isins = load_names(make_zip, *(f"Call {n}" for n in range(7)), "Put")
    for page, expected in ((1, isins[:3]), (2, isins[3:6]), (3, isins[6:7])):
        with CaptureQueriesContext(connection) as asked:
            body = client.get(f"/api/v1/instruments/?q=call&page={page}&per_page=3").json()

        assert [row["isin"] for row in body["results"]] == expected
        assert body["pagination"]["total"] == 7
        assert sum(" MATCH " in query["sql"] for query in asked) == 1
    assert client.get("/api/v1/instruments/?q=call&page=4&per_page=3").status_code == 404
