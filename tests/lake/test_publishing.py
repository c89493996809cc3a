"""The lake has what the database has, and only files whose rows have changed are written."""

import dataclasses
import io
import json
import os
import sys
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from instruments import pipeline
from instruments.isin import problem_of
from instruments.models import (
    ChangeSet,
    Correction,
    Figi,
    Instrument,
    Listing,
    ListingVersion,
    MappedIssuer,
    MappedLei,
    Venue,
)
from lake import history, publishing
from lake.columns import RTS_23
from lake.errors import LakeBusy, NotPublished
from lake.reading import read, read_slices, snapshot
from lake.recent import RecentRows
from lake.state import read_state
from lake.tables import TABLES, LakeTable, get_table
from tests import firds
from tests.conftest import DATA
from tests.instruments.listings.merging import VOLVO, Write, day, delta, full, load
from tests.lake.conftest import (
    assert_equals_database,
    get_checksum,
    get_files,
    publish,
    read_database,
    read_lake,
    read_published,
)
from tests.snapshots import Snapshots

pytestmark = pytest.mark.django_db(transaction=True)
LISTINGS = get_table("listings")


def fill() -> None:
    """Load files of each publisher, venues and a FIGI."""
    patterns = ("DLTINS_2021*", "FULINS_[DES]*", "FULECR_*_E_*", "FULNCR_*_D_*", "*gleif*")
    paths = [path for pattern in patterns for path in sorted(DATA.glob(f"[fg]*/{pattern}"))]
    files = pipeline.register_files(paths)
    assert all(loaded.error is None for loaded in pipeline.load(files))
    call_command("load_venues", stdout=io.StringIO())
    Figi.objects.create(isin=VOLVO, figi="BBG000BDSLM5", ticker="VOLVB", fetched_at=timezone.now())
    correct(VOLVO)
    MappedIssuer.objects.create(
        isin=VOLVO,
        mapped_lei=MappedLei.objects.create(lei="549300HGV012CNC8JD22"),
        source_file=files[0],
    )


def correct(isin: str) -> None:
    Correction.objects.create(
        register="ESMA", isin=isin, field="full_name", value="Corrected", reason="An example"
    )


