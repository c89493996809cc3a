"""Files in any order, and however often: the same tables."""

import itertools
from collections import Counter, defaultdict
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from esma_files.models import EsmaFile, Run
from instruments import pipeline
from instruments.listings import search
from instruments.listings.load import search_index
from instruments.listings.load.instruments import rederiving
from instruments.models import (
    Difference,
    FullFile,
    Instrument,
    InstrumentCount,
    ListedVenue,
    Listing,
    ListingVersion,
    OtherIssuer,
    Reconciliation,
    ReplacedFullFile,
    TableCount,
    Underlying,
    WithdrawnListing,
    WithdrawnRecord,
)
from instruments.staging.dialect import translating_cursor
from tests import firds
from tests.conftest import DATA
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.merging import (
    DSB,
    VOLVO,
    Write,
    cancelled,
    counts,
    day,
    delta,
    full,
    load,
)
from tests.instruments.listings.model import MadeFile, MadeRecord, expected, found
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)


def dump() -> list[Any]:
    """All that the tables say, without what only counts rows."""
    check_counts()
    rows: list[Any] = [(*found(), *Instrument.objects.order_by("pk").values_list())]
    fields = [
        field.name
        for field in Listing._meta.fields
        if field.name not in ("id", "source_file", "change", "dropped_by", "known_from")
    ]
    pairs = Underlying.objects.values_list("code", "instrument", "link")
    rows += pairs.order_by("code", "instrument")
    return [*rows, *Listing.objects.order_by("isin", "mic").values_list(*fields)]


def test_loading_twice_changes_nothing(make_zip: Write) -> None:
    records = [firds.record("RefData", VOLVO, mic, period=day(1)) for mic in ("AAAA", "BBBB")]
    load(make_zip, full(2), *records)
    before = dump()

    run = load(make_zip, full(2), *records)

    assert counts(run) == {"unchanged": 2}
    assert dump() == before
    assert EsmaFile.objects.count() == 1


@pytest.mark.slow
def test_real_files_in_any_order_come_to_the_same(make_zip: Write) -> None:
    """The letters of 2021 and the delta of the same day hold the same records, told apart by kind."""
    data = DATA
    paths = [
        data / "firds" / "DLTINS_20210117_01of01.zip",
        *sorted((data / "firds_2021").glob("FULINS_[DJ]_*.zip")),
        *sorted((data / "firds").glob("FULINS_[DEJ]_*.zip")),
    ]
    states = []
    for order in (paths, paths[::-1], paths[3:] + paths[:3]):
        clear()
        for path in order:
            [loaded] = pipeline.load(pipeline.register_files([path]))
            assert loaded.error is None
        states.append(dump())

    assert states[0] == states[1] == states[2]
    assert Listing.objects.count() > 4000


def test_a_record_that_comes_late_may_be_the_last_that_was_known(make_zip: Write) -> None:
    """A list of cancellations gives the terms of what it cancels; the instrument has those last published."""
    cancelling = firds.record("CxlData", VOLVO, "XSTO", name="One", period=day(1))
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, cancelled(6), cancelling)
    assert Instrument.objects.get().full_name == "One"

    load(make_zip, delta(4), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Two", period=day(4)))

    assert Instrument.objects.get().full_name == "Two"
    assert Instrument.objects.search("two").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "another"),
    [("ESVUFR", "ESNUFR"), ("SEK", "EUR"), ("549300GDPG70E3MBBU98", "529900T8BM49AURSDO55")],
)
def test_a_code_that_changes_alone_is_in_the_index(
    make_zip: Write, code: str, another: str
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    modified = firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(1)).replace(code, another)

    run = load(make_zip, delta(4), modified)

    assert counts(run) == {"changed": 1}
    piecemeal = dump(), indexed()
    derive_anew()
    assert (dump(), indexed()) == piecemeal


def derive_anew() -> None:
    isins = sorted(Instrument.objects.values_list("pk", flat=True))
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        rederiving(translating_cursor(cursor), isins),
    ):
        pass  # nothing is deleted
    search_index.rebuild()


def indexed() -> list[tuple[str, int]]:
    """Each word of the index of names and who has it; none where there is no such index."""
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT term, doc FROM {search.WORDS} ORDER BY term, doc")
        return list(cursor.fetchall())


def clear() -> None:
    tables = (
        Difference,
        FullFile,
        ReplacedFullFile,
        Reconciliation,
        Listing,
        ListingVersion,
        WithdrawnListing,
        WithdrawnRecord,
        OtherIssuer,
        Instrument,
    )
    for model in (*tables, ListedVenue, InstrumentCount, TableCount, Run, EsmaFile):
        model.objects.all().delete()


KEYS = list(itertools.product([VOLVO, DSB], ["AAAA", "BBBB"]))


FILES = [
    *(delta(n) for n in range(2, 7)),
    *(full(n) for n in (3, 5)),
    *(full(4, part, of=2) for part in (1, 2)),
    *(cancelled(n) for n in (3, 4, 6)),
]


@st.composite
def made_files(draw: st.DrawFn) -> list[MadeFile]:
    """A few files of a few days about a few keys, each key once a file."""
    names = draw(
        st.lists(
            st.sampled_from(FILES),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    files = []
    for name in names:
        tags = {"FULINS": ["RefData"], "FULCAN": ["CxlData"]}.get(name[:6], firds.RECORDS[1:])
        names_said = ["One name", "Another", *([""] if "CxlData" in tags else [])]
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))
        records = [
            MadeRecord(
                draw(st.sampled_from(tags)),
                *key,
                draw(st.sampled_from(names_said)),
                draw(st.sampled_from([None, day(1), day(2), day(4)])),
            )
            for key in keys
        ]
        files.append(MadeFile(name, tuple(records)))
    return files


@examples(40)
@given(
    files=made_files(),
    again=st.booleans(),
    slice_=st.sampled_from([1, 2, 5_000]),
)
def test_any_files_in_any_order_come_to_what_the_rules_say(
    make_zip: Write, files: list[MadeFile], *, again: bool, slice_: int
) -> None:
    clear()
    with override_settings(MERGE_RECORDS=slice_):
        for file in [*files, *(files[:1] if again else [])]:
            [loaded] = pipeline.load(pipeline.register_files([make_zip(file.name, file.xml())]))
            assert loaded.error is None

    assert found() == expected(files)
    statuses: dict[str, set[str]] = defaultdict(set)
    for isin, _, status, *_ in found()[0]:
        statuses[isin].add(status)
    for instrument in Instrument.objects.all():
        order = ["active", "dropped", "terminated", "cancelled"]
        assert instrument.status == min(statuses[instrument.isin], key=order.index)
    counted = Counter(Listing.objects.values_list("mic", flat=True))
    assert dict(ListedVenue.objects.values_list("mic", "listings")) == counted
    piecemeal = dump(), indexed()
    derive_anew()
    assert (dump(), indexed()) == piecemeal
