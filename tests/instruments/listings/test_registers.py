"""The UK's register beside the EU's: the same names, the same keys, and neither touches the other."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.listings import history
from instruments.models import Instrument, ListedVenue, Listing, ListingVersion
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.merging import DSB, VOLVO, Write, counts, day, delta, full, load
from tests.instruments.listings.model import MadeFile, expected, found
from tests.instruments.listings.test_any_order import clear, dump, made_files
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

FCA = "fca_firds"
LIST = "/api/v1/instruments/"


def listings(register: str) -> list[Any]:
    """Every column of every row of a register."""
    return list(Listing.objects.filter(register=register).order_by("pk").values_list())


def test_files_of_the_same_name_are_two_files_with_two_places(make_zip: Write) -> None:
    eu = firds.record("RefData", VOLVO, "XSTO", name="Volvo", period=day(1))
    load(make_zip, full(2), eu)
    before = listings("ESMA")
    run = load(make_zip, full(2), eu.replace(">Volvo<", ">Volvo PLC<"), dataset=FCA)

    assert counts(run) == {"new": 1}
    files = EsmaFile.objects.order_by("dataset")
    assert [(f.dataset, f.name, f.revision) for f in files] == [
        ("esma_firds", f"{full(2)}.zip", 0),
        ("fca_firds", f"{full(2)}.zip", 0),
    ]
    assert "/fca/" in files[1].stored_name
    assert "/fca/" not in files[0].stored_name
    assert listings("ESMA") == before
    assert Listing.objects.get(register="FCA").full_name == "Volvo PLC"


def test_what_one_register_ends_goes_on_in_the_other(make_zip: Write, client: Client) -> None:
    for dataset, name in (("", "In the EU"), (FCA, "In the UK")):
        record = firds.record("RefData", VOLVO, "XSTO", name=name, period=day(1), relevant="XSTO")
        load(make_zip, full(2), record, dataset=dataset)
    eu = listings("ESMA")
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", name="In the UK", period=day(1))
    assert counts(load(make_zip, delta(5), ended, dataset=FCA)) == {"ended": 1}

    volvo = Instrument.objects.get()
    assert (volvo.status, volvo.register, volvo.full_name) == ("active", "ESMA", "In the EU")
    assert (volvo.listing_count, volvo.eu_listings, volvo.uk_listings) == (2, 1, 1)
    assert listings("ESMA") == eu

    load(make_zip, delta(6), firds.cancellation(VOLVO, "XSTO"))
    volvo.refresh_from_db()
    assert (volvo.status, volvo.register) == ("terminated", "FCA")


def test_an_instrument_of_one_register_only_is_in_no_count_of_the_other(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XLON", period=day(1)), dataset=FCA)
    load(make_zip, full(2), firds.record("RefData", DSB, "XSTO", period=day(1)))

    counted = Instrument.objects.values_list("isin", "eu_listings", "uk_listings")
    assert set(counted) == {(VOLVO, None, 1), (DSB, 1, None)}
    venues = ListedVenue.objects.values_list("mic", "listings", "eu_listings", "uk_listings")
    assert set(venues) == {("XLON", 1, 0, 1), ("XSTO", 1, 1, 0)}


def test_a_file_of_the_fca_is_not_taken_for_one_of_esma(make_zip: Write) -> None:
    record = firds.record("RefData", VOLVO, "XLON", period=day(1))
    path = make_zip(full(2), firds.message(full(2), record, sender="GB"))

    with pytest.raises(CommandError, match="as a file of the dataset fca_firds"):
        call_command("load", path, stdout=io.StringIO())
    assert not Listing.objects.exists()

    call_command("load", path, "--dataset", "fca_firds", stdout=io.StringIO())
    assert Listing.objects.get().register == "FCA"


@pytest.mark.slow
@examples(25)
@given(eu=made_files(), uk=made_files(), order=st.randoms(use_true_random=False))
def test_interleaved_in_any_order_each_register_is_what_its_own_files_say(
    make_zip: Write, eu: list[MadeFile], uk: list[MadeFile], order: Any
) -> None:
    states = []
    for _ in range(2):
        clear()
        both = [*(("esma_firds", "EU", f) for f in eu), *((FCA, "GB", f) for f in uk)]
        order.shuffle(both)
        for dataset, sender, file in both:
            other = "ESMA" if dataset == FCA else "FCA"
            before = listings(other)
            xml = firds.message(file.name, *(r.xml() for r in file.records), sender=sender)
            [loaded] = pipeline.load(
                pipeline.register_files([make_zip(file.name, xml)], dataset=dataset)
            )
            assert loaded.error is None
            assert listings(other) == before
        states.append(dump())

    assert states[0] == states[1]
    assert found("ESMA") == expected(eu)
    assert found("FCA") == expected(uk)
    for column, register in (("eu_listings", "ESMA"), ("uk_listings", "FCA")):
        rows = Listing.objects.filter(register=register)
        by_isin = Counter(rows.values_list("isin", flat=True))
        counted = Instrument.objects.filter(**{f"{column}__isnull": False})
        assert dict(counted.values_list("isin", column)) == by_isin
        by_mic = Counter(rows.values_list("mic", flat=True))
        venues = ListedVenue.objects.filter(**{f"{column}__gt": 0})
        assert dict(venues.values_list("mic", column)) == by_mic
    speaking = {i.isin: (i.register, i.mic, i.status) for i in Instrument.objects.all()}
    for isin, said_of in speaking.items():
        then = history.get_snapshot(isin)
        assert then is not None
        assert (then.register, then.mic, then.status) == said_of


@pytest.fixture
def both_registers(make_zip: Write, real_instruments: None) -> None:
    """The real records once more, some of them as the UK's."""
    paths: list[Path] = []
    for letter in "DJ":
        [source] = FIRDS.glob(f"FULINS_{letter}_*.zip")
        xml = firds.as_uk(read(source))
        paths.append(make_zip(source.stem, xml, folder="uk"))
    for loaded in pipeline.load(pipeline.register_files(paths, dataset=FCA)):
        assert loaded.error is None


