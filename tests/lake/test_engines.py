"""DuckDB, polars, pandas and Spark read what the database has, from a folder; deltalake from Blob Storage."""

import dataclasses
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import xxhash
from django.conf import LazySettings
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db.models import Count

from instruments import pipeline
from instruments.models import Instrument, Listing
from lake import history, location, nightly
from lake.errors import LakeUnavailable
from lake.tables import NO_VALUE, TABLES, LakeTable, get_table
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.merging import Write, load
from tests.lake.conftest import assert_equals_database, get_checksum, publish, read_database
from tests.lake.recipes import run_recipe
from tests.snapshots import Snapshots

pytestmark = pytest.mark.django_db(transaction=True)
LISTINGS, INSTRUMENTS = get_table("listings"), get_table("instruments")


def fill() -> None:
    files = pipeline.register_files(sorted(FIRDS.glob("FULINS_[CDES]_*.zip")))
    assert all(loaded.error is None for loaded in pipeline.load(files))


@pytest.fixture(autouse=True)
def filled(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    snapshots.provide("lake-engines", fill)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("lake", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def changed(make_zip: Write) -> tuple[LakeTable, ...]:
    """Publish the tables that follow the listings, change rows on two days, and publish each."""
    tables = tuple(
        dataclasses.replace(table, recent_from=0) for table in TABLES if table.recent is not None
    )
    publish(*tables)
    bond, share = (
        Listing.objects.filter(cfi_code__startswith=letter).order_by("isin")[0] for letter in "DE"
    )
    for number in (5, 6):
        record = firds.record(
            "ModfdRcrd",
            bond.isin,
            bond.mic,
            name=f"Name {number}",
            period=f"2025-09-{number:02}",
            cfi=bond.cfi_code or "",
        )
        ended = firds.cancellation(share.isin, share.mic)
        load(make_zip, f"DLTINS_202509{number:02}_01of01", record, *[ended] * (number == 6))
        publish(*tables)
    return tables


def read_by_duckdb(lake: str, name: str) -> pa.Table:
    recipe: dict[str, Any] = run_recipe("DuckDB", lake)
    connection = recipe["connection"]
    recipe["open_current"](connection, lake, name)
    return connection.execute("SET TimeZone = 'UTC'").sql(f"FROM {name}").to_arrow_table()


def read_by_polars(lake: str, name: str) -> pa.Table:
    recipe: dict[str, Any] = run_recipe("polars", lake)
    return recipe["scan_current"](lake, name).collect().to_arrow()


def read_by_pandas(lake: str, name: str) -> pa.Table:
    recipe: dict[str, Any] = run_recipe("pandas", lake)
    frame = recipe["read_current"](lake, name)
    names = [column.name for column in get_table(name).columns]
    return pa.Table.from_pandas(frame[names], schema=get_table(name).schema, preserve_index=False)


@pytest.mark.slow
@pytest.mark.parametrize("read", [read_by_duckdb, read_by_polars, read_by_pandas])
def test_the_recipes_read_what_the_database_has(
    changed: tuple[LakeTable, ...], own_lake: Path, read: Callable[[str, str], pa.Table]
) -> None:
    for table in changed:
        stored = read_database(table)
        rows = read(str(own_lake), table.name).select(table.schema.names).cast(table.schema)
        assert len(rows) == len(stored) > 0
        assert get_checksum(rows) == get_checksum(stored), table.name
        assert history.open_published(table).version() == 0  # what is newer is beside it


@pytest.mark.slow
def test_duckdb_reads_a_table_without_recent_rows(own_lake: Path) -> None:
    publish(LISTINGS)

    rows = read_by_duckdb(str(own_lake), "listings")

    names = LISTINGS.schema.names
    assert {*rows.column_names} == {*names, "category"}
    assert get_checksum(rows.select(names)) == get_checksum(read_database(LISTINGS))


@pytest.mark.slow
def test_duckdb_counts_and_adds_as_the_database_does() -> None:
    publish(LISTINGS)
    listings = history.open_published(LISTINGS).to_pyarrow_dataset()

    with duckdb.connect() as engine:
        engine.register("listings", listings)
        by_category = "SELECT category, count(*) FROM listings GROUP BY category"
        counts = engine.execute(by_category).fetchall()
        [(total,)] = engine.execute("SELECT sum(total_issued_nominal) FROM listings").fetchall()

    assert dict(counts) == count_by_category()
    assert total == add_issued_nominal() > 0


def count_by_category() -> dict[str, int]:
    by_code = Listing.objects.order_by().values_list("cfi_code").annotate(n=Count("pk"))
    counts: dict[str, int] = {}
    for code, number in by_code:
        category = code[:1] if code else NO_VALUE  # a cancelled listing has none
        counts[category] = counts.get(category, 0) + number
    assert set(counts) - {NO_VALUE} == {"C", "D", "E", "S"}
    return counts


def add_issued_nominal() -> Decimal:
    """Add the values in Python: SQLite would add floating-point numbers."""
    amounts = Listing.objects.values_list("total_issued_nominal", flat=True)
    return sum((amount for amount in amounts if amount is not None), Decimal())


def test_pandas_reads_texts_days_and_missing_values() -> None:
    publish(LISTINGS)

    frame = history.open_published(LISTINGS).to_pandas().sort_values(["isin", "mic"])

    names = ["isin", "mic", "full_name", "maturity_date", "source_position"]
    rows = frame[names].astype(object).where(frame[names].notna(), None)
    expected = Listing.objects.order_by("isin", "mic").values_list(*names)
    assert list(rows.itertuples(index=False, name=None)) == list(expected)
    assert 0 < frame["maturity_date"].notna().sum() < len(frame)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None,
    reason="Spark takes 490 MB and Java 17: `make test-spark` installs it",
)
def test_a_spark_cluster_of_two_workers_counts_and_adds_as_the_database_does(
    changed: tuple[LakeTable, ...], own_lake: Path
) -> None:
    read = subprocess.run(  # our own script
        [sys.executable, "-m", "tests.lake.spark_cluster", str(own_lake)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert read.returncode == 0, read.stderr
    answer = json.loads(read.stdout.splitlines()[-1])
    assert answer["workers"] == 2
    assert answer["by_category"] == count_by_category()
    assert Decimal(answer["total"]) == add_issued_nominal()
    assert answer["rows"] == {table.name: table.model._base_manager.count() for table in changed}
    names = Listing.objects.values_list("isin", "mic", "full_name")
    assert answer["names"] == xxhash.xxh3_128_hexdigest(repr(sorted(map(tuple, names))).encode())


def test_polars_reads_the_rows_of_a_filter() -> None:
    publish(INSTRUMENTS)
    uri = location.get_uri(INSTRUMENTS)

    frame = pl.scan_delta(uri).filter(pl.col("category") == "D").sort("isin").collect()

    expected = Instrument.objects.filter(cfi_code__startswith="D").order_by("isin")
    names = ("isin", "full_name", "listing_count")
    assert frame.select(names).rows() == list(expected.values_list(*names))
    assert len(frame) > 0


def test_polars_keeps_all_digits() -> None:
    publish(LISTINGS)
    rows = Listing.objects.exclude(total_issued_nominal=None).order_by("isin", "mic")
    listing = rows.first()
    assert listing

    frame = pl.read_delta(location.get_uri(LISTINGS)).filter(
        pl.col("isin") == listing.isin, pl.col("mic") == listing.mic
    )

    [amount] = frame.get_column("total_issued_nominal").to_list()
    assert isinstance(amount, Decimal)
    assert amount == listing.total_issued_nominal


@pytest.mark.slow
def test_the_lake_is_in_blob_storage_where_the_files_are(
    azurite: str, settings: LazySettings, make_zip: Write
) -> None:
    options = {"connection_string": azurite}
    backend = {"BACKEND": "esma_files.storage.blob.BlobStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend, "blob": backend}
    settings.FILES_LOCATION = "blob"
    settings.LAKE_CONTAINER = "lake-of-a-test"

    publish()

    assert location.get_uri(LISTINGS) == "az://lake-of-a-test/listings"
    assert_equals_database((LISTINGS, INSTRUMENTS))
    assert {item.written for item in publish(full=True).values()} == {0}
    published = location.read_published()
    assert published
    assert published["tables"]["listings"]["rows"] == Listing.objects.count()
    storage = storages["blob"]
    names = list(storage.names("lake-of-a-test"))  # type: ignore[attr-defined]
    assert "lake-of-a-test/published.json" in names

    bond = Listing.objects.filter(cfi_code__startswith="D").order_by("isin")[0]
    changed = firds.record(
        "ModfdRcrd",
        bond.isin,
        bond.mic,
        name="Another",
        period="2025-09-05",
        cfi=bond.cfi_code or "",
    )
    load(make_zip, "DLTINS_20250905_01of01", changed)
    assert publish(LISTINGS)["listings"].written == 1
    assert_equals_database((LISTINGS,))


def test_a_folder_that_cannot_be_written_is_reported(own_lake: Path) -> None:
    own_lake.write_text("a file where the folder should be")

    with pytest.raises(LakeUnavailable, match="could not be read or written"):
        publish(LISTINGS)


@pytest.mark.slow
def test_the_command_publishes_and_lists() -> None:
    rows = json.loads(run("publish", "--format", "json"))
    assert {row["table"]: row["rows"] for row in rows}["listings"] == Listing.objects.count()

    listed = json.loads(run("list", "--format", "json"))
    assert [row["rows"] for row in listed] == [row["rows"] for row in rows]
    [version] = json.loads(run("history", "listings", "--format", "json"))
    assert version["data_version"] == rows[0]["data_version"]
    assert json.loads(run("history", "listings", "--at", "99", "--format", "json")) == [version]
    assert "listings" in run("vacuum", "--dry-run")
    with pytest.raises(CommandError, match="no table 'listing'"):
        run("publish", "listing")


@pytest.mark.slow
def test_the_nightly_task_publishes_once_a_day(own_lake: Path) -> None:
    assert sum(item.rows for item in nightly.publish()) > 0
    assert (own_lake / "published.json").exists()
    assert list(nightly.publish()) == []
