"""Small files that public reports led to (tests/data/cases), each with its right answer."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from esma_files import errors, gaps
from esma_files.models import EsmaFile, Run
from instruments import pipeline
from instruments.models import Listing, SubclassTransparency, TransparencyResult
from tests import firds
from tests.conftest import DATA

pytestmark = pytest.mark.django_db(transaction=True)

CASES = DATA / "cases"
DELTA = "DLTINS_20210117_01of01"
Write = Callable[..., Path]


def load(case: str, *arguments: str) -> str:
    """Run the command for a case; returns what it prints."""
    out = io.StringIO()
    call_command("load", CASES / case, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def failure(case: str, *arguments: str) -> str:
    """Run the command for a case that cannot be loaded; returns the message."""
    with pytest.raises(CommandError) as raised:
        load(case, *arguments)
    return str(raised.value)


def problem_of(path: Path) -> errors.FileProblem | None:
    """Load a file; returns its permanent problem, None where there is none."""
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.error is None or isinstance(loaded.error, errors.FileProblem)
    return loaded.error


def xml_of(case: str) -> bytes:
    [path] = (CASES / case).glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


@pytest.mark.slow
def test_names_with_two_groups_of_letters_are_loaded_as_results_by_sub_class() -> None:
    load("nyar_names")

    file = EsmaFile.objects.get()
    assert (file.kind, file.category, file.result_group) == ("FULNCR", "", "NYAR_EQD")
    assert SubclassTransparency.objects.count() == 1
    assert TransparencyResult.objects.count() == 0


@pytest.mark.slow
def test_there_is_no_gap_between_lists_of_cancelled_records_that_come_weekly() -> None:
    load("fulcan_weekly")

    assert EsmaFile.objects.filter(kind="FULCAN", state="loaded").count() == 3
    assert gaps.find() == []


@pytest.mark.slow
def test_a_file_of_the_fca_is_refused_as_one_of_esma_with_its_dataset() -> None:
    load("esma_fitrs_same")
    before = TransparencyResult.objects.values().get()

    message = failure("fca_fitrs_newer")

    assert "'GB' as its sender" in message
    assert "(--dataset fca_fitrs)" in message
    assert TransparencyResult.objects.values().get() == before

    load("fca_fitrs_newer", "--dataset", "fca_fitrs")
    assert TransparencyResult.objects.get(register="ESMA", superseded=False).pk == before["id"]
    assert TransparencyResult.objects.filter(register="FCA").count() == 1


def test_a_file_of_esma_is_refused_as_one_of_the_fca() -> None:
    message = failure("esma_fitrs_same", "--dataset", "fca_fitrs")

    assert "(--dataset esma_fitrs)" in message
    assert TransparencyResult.objects.count() == 0


def test_a_sender_of_no_dataset_is_refused(make_zip: Write) -> None:
    name = "FULINS_E_20250302_01of01"
    record = firds.record("RefData", "SE0000115446", "XSTO")

    problem = problem_of(make_zip(name, firds.message(name, record, sender="CH")))

    assert isinstance(problem, errors.WrongEnvelope)
    assert "files of esma_firds are sent by EU" in str(problem)


def test_records_of_the_fca_may_have_another_competent_authority() -> None:
    load("fca_fulins", "--dataset", "fca_firds")

    authorities = Listing.objects.values_list("competent_authority", flat=True)
    assert set(Listing.objects.values_list("register", flat=True)) == {"FCA"}
    assert set(authorities) - {"GB"}


@pytest.mark.slow
def test_a_part_whose_header_names_another_part_is_refused() -> None:
    message = failure("part_mislabelled")

    assert "FULINS_E_20210124_02of02.zip: the header names it 'FULINS_E_20210124_01of02'" in message
    assert EsmaFile.objects.get(name="FULINS_E_20210124_02of02.zip").state == "failed"
    assert not Listing.objects.filter(status="dropped").exists()


@pytest.mark.parametrize(
    ("case", "error", "problem"),
    [
        ("two_roots", errors.BadXml, "a second element in Document, <FinInstrmRptgRefDataDltaRpt>"),
        ("nul_in_value", errors.BadXml, "the character U+0000 at byte"),
        (
            "unknown_kind_of_record",
            errors.BadXml,
            "record 2 (ISIN 'DE000A1R07V3') holds <OthrRcrd> in <FinInstrm>, not one of NewRcrd",
        ),
    ],
)
def test_a_file_that_cannot_be_read_fails_for_good_with_the_place_of_the_problem(
    case: str, error: type[errors.FileProblem], problem: str
) -> None:
    [path] = (CASES / case).glob("*.zip")

    found = problem_of(path)

    assert isinstance(found, error)
    assert problem in str(found)
    file = EsmaFile.objects.get()
    assert (file.state, file.not_before) == ("failed", None)
    assert Listing.objects.count() == 0


def test_a_second_message_in_a_second_document_is_refused(make_zip: Write) -> None:
    xml = xml_of("two_roots")
    begin, end = xml.index(b"<Document"), xml.index(b">", xml.index(b"<Document")) + 1
    second = b"</FinInstrmRptgRefDataDltaRpt></Document>" + xml[begin:end]
    xml = xml.replace(b"</FinInstrmRptgRefDataDltaRpt>", second, 1)

    problem = problem_of(make_zip(DELTA, xml))

    assert isinstance(problem, errors.BadXml)
    assert "a second element in Pyld, <Document>" in str(problem)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (b"<Issr>", b"?<Issr>", "FinInstrm/TermntdRcrd (text)"),
        (
            b'<TtlIssdNmnlAmt Ccy="EUR">',
            b'<TtlIssdNmnlAmt Ccy = "EUR" Unit = "1">',
            "FinInstrm/TermntdRcrd/DebtInstrmAttrbts/TtlIssdNmnlAmt/@Unit",
        ),
        (
            b"<DebtInstrmAttrbts>",
            b"<DerivInstrmAttrbts><UndrlygInstrm><Bskt><ISIN>SE0000115446</ISIN></Bskt><Bskt><ISIN>"
            b"FI4000297767</ISIN></Bskt></UndrlygInstrm></DerivInstrmAttrbts><DebtInstrmAttrbts>",
            "FinInstrm/TermntdRcrd/DerivInstrmAttrbts/UndrlygInstrm/Bskt (repeated)",
        ),
    ],
)
def test_what_no_field_is_there_for_is_reported_as_unmapped(
    make_zip: Write, old: bytes, new: bytes, path: str
) -> None:
    xml = xml_of("stray_text").replace(b"important note", b"").replace(old, new, 1)

    assert problem_of(make_zip(DELTA, xml)) is None

    assert Run.objects.get().unmapped == {path: 1}
    assert Listing.objects.count() == 2


def test_stray_text_is_reported_as_unmapped() -> None:
    load("stray_text")

    assert Run.objects.get().unmapped == {"FinInstrm/TermntdRcrd (text)": 1}
    assert Listing.objects.count() == 2


def test_spaces_around_an_equals_sign_change_nothing(make_zip: Write) -> None:
    xml = xml_of("stray_text").replace(b"important note", b"").replace(b'Ccy="', b'Ccy = "')

    assert problem_of(make_zip(DELTA, xml)) is None

    assert Run.objects.get().unmapped == {}
    assert set(Listing.objects.values_list("total_issued_nominal_currency", flat=True)) == {"EUR"}


def test_line_ends_in_a_value_are_those_of_xml(make_zip: Write) -> None:
    xml = xml_of("stray_text").replace(b"important note", b"")
    xml = xml.replace(b"KFW 1 5/8 01/15/21", b"KFW\r\n1 5/8\r01/15/21")

    assert problem_of(make_zip(DELTA, xml)) is None

    assert Listing.objects.get(mic="XEUM").full_name == "KFW\n1 5/8\n01/15/21"


@pytest.mark.parametrize("root", ["<{0}></{0}>", "<{0}/>"])
def test_a_delta_without_records_is_valid(make_zip: Write, root: str) -> None:
    name = "DLTINS_20250302_01of01"
    xml = firds.message(name)
    begin = xml.index(b"<FinInstrmRptgRefDataDltaRpt>")
    end = xml.index(b"</Document>")
    xml = xml[:begin] + root.format("FinInstrmRptgRefDataDltaRpt").encode() + xml[end:]

    assert problem_of(make_zip(name, xml)) is None

    run = Run.objects.get()
    assert (run.state, run.read, run.unmapped, run.report) == ("done", 0, {}, [])
    assert EsmaFile.objects.get().state == "loaded"


def test_a_comment_after_the_root_is_no_cut(make_zip: Write) -> None:
    name = "FULINS_E_20250302_01of01"
    xml = firds.message(name, firds.record("RefData", "SE0000115446", "XSTO"))

    assert problem_of(make_zip(name, xml + b"\n<!-- generated -->\n")) is None

    assert Listing.objects.count() == 1


def test_a_long_value_rejects_its_record_and_stays_small(make_zip: Write) -> None:
    name = "FULINS_E_20250302_01of01"
    long_name = "A long name " * 700_000  # as large as the ratio of a zip allows for a small file
    xml = firds.message(
        name,
        firds.record("RefData", "SE0000108656", "XSTO"),
        firds.record("RefData", "SE0000115446", "XSTO").replace("A name", long_name, 1),
    )

    assert problem_of(make_zip(name, xml)) is None

    file = EsmaFile.objects.get()
    rejected = file.rejected_records.get()
    assert (rejected.position, rejected.isin, rejected.field) == (
        2,
        "SE0000115446",
        "FinInstrmGnlAttrbts/FullNm",
    )
    assert rejected.value.startswith("A long name A long")
    assert f"… [cut: {len(long_name):,} bytes, SHA-256 " in rejected.value
    assert len(rejected.value) + len(str(rejected.record)) < 10_000
    assert Listing.objects.count() == 1
