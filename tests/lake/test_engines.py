"""DuckDB, polars, pandas and Spark read what the database has, from a folder; deltalake from Blob Storage."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from django.conf import LazySettings
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db.models import Count

from instruments import pipeline
from instruments.models import Instrument, Listing
from lake import history, location, nightly
from lake.errors import LakeUnavailable
from lake.tables import get_table
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.merging import Write, load
from tests.lake.conftest import assert_equals_database, publish
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
        counts[code[:1]] = counts.get(code[:1], 0) + number
    assert set(counts) == {"C", "D", "E", "S"}
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
def test_a_spark_cluster_of_two_workers_counts_and_adds_as_the_database_does() -> None:
    publish(LISTINGS)
    uri = location.get_uri(LISTINGS)

    read = subprocess.run(  # our own script
        [sys.executable, "-m", "tests.lake.spark_cluster", uri],
        capture_output=True,
        text=True,
        check=False,
    )

    assert read.returncode == 0, read.stderr
    answer = json.loads(read.stdout.splitlines()[-1])
    assert answer["workers"] == 2
    assert answer["by_category"] == count_by_category()
    assert Decimal(answer["total"]) == add_issued_nominal()


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
