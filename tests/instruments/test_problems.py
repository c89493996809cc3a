"""Files and records that are not what they should be: a clear error each, and the rest goes on."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings

from esma_files import errors
from esma_files.models import EsmaFile, LoadRun, RejectedRecord
from instruments import steps
from instruments.models import Instrument, Listing
from tests import firds

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO, ERICSSON, NORDEA = "SE0000115446", "SE0000108656", "FI4000297767"
NAME = "FULINS_E_20250302_01of01"
Write = Callable[..., Path]


def good(*, extra: str = "") -> bytes:
    return firds.message(
        NAME,
        firds.record("RefData", VOLVO, "XSTO", name="Volvo", period="2025-03-01", extra=extra),
        firds.record("RefData", ERICSSON, "XSTO", name="Ericsson", period="2025-03-01"),
    )


def zipped(xml: bytes, *, entry: str = f"{NAME}.xml") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, xml)
    return made.getvalue()


def damaged() -> bytes:
    """One byte of the compressed data is another: the checksum tells."""
    content = bytearray(zipped(good()))
    content[len(content) // 3] ^= 0xFF
    return bytes(content)


def encrypted() -> bytes:
    """The flag of a password in both headers."""
    content = bytearray(zipped(good()))
    central = content.rindex(b"PK\x01\x02")
    content[6] |= 1
    content[central + 8] |= 1
    return bytes(content)


def lying_about_its_size() -> bytes:
    """The directory promises another size than there is."""
    content = bytearray(zipped(good()))
    central = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, central + 24, 10)
    return bytes(content)


CUT = good().rindex(b"<RefData>")
LATIN = good().replace(b"Volvo", "Volvo Företag".encode("latin-1"))
OTHER = firds.message("FULINS_E_20250309_01of01", firds.record("RefData", VOLVO, "XSTO"))
PROBLEMS: dict[str, tuple[bytes, type[errors.FileProblem], str]] = {
    "empty file": (b"", errors.EmptyFile, "the file is empty"),
    "not a zip": (b"<html>404</html>", errors.BadArchive, "not a zip"),
    "cut zip": (zipped(good())[:-40], errors.BadArchive, "not a zip"),
    "damaged zip": (damaged(), errors.BadArchive, "damaged"),
    "encrypted zip": (encrypted(), errors.BadArchive, "encrypted"),
    "wrong size in the directory": (lying_about_its_size(), errors.FileProblem, NAME),
    "entry with a path": (zipped(good(), entry=f"../{NAME}.xml"), errors.UnsafeArchive, "path"),
    "entry with a drive": (zipped(good(), entry="C:\\x.xml"), errors.UnsafeArchive, "path"),
    "another entry": (zipped(good(), entry="readme.txt"), errors.BadArchive, "not XML"),
    "empty XML": (zipped(b""), errors.EmptyFile, "nothing in its XML"),
    "no records": (zipped(firds.message(NAME)), errors.EmptyFile, "not one record"),
    "not XML": (zipped(b"ISIN;MIC\n"), errors.FileProblem, NAME),
    "HTML": (zipped(b"<html><body>Sorry</body></html>"), errors.FileProblem, NAME),
    "cut between records": (zipped(good()[:CUT]), errors.TruncatedFile, "</BizData> is missing"),
    "cut in a record": (zipped(good()[: CUT + 60]), errors.TruncatedFile, "</BizData> is missing"),
    "crossed tags": (
        zipped(good().replace(b"</ShrtNm>", b"</FullNm>")),
        errors.BadXml,
        "ShrtNm",
    ),
    "an element twice": (
        zipped(good().replace(b"<ShrtNm>", b"<ShrtNm>x</ShrtNm><ShrtNm>")),
        errors.BadXml,
        "ShrtNm",
    ),
    "latin-1": (zipped(LATIN), errors.NotUtf8, "not UTF-8 at about byte"),
    "latin-1, and says so": (
        zipped(LATIN.replace(b'"UTF-8"', b'"ISO-8859-1"')),
        errors.NotUtf8,
        "not UTF-8",
    ),
    "UTF-16": (zipped(good().decode().encode("utf-16")), errors.NotUtf8, "not UTF-8"),
    "a DTD": (
        zipped(good().replace(b"?>\n", b'?>\n<!DOCTYPE x [<!ENTITY e "boom">]>', 1)),
        errors.ForbiddenXml,
        "document type",
    ),
    "another day's message": (zipped(OTHER), errors.WrongEnvelope, "FULINS_E_20250309_01of01"),
    "another message": (
        zipped(good().replace(b">auth.017.001.02<", b">auth.045.001.02<")),
        errors.WrongEnvelope,
        "auth.045",
    ),
    "no header": (
        zipped(b"<BizData><Pyld><Document></Document></Pyld></BizData>"),
        errors.WrongEnvelope,
        "no BizMsgIdr",
    ),
    "a date of its header that is none": (
        zipped(good().replace(b"<CreDt>2025-03-02T03:00:00Z", b"<CreDt>yesterday")),
        errors.WrongEnvelope,
        "yesterday",
    ),
}


@pytest.fixture(autouse=True)
def stored_before(make_zip: Write) -> None:
    """Something is in the tables, which no bad file may change."""
    name = "FULINS_E_20250223_01of01"
    xml = firds.message(name, firds.record("RefData", NORDEA, "XSTO", period="2025-02-01"))
    [loaded] = steps.load(steps.take_in([make_zip(name, xml, folder="before")]))
    assert loaded.error is None


def put(tmp_path: Path, content: bytes, name: str = NAME) -> Path:
    path = tmp_path / f"{name}.zip"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_bad_file_fails_with_its_reason_and_nothing_of_it_is_loaded(
    tmp_path: Path, settings: LazySettings, problem: str
) -> None:
    content, error, said = PROBLEMS[problem]

    [loaded] = steps.load(steps.take_in([put(tmp_path, content)]))

    assert isinstance(loaded.error, error)
    assert said in str(loaded.error)
    assert NAME in str(loaded.error)
    file = EsmaFile.objects.get(name=f"{NAME}.zip")
    assert (file.state, file.problem) == (EsmaFile.State.FAILED, str(loaded.error))
    assert file.runs.get().outcome == LoadRun.Outcome.FAILED
    assert list(Listing.objects.values_list("isin", flat=True)) == [NORDEA]
    assert list(Path(settings.STAGING_DIR).iterdir()) == []


def test_a_bomb_is_not_unpacked(tmp_path: Path, settings: LazySettings) -> None:
    bomb = zipped(good() + b" " * 30_000_000)
    settings.ARCHIVE_MAX_BYTES = 20_000_000
    [by_size] = steps.load(steps.take_in([put(tmp_path, bomb)]))
    settings.ARCHIVE_MAX_BYTES = 4_000_000_000
    [by_ratio] = steps.load(steps.take_in([put(tmp_path, bomb)]))
    settings.ARCHIVE_MAX_RATIO = 2000
    [allowed] = steps.load(steps.take_in([put(tmp_path, bomb)]))

    assert isinstance(by_size.error, errors.UnsafeArchive)
    assert "ARCHIVE_MAX_BYTES" in str(by_size.error)
    assert isinstance(by_ratio.error, errors.UnsafeArchive)
    assert "ARCHIVE_MAX_RATIO" in str(by_ratio.error)
    assert isinstance(allowed.error, errors.TruncatedFile), "the limits are what stopped it before"


def test_a_good_file_after_a_bad_one_is_loaded(tmp_path: Path) -> None:
    bad = put(tmp_path, PROBLEMS["damaged zip"][0])
    name = "FULINS_E_20250309_01of01"
    after = put(tmp_path, zipped(OTHER, entry=f"{name}.xml"), name)

    loaded = list(steps.load(steps.take_in([bad, after])))

    assert [bool(one.error) for one in loaded] == [True, False]
    assert Instrument.objects.filter(pk=VOLVO).exists()


def test_a_failed_file_is_loaded_once_it_is_right(tmp_path: Path) -> None:
    list(steps.load(steps.take_in([put(tmp_path, b"")])))

    [loaded] = steps.load(steps.take_in([put(tmp_path, zipped(good()))]))

    assert loaded.error is None
    assert Listing.objects.count() == 3


WRONG_ISIN = VOLVO[:-1] + "7"
DEBT = "<DebtInstrmAttrbts><TtlIssdNmnlAmt Ccy='EUR'>{}</TtlIssdNmnlAmt></DebtInstrmAttrbts>"
BASKET = (
    "<DerivInstrmAttrbts><UndrlygInstrm><Bskt><ISIN>{}</ISIN></Bskt></UndrlygInstrm>"
    "</DerivInstrmAttrbts>"
)
NOMINAL = "DebtInstrmAttrbts/TtlIssdNmnlAmt"
BAD_RECORDS = {
    "ISIN's check digit": (VOLVO, WRONG_ISIN, "FinInstrmGnlAttrbts/Id", "should be 6"),
    "ISIN's form": (VOLVO, "volvo", "FinInstrmGnlAttrbts/Id", "does not match"),
    "no ISIN": (f"<Id>{VOLVO}</Id>", "", "FinInstrmGnlAttrbts/Id", "is missing"),
    "no MIC": ("<Id>XSTO</Id>", "", "TradgVnRltdAttrbts/Id", "is missing"),
    "LEI's check digits": ("MBBU98", "MBBU97", "Issr", "check digits"),
    "date and time": (
        "2014-01-14T09:00:00Z",
        "2014-02-30T09:00:00Z",
        "TradgVnRltdAttrbts/FrstTradDt",
        "not a date",
    ),
    "time without a date": (
        "2014-01-14T09:00:00Z",
        "09:00",
        "TradgVnRltdAttrbts/FrstTradDt",
        "not a date",
    ),
    "date": ("<FrDt>2025-03-01", "<FrDt>2025-02-29", "TechAttrbts/PblctnPrd/FrDt", "not a date"),
    "truth": (">false<", ">perhaps<", "FinInstrmGnlAttrbts/CmmdtyDerivInd", "neither"),
    "number": ("<TechAttrbts>", DEBT.format("1,5") + "<TechAttrbts>", NOMINAL, "not a decimal"),
    "long number": ("<TechAttrbts>", DEBT.format("9" * 19) + "<TechAttrbts>", NOMINAL, "at most"),
    "infinity": ("<TechAttrbts>", DEBT.format("INF") + "<TechAttrbts>", NOMINAL, "not a decimal"),
    "long name": (">Volvo<", f">{'x' * 351}<", "FinInstrmGnlAttrbts/FullNm", "longer than 350"),
    "basket": (
        "<TechAttrbts>",
        BASKET.format("NOT AN ISIN") + "<TechAttrbts>",
        "DerivInstrmAttrbts/UndrlygInstrm/Bskt/ISIN",
        "does not match",
    ),
}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_bad_record_is_kept_aside_and_the_rest_is_loaded(tmp_path: Path, what: str) -> None:
    old, new, field, reason = BAD_RECORDS[what]
    first, second = good().split(b"<RefData>")[1:]
    head = good().split(b"<RefData>")[0]
    # The bad one stands second: its place in the file must be told right.
    tail = second[second.index(b"</RefData>") + 10 :]
    changed = first.decode().replace(old, new, 1).encode()
    assert changed != first
    xml = head + b"<RefData>" + second.replace(tail, b"") + b"<RefData>" + changed + tail

    [loaded] = steps.load(steps.take_in([put(tmp_path, zipped(xml))]))

    assert loaded.error is None
    assert loaded.run is not None
    assert (loaded.run.read, loaded.run.new, loaded.run.rejected) == (2, 1, 1)
    rejected = RejectedRecord.objects.get()
    assert (rejected.position, rejected.field) == (2, field)
    assert rejected.value in changed.decode()
    assert reason in rejected.reason
    assert set(Listing.objects.values_list("isin", flat=True)) == {NORDEA, ERICSSON}
    if what != "basket":  # its record is read apart from it
        assert rejected.record["FinInstrmGnlAttrbts/ShrtNm"] == "Volvo"


def test_what_was_rejected_is_noted_once_however_often_it_is_loaded(tmp_path: Path) -> None:
    path = put(tmp_path, zipped(good().replace(VOLVO.encode(), WRONG_ISIN.encode())))

    for _ in range(2):
        [loaded] = steps.load(steps.take_in([path]))
        assert loaded.run is not None
        assert loaded.run.rejected == 1

    assert RejectedRecord.objects.count() == 1


def test_an_element_without_a_field_is_noticed(tmp_path: Path) -> None:
    """RTS 23 is under revision: what a later schema adds must not be lost without a word."""
    xml = good(extra="<EfctvDt>2025-03-01</EfctvDt>").replace(
        b"<ClssfctnTp>", b'<ClssfctnTp Vrsn="2">', 1
    )

    [loaded] = steps.load(steps.take_in([put(tmp_path, zipped(xml))]))

    assert loaded.run is not None
    assert loaded.run.new == 2
    assert loaded.run.unmapped == {
        "RefData/EfctvDt": 1,
        "RefData/FinInstrmGnlAttrbts/ClssfctnTp/@Vrsn": 1,
    }


def test_every_xml_of_a_zip_is_read(tmp_path: Path) -> None:
    made = io.BytesIO()
    parts = [good(), OTHER.replace(b"20250309", b"20250302").replace(b"XSTO", b"XHEL")]
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, xml in enumerate(parts):
            archive.writestr(f"{NAME}_{number}.xml", xml)

    [loaded] = steps.load(steps.take_in([put(tmp_path, made.getvalue())]))

    assert loaded.run is not None
    assert (loaded.run.read, loaded.run.new) == (3, 3)
    assert Listing.objects.get(mic="XHEL").source_position == 3


@pytest.mark.parametrize(
    "name",
    ["volvo", "FULINS_E_20251302_01of01", "FULINS_E_20250302_02of01", "ABCDEF_20250302_01of01"],
)
def test_a_name_that_is_not_esmas_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.BadFileName, match=name):
        steps.take_in([put(tmp_path, zipped(good()), name)])


def test_a_kind_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    [loaded] = steps.load(steps.take_in([put(tmp_path, zipped(good()), "FULECR_20250302_E_1of1")]))

    assert isinstance(loaded.error, errors.UnsupportedKind)
