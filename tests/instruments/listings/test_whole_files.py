"""A file is loaded whole or not at all, however large it is and however many slices it is merged in."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from esma_files import errors
from esma_files.models import EsmaFile, RejectedRecord, Run
from instruments import pipeline
from instruments.listings import scoping
from instruments.models import Instrument, Listing, ListingVersion, Register
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.made import zipped
from tests.instruments.listings.merging import DSB, VOLVO, Write, counts, day, delta, load
from tests.properties import mostly_slow

pytestmark = pytest.mark.django_db(transaction=True)
NORDEA = "FI4000297767"
REAL = FIRDS / "DLTINS_20171027_01of01.zip"
BASKET = (
    "<DerivInstrmAttrbts><UndrlygInstrm><Bskt><ISIN>SE0000108656</ISIN></Bskt></UndrlygInstrm>"
    "</DerivInstrmAttrbts>"
)


def tables() -> list[Any]:
    """The rows of all tables that a load writes, without keys that depend on the order of loading."""
    rows: list[Any] = []
    for model in (Listing, ListingVersion, Instrument, RejectedRecord):
        columns = [
            field.name
            for field in model._meta.fields
            if field.name not in ("id", "change", "source_file", "file")
        ]
        rows.append(sorted(model.objects.values_list(*columns), key=repr))
    return rows


def clear() -> None:
    for model in (RejectedRecord, Listing, ListingVersion, Instrument, Run, EsmaFile):
        model.objects.all().delete()


def real_records(count: int) -> bytes:
    """The XML of the real delta up to the end of its record number `count`."""
    with zipfile.ZipFile(REAL) as archive:
        xml = archive.read(archive.namelist()[0])
    end = 0
    for _ in range(count):
        end = xml.index(b"</FinInstrm>", end) + len(b"</FinInstrm>")
    return xml[:end]


@pytest.mark.slow
def test_a_real_delta_cut_after_30000_records_leaves_nothing(make_zip: Write) -> None:
    cut = make_zip(REAL.stem, real_records(30_000))

    [failed] = pipeline.load(pipeline.register_files([cut]))

    assert isinstance(failed.error, errors.TruncatedFile)
    assert tables() == [[], [], [], []]
    run = EsmaFile.objects.get().runs.get()
    assert (run.state, run.read, run.new) == (Run.State.FAILED, 0, 0)


def test_a_fault_after_several_slices_of_records_leaves_nothing(
    tmp_path: Path, settings: LazySettings, make_zip: Write
) -> None:
    settings.MERGE_RECORDS = 1
    isins = [VOLVO, NORDEA, DSB]
    right = firds.message(
        delta(2), *(firds.record("NewRcrd", isin, "XSTO", period=day(1)) for isin in isins)
    )
    at = right.index(b"</FullNm>", right.index(DSB.encode()))
    wrong = right[:at] + b"</Oops>" + right[at + len(b"</FullNm>") :]

    [failed] = pipeline.load(pipeline.register_files([make_zip(delta(2), wrong)]))

    assert isinstance(failed.error, errors.BadXml)
    file = EsmaFile.objects.get()
    assert (file.state, file.loaded_at) == (EsmaFile.State.FAILED, None)
    assert tables() == [[], [], [], []]
    assert list(Path(settings.STAGING_DIR).iterdir()) == []

    path = tmp_path / "right" / f"{delta(2)}.zip"
    path.parent.mkdir()
    path.write_bytes(zipped(right, entry=f"{delta(2)}.xml"))
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.run is not None
    assert counts(loaded.run) == {"new": 3}


def test_a_wrong_value_of_a_failed_file_is_no_version_of_the_right_one(
    tmp_path: Path, settings: LazySettings, make_zip: Write
) -> None:
    settings.MERGE_RECORDS = 1
    names = ("Wrong name", "Right name")
    wrong, right = (
        firds.message(
            delta(2),
            firds.record("NewRcrd", VOLVO, "XSTO", name=name, period=day(1)),
            firds.record("NewRcrd", NORDEA, "XHEL", period=day(1)),
        )
        for name in names
    )
    cut = wrong[: wrong.rindex(b"</FinInstrm>")]
    [failed] = pipeline.load(pipeline.register_files([make_zip(delta(2), cut, folder="wrong")]))
    [loaded] = pipeline.load(pipeline.register_files([make_zip(delta(2), right, folder="right")]))

    assert failed.error is not None
    assert loaded.error is None
    assert Listing.objects.get(isin=VOLVO).full_name == "Right name"
    assert not ListingVersion.objects.exists()


def test_a_zip_that_is_damaged_at_its_end_leaves_nothing(
    settings: LazySettings, make_zip: Write
) -> None:
    settings.MERGE_RECORDS = 1
    records = [firds.record("NewRcrd", VOLVO, f"X{n:03}", name=f"{n**9}") for n in range(500)]
    path = make_zip(delta(2), firds.message(delta(2), *records))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") - 20] ^= 0xFF
    path.write_bytes(content)

    [loaded] = pipeline.load(pipeline.register_files([path]))

    assert isinstance(loaded.error, errors.BadArchive)
    assert tables() == [[], [], [], []]
    assert list(Path(settings.STAGING_DIR).iterdir()) == []


@pytest.mark.slow
def test_a_real_delta_has_the_same_result_in_slices_of_any_size(
    make_zip: Write, settings: LazySettings
) -> None:
    xml = real_records(3_000)
    xml += b"</FinInstrmRptgRefDataDltaRpt></Document></Pyld></BizData>"
    path = make_zip(REAL.stem, xml)
    results = []
    for records in (1_000_000, 499):
        clear()
        settings.MERGE_RECORDS = records
        [loaded] = pipeline.load(pipeline.register_files([path]))
        assert loaded.error is None
        assert loaded.run is not None
        results.append((tables(), counts(loaded.run), loaded.run.read, loaded.run.unmapped))

    assert results[0] == results[1]
    assert results[0][2] == 3_000


@pytest.mark.parametrize("slice_records", mostly_slow([1, 2, 3, 10]))
def test_several_records_of_a_listing_in_one_delta_are_merged_in_their_order(
    make_zip: Write, settings: LazySettings, slice_records: int
) -> None:
    def record(tag: str, isin: str, name: str, number: int) -> str:
        return firds.record(tag, isin, "XSTO", name=name, period=day(number))

    results = []
    for records in (100, slice_records):
        clear()
        settings.MERGE_RECORDS = records
        load(make_zip, delta(2), record("NewRcrd", VOLVO, "Before", 1))
        run = load(
            make_zip,
            delta(5),
            record("ModfdRcrd", VOLVO, "One", 3),
            record("NewRcrd", DSB, "One", 3),
            record("ModfdRcrd", VOLVO, "Two", 4),
            record("TermntdRcrd", DSB, "One", 4),
            record("ModfdRcrd", VOLVO, "One", 3),
        )
        assert run.read == 5
        results.append(tables())

    assert results[0] == results[1]
    assert Instrument.objects.get(pk=VOLVO).full_name == "Two"
    assert Instrument.objects.get(pk=DSB).status == "terminated"


def test_a_record_that_differs_in_its_basket_alone_is_a_change(make_zip: Write) -> None:
    """Baskets are read after their records, which look like known ones until then."""
    mics = ["AAAA", "BBBB", "CCCC"]
    load(make_zip, delta(2), *(firds.record("NewRcrd", VOLVO, mic, period=day(1)) for mic in mics))

    run = load(
        make_zip,
        delta(3),
        firds.record("ModfdRcrd", VOLVO, "AAAA", period=day(1)),
        firds.record("ModfdRcrd", VOLVO, "BBBB", period=day(1), extra=BASKET),
        firds.record("ModfdRcrd", VOLVO, "CCCC", period=day(1)),
    )

    assert counts(run) == {"unchanged": 2, "changed": 1}
    assert run.read == 3
    assert Listing.objects.get(mic="BBBB").underlying_basket == "SE0000108656"
    assert ListingVersion.objects.count() == 1


def test_rejected_records_are_kept_once_when_a_file_is_loaded_again(make_zip: Write) -> None:
    records = [
        firds.record("NewRcrd", isin, mic, period=day(1))
        for isin, mic in ((VOLVO, "XST"), (VOLVO, "XSTO"), (DSB, "x"), (NORDEA, "XHEL"))
    ]
    for _ in range(2):
        run = load(make_zip, delta(2), *records)
        assert (run.read, run.rejected) == (4, 2)
        assert list(RejectedRecord.objects.order_by("position").values_list("position", "mic")) == [
            (1, "XST"),
            (3, "x"),
        ]
    assert Listing.objects.count() == 2


def test_a_scope_is_applied_to_the_whole_of_a_delta(
    make_zip: Write, settings: LazySettings
) -> None:
    """A delta that is loaded with a scope is one slice, however long it is."""
    settings.MERGE_RECORDS = 1
    scoping.change(Register.ESMA, {"venues": ["AAAA"]})
    run = load(
        make_zip,
        delta(2),
        firds.record("NewRcrd", VOLVO, "AAAA", period=day(1)),
        firds.record("NewRcrd", VOLVO, "BBBB", period=day(1)),
    )

    assert (run.read, run.new, run.outside) == (2, 1, 1)
