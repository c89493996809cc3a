"""A delta loaded section by section: the same tables, and what becomes of one that is bad half-way."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from stdnum.isin import calc_check_digit

from esma_files import errors
from esma_files.models import EsmaFile, RejectedRecord, Run
from esma_files.parsing.reader import Limits
from instruments import pipeline
from instruments.listings import scoping
from instruments.models import Instrument, Listing, ListingVersion, Register, Scope
from instruments.staging.known import Tables
from instruments.staging.staging import stage
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.made import zipped
from tests.instruments.listings.merging import DSB, VOLVO, Write, counts, day, delta, load

pytestmark = pytest.mark.django_db(transaction=True)
NORDEA = "FI4000297767"
REAL = FIRDS / "DLTINS_20171027_01of01.zip"
BASKET = (
    "<DerivInstrmAttrbts><UndrlygInstrm><Bskt><ISIN>SE0000108656</ISIN></Bskt></UndrlygInstrm>"
    "</DerivInstrmAttrbts>"
)


def tables() -> list[Any]:
    """What they say, without keys that depend on what was loaded when."""
    said: list[Any] = []
    for model in (Listing, ListingVersion, Instrument, RejectedRecord):
        kept = [
            field.name
            for field in model._meta.fields
            if field.name not in ("id", "change", "source_file", "file")
        ]
        said.append(sorted(model.objects.values_list(*kept), key=repr))
    return said


def clear() -> None:
    for model in (RejectedRecord, Listing, ListingVersion, Instrument, Run, EsmaFile):
        model.objects.all().delete()


def test_a_section_is_given_before_the_next_is_read(tmp_path: Path) -> None:
    limits = Limits(max_bytes=10**9, max_ratio=200, section_records=10_000)
    with REAL.open("rb") as source:
        sections = stage(
            source,
            name=REAL.name,
            folder=tmp_path,
            limits=limits,
            tables=Tables("", "esma_firds", 1, Scope()),
        )
        first = next(sections)
        assert first.share < 0.3
        assert not first.is_last
        others = list(sections)

    assert [staged.is_last for staged in others] == [False] * (len(others) - 1) + [True]
    assert others[-1].share == 1
    staged_positions: list[int] = []
    for staged in (first, *others):
        with contextlib.closing(sqlite3.connect(staged.path)) as reading:
            found = [n for (n,) in reading.execute("SELECT position FROM record ORDER BY 1")]
        assert len(found) == staged.read
        staged_positions += found
    assert staged_positions == list(range(1, 112_319))


@pytest.mark.parametrize(("isins", "sections"), [("ABCDEFGH", 5), ("HGFEDCBA", 2), ("ABCDAEFG", 5)])
def test_a_file_in_no_order_of_isins_is_cut_once(
    make_zip: Write, tmp_path: Path, isins: str, sections: int
) -> None:
    """Each section would be merged all over the tables."""
    bodies = [f"SE00000{letter}000" for letter in isins]
    records = [
        firds.record("NewRcrd", body + calc_check_digit(body), "XSTO", period=day(1))
        for body in bodies
    ]
    path = make_zip(delta(2), firds.message(delta(2), *records))
    with path.open("rb") as source:
        found = list(
            stage(
                source,
                name=path.name,
                folder=tmp_path,
                limits=Limits(max_bytes=10**9, max_ratio=200, section_records=2),
                tables=Tables("", "esma_firds", 1, Scope()),
            )
        )

    assert sum(staged.read for staged in found) == len(isins)
    assert len(found) == sections


@pytest.mark.slow
def test_a_real_delta_in_sections_comes_to_the_same(settings: LazySettings) -> None:
    said = []
    for records in (1_000_000, 9_999):
        clear()
        settings.STAGE_RECORDS = records
        [loaded] = pipeline.load(pipeline.register_files([REAL]))
        assert loaded.error is None
        assert loaded.run is not None
        said.append((tables(), counts(loaded.run), loaded.run.read, loaded.run.unmapped))

    assert said[0] == said[1]
    assert said[0][2] == 112_318


@pytest.mark.parametrize("section", [1, 2, 3, 10])
def test_what_is_said_twice_of_a_listing_may_lie_in_two_sections(
    make_zip: Write, settings: LazySettings, section: int
) -> None:
    def record(tag: str, isin: str, name: str, number: int) -> str:
        return firds.record(tag, isin, "XSTO", name=name, period=day(number))

    said = []
    for records in (100, section):
        clear()
        settings.STAGE_RECORDS = records
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
        said.append(tables())

    assert said[0] == said[1]
    assert Instrument.objects.get(pk=VOLVO).full_name == "Two"
    assert Instrument.objects.get(pk=DSB).status == "terminated"


@pytest.mark.parametrize("section", [1, 2, 3])
def test_a_basket_alone_makes_another_record_in_any_section(
    make_zip: Write, settings: LazySettings, section: int
) -> None:
    """A section in which a record was wrongly taken for known is staged anew; those before it are not."""
    settings.STAGE_RECORDS = section
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


@pytest.mark.sqlite
def test_a_section_that_is_staged_anew_leaves_those_before_it_alone(
    make_zip: Write, tmp_path: Path
) -> None:
    """They may be merged at that moment."""
    mics = ["AAAA", "BBBB", "CCCC"]
    load(make_zip, delta(2), *(firds.record("NewRcrd", VOLVO, mic, period=day(1)) for mic in mics))
    records = [
        firds.record("ModfdRcrd", VOLVO, mic, period=day(1), extra=BASKET if mic == "BBBB" else "")
        for mic in mics
    ]
    path = make_zip(delta(3), firds.message(delta(3), *records))
    known_in = Tables(str(connection.settings_dict["NAME"]), "esma_firds", 10**18, Scope())
    limits = Limits(max_bytes=10**9, max_ratio=200, section_records=1)
    with path.open("rb") as source:
        sections = stage(source, name=path.name, folder=tmp_path, limits=limits, tables=known_in)
        first = next(sections)
        before = first.path.stat()
        others = list(sections)

    assert [staged.known for staged in (first, *others)] == [1, 0, 0, 0]
    assert (first.path.stat().st_ino, first.path.stat().st_mtime) == (
        before.st_ino,
        before.st_mtime,
    )
    assert len({staged.path for staged in (first, *others)}) == 4


def test_rejected_records_of_all_sections_are_kept_and_counted(
    make_zip: Write, settings: LazySettings
) -> None:
    settings.STAGE_RECORDS = 1
    records = [
        firds.record("NewRcrd", isin, mic, period=day(1))
        for isin, mic in ((VOLVO, "XST"), (VOLVO, "XSTO"), (DSB, "x"), (NORDEA, "XHEL"))
    ]
    for _ in range(2):  # loaded again: noted once
        run = load(make_zip, delta(2), *records)
        assert (run.read, run.rejected) == (4, 2)
        assert list(RejectedRecord.objects.order_by("position").values_list("position", "mic")) == [
            (1, "XST"),
            (3, "x"),
        ]
    assert Listing.objects.count() == 2


def test_of_a_damaged_zip_nothing_is_loaded(
    tmp_path: Path, settings: LazySettings, make_zip: Write
) -> None:
    """Whose damage shows at its end only."""
    settings.STAGE_RECORDS = 1
    records = [firds.record("NewRcrd", VOLVO, f"X{n:03}", name=f"{n**9}") for n in range(500)]
    path = make_zip(delta(2), firds.message(delta(2), *records))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") - 20] ^= 0xFF
    path.write_bytes(content)

    [loaded] = pipeline.load(pipeline.register_files([path]))

    assert isinstance(loaded.error, errors.BadArchive)
    assert not Listing.objects.exists()
    assert list(Path(settings.STAGING_DIR).iterdir()) == []


def test_what_was_read_before_a_fault_stays_and_the_rest_comes_with_the_right_file(
    tmp_path: Path, settings: LazySettings, make_zip: Write
) -> None:
    settings.STAGE_RECORDS = 2
    mics = ["AAAA", "BBBB", "CCCC", "DDDD", "EEEE"]
    right = firds.message(
        delta(2), *(firds.record("NewRcrd", VOLVO, mic, period=day(1)) for mic in mics)
    )
    at = right.index(b"</FullNm>", right.index(b"CCCC"))  # of the fourth record
    wrong = right[:at] + b"</Oops>" + right[at + len(b"</FullNm>") :]

    [failed] = pipeline.load(pipeline.register_files([make_zip(delta(2), wrong)]))

    assert isinstance(failed.error, errors.BadXml)
    assert "after record 2 or a later one" in str(failed.error)
    file = EsmaFile.objects.get()
    assert (file.state, file.loaded_at) == (EsmaFile.State.FAILED, None)
    run = file.runs.get()
    assert (run.state, run.read, run.new) == (Run.State.FAILED, 2, 2)
    assert sorted(Listing.objects.values_list("mic", flat=True)) == ["AAAA", "BBBB"]
    assert list(Path(settings.STAGING_DIR).iterdir()) == []

    path = tmp_path / "right" / f"{delta(2)}.zip"
    path.parent.mkdir()
    path.write_bytes(zipped(right, entry=f"{delta(2)}.xml"))
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.run is not None
    assert counts(loaded.run) == {"new": 3, "unchanged": 2}
    assert sorted(Listing.objects.values_list("mic", flat=True)) == mics


def test_a_scope_is_settled_for_the_whole_of_a_delta(
    make_zip: Write, settings: LazySettings
) -> None:
    """So it is one section, however long."""
    settings.STAGE_RECORDS = 1
    scoping.change(Register.ESMA, {"venues": ["AAAA"]})
    run = load(
        make_zip,
        delta(2),
        firds.record("NewRcrd", VOLVO, "AAAA", period=day(1)),
        firds.record("NewRcrd", VOLVO, "BBBB", period=day(1)),
    )

    assert (run.read, run.new, run.outside) == (2, 1, 1)