def read(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def total(client: Client, path: str, **parameters: str) -> int:
    response = client.get(path, parameters)
    assert response.status_code == 200, response.content
    return int(response.json()["pagination"]["total"])


@pytest.mark.usefixtures("both_registers", "anonymous_reading")
def test_one_register_the_other_or_both_can_be_asked_for(client: Client) -> None:
    call_command("load_venues", stdout=io.StringIO())
    uk = Listing.objects.filter(register="FCA")
    isins = set(uk.values_list("isin", flat=True))
    assert len(isins) > 10

    assert total(client, LIST) == Instrument.objects.count()
    assert total(client, LIST, register="FCA") == len(isins)
    assert total(client, LIST, register="ESMA") == Instrument.objects.count()
    categories = {i[0] for i in Instrument.objects.filter(pk__in=isins).values_list("cfi_code")}
    assert {code[0] for code in categories} == {"D", "J"}
    some = uk.earliest("isin", "mic")
    assert total(client, LIST, register="FCA", mic=some.mic) == len(
        set(uk.filter(mic=some.mic).values_list("isin", flat=True))
    )
    exported = client.get(f"{LIST}{some.isin}/listings/", {"register": "FCA"}).json()["results"]
    assert {row["register"] for row in exported} == {"FCA"}
    versions = client.get(f"{LIST}{some.isin}/history/", {"register": "FCA"}).json()["results"]
    assert {row["register"] for row in versions} == {"FCA"}
    assert client.get(LIST, {"register": "SEC"}).status_code == 400
    assert client.get(f"{LIST}{some.isin}/history/", {"register": "SEC"}).status_code == 400
    venues = {row["mic"] for row in get(client, "/api/v1/venues/", register="FCA", per_page="100")}
    assert venues == set(uk.values_list("mic", flat=True))
    stats = client.get("/api/v1/stats/").json()["registers"]
    assert [(row["register"], row["listings"]) for row in stats] == [
        ("ESMA", Listing.objects.filter(register="ESMA").count()),
        ("FCA", uk.count()),
    ]
    assert stats[1]["instruments"] == len(isins)


def get(client: Client, path: str, **parameters: str) -> Any:
    return client.get(path, parameters).json()["results"]


@pytest.mark.usefixtures("both_registers", "anonymous_reading")
def test_the_detail_of_one_register_is_of_its_listings_only(client: Client) -> None:
    isin = Listing.objects.filter(register="FCA").earliest("isin").isin
    whole = client.get(f"{LIST}{isin}/").json()
    uk = client.get(f"{LIST}{isin}/", {"register": "FCA"}).json()

    assert {row["register"] for row in whole["listings"]} == {"ESMA", "FCA"}
    assert {row["register"] for row in uk["listings"]} == {"FCA"} == {uk["register"]}
    assert uk["listing_count"] == uk["uk_listings"] == len(uk["listings"])
    assert uk["eu_listings"] is None
    assert {row["competent_authority"] for row in uk["listings"]} == {"GB"}
    only_eu = Instrument.objects.filter(uk_listings=None).earliest("isin").pk
    answer = client.get(f"{LIST}{only_eu}/", {"register": "FCA"})
    assert answer.status_code == 404
    assert "no listing in the register of the FCA" in json.dumps(answer.json())
    page = client.get(f"/instruments/{isin}/", {"register": "FCA"}).content.decode()
    assert "UK (FCA)" in page
    assert client.get(f"/instruments/{only_eu}/", {"register": "FCA"}).status_code == 404
    found_by_name = client.get("/", {"q": isin[:8], "register": "FCA"}).content.decode()
    assert isin in found_by_name
    shown = io.StringIO()
    call_command("instruments", "get", isin, "--register", "FCA", "--format", "json", stdout=shown)
    assert {r["register"] for r in json.loads(shown.getvalue())["listings"]} == {"FCA"}


@pytest.mark.sqlite
@pytest.mark.usefixtures("both_registers")
def test_instruments_of_the_uk_are_found_by_the_index_of_names_and_codes() -> None:
    found = Instrument.objects.in_register("FCA")
    with connection.cursor() as cursor:
        sql, parameters = found.query.sql_with_params()
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        plans = [row[3] for row in cursor.fetchall()]

    assert plans[0].startswith("SCAN instruments_name_index VIRTUAL TABLE")
    assert plans[1].startswith("SEARCH instruments_instrument")


@pytest.mark.usefixtures("both_registers")
def test_a_command_names_the_source_of_a_file() -> None:
    name = EsmaFile.objects.filter(dataset=FCA).earliest("name").name
    for dataset, option in (("esma_firds", ()), (FCA, ("--dataset", FCA))):
        shown = io.StringIO()
        call_command("files", "get", name, *option, "--format", "json", stdout=shown)
        answer = json.loads(shown.getvalue())
        assert answer["dataset"] == dataset
        assert len(answer["revisions"]) == 1
    assert ListingVersion.objects.filter(register="FCA").count() == 0
