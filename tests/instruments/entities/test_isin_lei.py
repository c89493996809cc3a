"""GLEIF's ISIN-LEI files: loaded in any order, and compared with the issuers that FIRDS publishes."""

import itertools
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from esma_files.errors import BadArchive, BadCsv, EmptyFile, NotUtf8, UnsafeArchive
from esma_files.models import EsmaFile, RejectedRecord
from instruments import pipeline
from instruments.models import LegalEntity, MappedIssuer, MappedLei
from tests import isin_lei
from tests.golden_copy import load

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON, DENTSU = "549300HGV012CNC8JD22", "549300W9JLPW15XIFM52", "213800FERQ5LE3H7WJ58"
A, B, C = "SE0000108656", "SE0000115446", "US4592001014"


def pairs() -> dict[str, str]:
    return dict(MappedIssuer.objects.values_list("isin", "mapped_lei__lei"))


def counts(*paths: Path) -> list[tuple[int, ...]]:
    return [
        (run.new, run.changed, run.ended, run.late, run.unchanged, run.rejected)
        for run in load(*paths)
    ]


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    """Three files: one ISIN gets another LEI, one disappears and one comes."""
    contents = ({A: ERICSSON, B: VOLVO}, {A: VOLVO, B: VOLVO}, {A: VOLVO, C: DENTSU})
    return [
        isin_lei.put(tmp_path, isin_lei.table(content.items()), day=f"2026081{day}")
        for day, content in enumerate(contents)
    ]


def test_a_file_replaces_the_one_before(days: list[Path]) -> None:
    assert counts(*days) == [(2, 0, 0, 0, 0, 0), (0, 1, 0, 0, 1, 0), (1, 0, 1, 0, 1, 0)]
    assert pairs() == {A: VOLVO, C: DENTSU}
    assert set(MappedLei.objects.values_list("lei", flat=True)) == {VOLVO, DENTSU}
    files = dict(MappedIssuer.objects.values_list("isin", "source_file__name"))
    assert files == {A: days[1].name, C: days[2].name}


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_file_counts_in_whatever_order_files_are_loaded(
    days: list[Path], order: tuple[int, ...]
) -> None:
    load(*(days[number] for number in order))

    assert pairs() == {A: VOLVO, C: DENTSU}


def test_an_excerpt_deletes_nothing(days: list[Path]) -> None:
    load(days[0])
    for loaded in pipeline.load(pipeline.register_files([days[2]], excerpt=True)):
        assert loaded.error is None

    assert pairs() == {A: VOLVO, B: VOLVO, C: DENTSU}


def test_the_columns_are_read_by_their_names_and_lines_end_as_on_any_system(tmp_path: Path) -> None:
    content = f'\ufeffISIN,LEI\r\n{A},{ERICSSON}\r\n"{B}","{VOLVO}"\r\n'.encode()

    load(isin_lei.put(tmp_path, content))

    assert pairs() == {A: ERICSSON, B: VOLVO}


def test_invalid_pairs_are_rejected_each_with_its_reason(tmp_path: Path) -> None:
    content = isin_lei.table(
        [(A, ERICSSON), ("SE0000108657", VOLVO), (B, VOLVO[:-1] + "3"), ("", VOLVO), (C, "")]
    )
    assert counts(isin_lei.put(tmp_path, content)) == [(1, 0, 0, 0, 0, 4)]

    assert pairs() == {A: ERICSSON}
    reasons = {row.position: row.reason for row in RejectedRecord.objects.all()}
    assert reasons == {
        2: "the check digit is 7, and should be 6",
        3: "the check digits are wrong",
        4: "is missing",
        5: "is missing",
    }


def test_of_two_lines_with_one_isin_the_later_counts(tmp_path: Path) -> None:
    content = isin_lei.table([(A, VOLVO), (B, VOLVO), (A, ERICSSON)])

    assert counts(isin_lei.put(tmp_path, content)) == [(2, 0, 0, 1, 0, 0)]

    assert pairs() == {A: ERICSSON, B: VOLVO}


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", BadCsv, "Empty CSV"),
        (b"LEI,ISIN\n", EmptyFile, "not one record"),
        (b"LEI,FIGI\nx,y\n", BadCsv, "its columns are 'LEI, FIGI', expected 'LEI, ISIN'"),
        (b"LEI,ISIN,ISIN\nx,y,z\n", BadCsv, "its columns are"),
        (f"LEI,ISIN\n{VOLVO},{A},x\n".encode(), BadCsv, "after record 0"),
        (b"LEI,ISIN\n" + b"x" * (1 << 21), BadCsv, "after record 0"),
        (b"LEI,ISIN\n\xff\xfe,x\n", NotUtf8, "not UTF-8"),
        (b"<?xml version='1.0'?>\n<a/>\n", BadCsv, "its columns are"),
    ],
    ids=["empty", "header", "columns", "twice", "values", "long", "latin", "xml"],
)
def test_a_file_of_another_form_is_refused_as_a_whole(
    tmp_path: Path, content: bytes, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        load(isin_lei.put(tmp_path, content))

    assert not MappedIssuer.objects.exists()
    assert EsmaFile.objects.get().state == EsmaFile.State.FAILED


def test_a_damaged_zip_leaves_nothing_in_the_tables(tmp_path: Path) -> None:
    rows = isin_lei.table((isin, VOLVO) for isin in [A, B, C] * 30_000)
    path = isin_lei.put(tmp_path, rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("lei-isin.csv", rows)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(BadArchive, match="CRC"):
        load(path)

    assert not MappedIssuer.objects.exists()


def test_other_entries_and_bombs_are_refused(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(BadArchive, match=r"'a\.xml' is not CSV"):
        load(isin_lei.put(tmp_path, b"<a/>", entry="a.xml"))
    with pytest.raises(UnsafeArchive, match="times its size"):
        load(isin_lei.put(tmp_path, b"LEI,ISIN\n" * 2_000_000, day="20260811"))
    settings.ARCHIVE_MAX_BYTES = 100
    with pytest.raises(UnsafeArchive, match="ARCHIVE_MAX_BYTES"):
        load(isin_lei.put(tmp_path, isin_lei.table([(A, VOLVO)] * 9), day="20260812"))


@pytest.mark.sqlite
def test_the_table_has_no_row_ids() -> None:
    table = MappedIssuer._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT wr FROM pragma_table_list WHERE name = %s", [table])
        assert cursor.fetchone() == (1,)


def test_a_level_1_record_is_not_needed(tmp_path: Path) -> None:
    load(isin_lei.put(tmp_path, isin_lei.table([(A, ERICSSON)])))

    assert not LegalEntity.objects.exists()
    assert str(MappedIssuer.objects.select_related("mapped_lei").get()) == f"{A} {ERICSSON}"