@pytest.fixture
def filled(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    snapshots.provide("lake", fill)


def in_small_slices(table: LakeTable, rows: int = 150) -> LakeTable:
    return dataclasses.replace(table, slice_rows=rows, batch_rows=max(rows // 3, 1))


def with_recent_rows(table: LakeTable) -> LakeTable:
    """Return the table as in a lake that is so large that changed rows are put beside it."""
    return dataclasses.replace(table, recent_from=0)


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_all_tables_equal_the_database(own_lake: Path) -> None:
    published = publish()

    assert_equals_database()
    assert published["listings"].rows == Listing.objects.count() > 500
    assert published["transparency_results"].rows > 10
    assert published["figis"].rows == 1
    listed = json.loads((own_lake / "published.json").read_bytes())
    assert listed["data_version"] == published["listings"].data_version > 0
    assert listed["tables"]["venues"] == {"version": 0, "rows": Venue.objects.count()}


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_small_slices_hold_the_same_rows_in_order_and_by_category() -> None:
    listings, instruments = in_small_slices(LISTINGS), in_small_slices(get_table("instruments"), 90)

    published = publish(listings, instruments)

    assert published["listings"].written > 8
    assert_equals_database((listings, instruments))
    for path in sorted(get_files(listings))[:4]:
        category = path.split("/")[1].removeprefix("category=")
        rows = pq.read_table(history.open_published(listings).table_uri + path)
        isins = rows.column("isin").to_pylist()
        assert isins == sorted(isins)
        assert {code[:1] for code in rows.column("cfi_code").to_pylist()} == {category}


@pytest.mark.slow
def test_the_listings_of_an_isin_are_read_together(make_zip: Write) -> None:
    mics = ("XSTO", "XHEL", "XCSE", "XOSL", "XICE")
    records = [firds.record("RefData", VOLVO, mic, period=day(1)) for mic in mics]
    others = [record("RefData", make_isin(number), day(1)) for number in range(5)]
    load(make_zip, full(2), *records, *others)
    listings = dataclasses.replace(LISTINGS, slice_rows=4, batch_rows=2)

    with snapshot() as reader:
        slices = [
            (start, [batch.column("isin").to_pylist() for batch in batches])
            for start, batches in read_slices(reader, listings, "", None, is_new=True)
        ]

    read_isins = [isin for _, batches in slices for batch in batches for isin in batch]
    assert read_isins == list(Listing.objects.order_by("isin").values_list("isin", flat=True))
    sizes = [len(batch) for _, batches in slices for batch in batches]
    assert sorted(sizes)[-2:] == [2, 5]
    assert [len(batches) for _, batches in slices[:-1]] == [2] * (len(slices) - 1)
    assert [start for start, _ in slices[1:]] == [batches[0][0] for _, batches in slices[1:]]


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_a_second_publication_writes_nothing() -> None:
    publish()
    files = {table.name: get_files(table) for table in TABLES}

    for full_read in (False, True):
        published = publish(full=full_read)
        assert {item.written for item in published.values()} == {0}
        assert {item.version for item in published.values()} == {0}
    assert {table.name: get_files(table) for table in TABLES} == files


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_a_delta_rewrites_only_the_files_of_its_instruments(make_zip: Write) -> None:
    listings = in_small_slices(LISTINGS)
    publish(listings)
    before, old = get_files(listings), read_lake(listings)
    first = history.get_versions(listings)[0].data_version
    isin = Listing.objects.order_by("isin").filter(cfi_code__startswith="D").first()
    assert isin
    changed = firds.record(
        "ModfdRcrd", isin.isin, isin.mic, name="Another name", period="2025-09-05", cfi="DBFTFB"
    )
    load(make_zip, "DLTINS_20250905_01of01", changed)

    published = publish(listings)["listings"]

    assert (published.written, published.removed) == (1, 1)
    assert len(before & get_files(listings)) == len(before) - 1
    assert_equals_database((listings,))
    assert get_checksum(read_lake(listings, data_version=first)) == get_checksum(old)


@pytest.mark.slow
@pytest.mark.parametrize("is_large", [False, True], ids=["written whole", "with recent rows"])
def test_rows_that_are_new_moved_and_deleted_are_followed(
    make_zip: Write, *, is_large: bool
) -> None:
    names = ("listings", "instruments", "listing_versions", "underlyings")
    tables = tuple(in_small_slices(get_table(name), 30) for name in names)
    if is_large:
        tables = tuple(map(with_recent_rows, tables))
    isins = [make_isin(number) for number in range(40)]
    load(make_zip, full(2), *(record("RefData", isin, day(1)) for isin in isins))
    publish(*tables)
    assert_equals_database(tables)

    # a change of category, a new instrument, one that ends, a late record, a cancelled one
    late = record("NewRcrd", isins[4], day(1), name="Before")
    load(
        make_zip,
        delta(5),
        record("ModfdRcrd", isins[0], day(5), cfi="DBFTFB"),
        record("NewRcrd", make_isin(40), day(5)),
        record("TermntdRcrd", isins[2], day(1), until=day(4)),
        firds.cancellation(isins[3], "XSTO"),
    )
    published = publish(*tables)
    assert_equals_database(tables)
    assert (published["listings"].written == 0) == is_large
    assert (published["listings_recent"].rows > 0) == is_large
    load(make_zip, delta(1), late)
    load(make_zip, delta(6), record("ModfdRcrd", isins[0], day(6), cfi="ESVUFR"))
    publish(*tables)
    assert_equals_database(tables)
    assert ListingVersion.objects.count() >= 3

    published = publish(*tables, full=True)
    assert published["listings_recent"].rows == 0
    assert_equals_database(tables)
    assert {item.written for item in publish(*tables, full=True).values()} == {0}

    # rows that are deleted invalidate cursors of the feed, and so all is read again
    Listing.objects.filter(isin=isins[5]).delete()
    Instrument.objects.filter(isin=isins[5]).delete()
    ChangeSet.objects.invalidate_cursors()
    publish(*tables)
    assert_equals_database(tables)


@pytest.mark.slow
def test_recent_rows_are_put_beside_until_they_are_too_many(
    make_zip: Write, settings: LazySettings
) -> None:
    listings = with_recent_rows(in_small_slices(LISTINGS, 2))
    assert listings.recent
    settings.LAKE_FOLD_PERCENT = 50
    isins = [make_isin(number) for number in range(10)]
    load(make_zip, full(2), *(record("RefData", isin, day(1)) for isin in isins))
    versions = [publish(listings)["listings"].data_version]
    rows = [read_lake(listings)]

    # Two of ten rows, on two days; with those of a third day they are more than half of the table.
    for number, expected in ((3, (10, 2)), (4, (10, 4)), (5, (10, 0))):
        changed = [
            record("ModfdRcrd", isin, day(number), name=f"On {number}") for isin in isins[:2]
        ]
        load(make_zip, delta(number), *changed)
        published = publish(listings)
        assert (published["listings"].rows, published["listings_recent"].rows) == expected
        assert_equals_database((listings,))
        versions.append(published["listings_recent"].data_version)
        rows.append(read_lake(listings))

    for version, before in zip(versions, rows, strict=True):
        assert get_checksum(read_lake(listings, data_version=version)) == get_checksum(before)
    settings.LAKE_FOLD_PERCENT = 0
    load(make_zip, delta(6), record("ModfdRcrd", isins[7], day(6), name="Another"))
    assert publish(listings)["listings"].written == 1
    assert_equals_database((listings,))


@pytest.mark.slow
def test_a_publication_that_ends_between_two_commits_is_repaired(make_zip: Write) -> None:
    listings = with_recent_rows(LISTINGS)
    assert listings.recent
    load(make_zip, full(2), *(record("RefData", make_isin(n), day(1)) for n in range(3)))
    publish(listings)
    old = read_lake(listings)
    load(make_zip, delta(5), record("ModfdRcrd", make_isin(0), day(5), name="Two"))
    publish(listings)
    with snapshot() as reader:
        RecentRows(deltalake, listings.recent, read_state(reader)).empty()

    assert get_checksum(read_lake(listings)) == get_checksum(
        old
    )  # an older state, but one that was
    publish(listings)
    assert_equals_database((listings,))
    assert len(read_published(listings)) == 3


@pytest.mark.slow
def test_an_instrument_that_is_corrected_is_written_again(make_zip: Write) -> None:
    instruments = in_small_slices(get_table("instruments"), 2)
    isins = [make_isin(number) for number in range(5)]
    load(make_zip, full(2), *(record("RefData", isin, day(1)) for isin in isins))
    publish(instruments)
    correct(isins[3])
    Instrument.objects.filter(isin=isins[3]).update(full_name="Corrected")

    assert publish(instruments)["instruments"].written == 1
    assert_equals_database((instruments,))


def make_isin(number: int) -> str:
    """Return a valid ISIN; each has another."""
    return next(
        code
        for code in (f"SE{number:09}{digit}" for digit in range(10))
        if problem_of(code) is None
    )


def record(tag: str, isin: str, first_day: str, **more: str) -> str:
    return firds.record(tag, isin, "XSTO", period=first_day, **more)


@pytest.mark.slow
def test_versions_are_found_by_data_version(make_zip: Write) -> None:
    with pytest.raises(NotPublished, match="has not been published"):
        history.get_versions(LISTINGS)
    load(make_zip, full(2), record("RefData", VOLVO, day(1), name="One"))
    first = publish(LISTINGS)["listings"].data_version
    load(make_zip, delta(5), record("ModfdRcrd", VOLVO, day(5), name="Two"))
    second = publish(LISTINGS)["listings"].data_version
    assert second > first

    names = [
        read_lake(LISTINGS, data_version=number).column("full_name").to_pylist()
        for number in (first, second, second + 5)
    ]

    assert names == [["One"], ["Two"], ["Two"]]
    with pytest.raises(NotPublished, match=f"data version {first - 1} or before"):
        history.get_version_at(LISTINGS, first - 1)


@pytest.mark.usefixtures("filled")
def test_columns_have_the_names_of_rts_23_as_comments() -> None:
    publish(LISTINGS)

    fields = {field.name: field for field in history.open_published(LISTINGS).schema().fields}
    assert (
        fields["cfi_code"]
        .metadata["comment"]
        .startswith(
            "RTS 23 field 3, Instrument classification; element FinInstrmGnlAttrbts/ClssfctnTp"
        )
    )
    assert set(RTS_23) <= set(fields)
    assert str(fields["strike_amount"].type) == 'PrimitiveType("decimal(35,17)")'
    assert "category" in fields


@pytest.mark.slow
def test_of_two_that_publish_at_once_the_second_fails(make_zip: Write) -> None:
    load(make_zip, full(2), record("RefData", VOLVO, day(1)))
    publish(LISTINGS)
    load(make_zip, delta(5), record("ModfdRcrd", VOLVO, day(5), name="Two"))

    def publish_another(table: str, rows: int) -> None:
        if not rows:  # once, before the first reads
            publish(LISTINGS)

    with pytest.raises(LakeBusy, match="at the same time"):
        list(publishing.publish((LISTINGS,), progress=publish_another))
    assert_equals_database((LISTINGS,))


@pytest.mark.slow
def test_a_killed_publication_changes_nothing_that_is_read(make_zip: Write) -> None:
    load(make_zip, full(2), *(record("RefData", make_isin(n), day(1)) for n in range(9)))
    listings = in_small_slices(LISTINGS, 2)

    def die(table: str, rows: int) -> None:
        if rows >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(publishing.publish((listings,), progress=die))
    with pytest.raises(NotPublished):
        history.get_versions(listings)
    publish(listings)
    assert_equals_database((listings,))


@pytest.mark.slow
def test_columns_that_are_added_replace_the_files(make_zip: Write) -> None:
    load(make_zip, full(2), record("RefData", VOLVO, day(1)))
    narrow = dataclasses.replace(LISTINGS, left_out=(*LISTINGS.left_out, "full_name"))
    publish(narrow)
    assert "full_name" not in read_lake(narrow).column_names

    published = publish(LISTINGS)["listings"]

    assert (published.written, published.removed, published.rows) == (1, 1, 1)
    assert_equals_database((LISTINGS,))


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
@pytest.mark.sqlite
def test_rows_are_read_alike_by_adbc_and_by_django() -> None:
    with snapshot() as reader:
        for table in TABLES:
            rows = read(reader, table.query("", None), table.schema, 10_000)
            assert rows.equals(read_database(table)), table.name


@pytest.mark.slow
def test_old_files_are_deleted_after_their_time(
    make_zip: Write, settings: LazySettings, own_lake: Path
) -> None:
    load(make_zip, full(2), record("RefData", VOLVO, day(1)))
    publish(LISTINGS)
    load(make_zip, delta(5), record("ModfdRcrd", VOLVO, day(5), name="Two"))
    publish(LISTINGS)
    assert history.vacuum(LISTINGS) == []
    folder = own_lake / "listings"
    for path in folder.rglob("*.parquet"):  # as if they had been there for a month
        os.utime(path, (0, 0))
    assert history.vacuum(LISTINGS) == []  # replaced a moment ago
    assert len(list(folder.rglob("*.parquet"))) == 2
    assert publish(LISTINGS)["listings"].written == 0


def test_arrow_takes_memory_from_the_system_while_rows_are_read() -> None:
    before, pools = pa.default_memory_pool().backend_name, []

    def watch(table: str, rows: int) -> None:
        pools.append(pa.default_memory_pool().backend_name)

    list(publishing.publish((get_table("venues"),), progress=watch))

    assert {*pools} == {"system"}
    assert pa.default_memory_pool().backend_name == before


def test_without_deltalake_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)

    with pytest.raises(CommandError, match=r"pip install -r requirements-lake\.txt"):
        call_command("lake", "publish")
