"""Files that are not what they should be: a clear error each, and nothing of them is loaded."""

import datetime as dt
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from esma_files import errors
from esma_files.models import EsmaFile, Run
from esma_files.parsing.reader import Limits
from instruments import pipeline
from instruments.layouts import layout_of
from instruments.listings.load.selection import ListingSelection
from instruments.models import Instrument, Listing, Register, Scope
from instruments.staging.staging import Staging
from marketdata.common.errors import RetryableError
from tests import firds
from tests.instruments.listings.made import NAME, NORDEA, VOLVO, good, put, zipped
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)
Write = Callable[..., Path]


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


def pointing_outside() -> bytes:
    """The directory says that the entry lies elsewhere."""
    content = bytearray(zipped(good()))
    end = content.rindex(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 16, len(content) * 2)  # where the directory begins
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
    "entry outside the zip": (pointing_outside(), errors.BadArchive, "zip"),
    "an attribute that is none": (
        zipped(good().replace(b"<ShrtNm>", b'<ShrtNm a="<">', 1)),
        errors.BadXml,
        "attribute",
    ),
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
    [loaded] = pipeline.load(pipeline.register_files([make_zip(name, xml, folder="before")]))
    assert loaded.error is None


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_bad_file_fails_with_its_reason_and_nothing_of_it_is_loaded(
    tmp_path: Path, settings: LazySettings, problem: str
) -> None:
    content, error, message = PROBLEMS[problem]

    [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, content)]))

    assert isinstance(loaded.error, error)
    assert message in str(loaded.error)
    assert NAME in str(loaded.error)
    file = EsmaFile.objects.get(name=f"{NAME}.zip")
    assert (file.state, file.problem) == (EsmaFile.State.FAILED, str(loaded.error))
    assert file.runs.get().state == Run.State.FAILED
    assert list(Listing.objects.values_list("isin", flat=True)) == [NORDEA]
    assert list(Path(settings.STAGING_DIR).iterdir()) == []


@pytest.mark.slow
def test_a_bomb_is_not_unpacked(tmp_path: Path, settings: LazySettings) -> None:
    bomb = zipped(good() + b" " * 30_000_000)
    settings.ARCHIVE_MAX_BYTES = 20_000_000
    [by_size] = pipeline.load(pipeline.register_files([put(tmp_path, bomb)]))
    settings.ARCHIVE_MAX_BYTES = 4_000_000_000
    [by_ratio] = pipeline.load(pipeline.register_files([put(tmp_path, bomb)]))
    settings.ARCHIVE_MAX_RATIO = 2000
    [allowed] = pipeline.load(pipeline.register_files([put(tmp_path, bomb)]))

    assert isinstance(by_size.error, errors.UnsafeArchive)
    assert "ARCHIVE_MAX_BYTES" in str(by_size.error)
    assert isinstance(by_ratio.error, errors.UnsafeArchive)
    assert "ARCHIVE_MAX_RATIO" in str(by_ratio.error)
    assert allowed.error is None, "only the limits refused it: XML may end in white space"


def test_a_good_file_after_a_bad_one_is_loaded(tmp_path: Path) -> None:
    bad = put(tmp_path, PROBLEMS["damaged zip"][0])
    name = "FULINS_E_20250309_01of01"
    after = put(tmp_path, zipped(OTHER, entry=f"{name}.xml"), name)

    loaded = list(pipeline.load(pipeline.register_files([bad, after])))

    assert [bool(one.error) for one in loaded] == [True, False]
    assert Instrument.objects.filter(pk=VOLVO).exists()


def test_a_file_that_the_storage_has_lost_fails_and_is_stored_again(tmp_path: Path) -> None:
    path = put(tmp_path, zipped(good()))
    [file] = pipeline.register_files([path])
    file.content.storage.delete(file.stored_name)

    [lost] = pipeline.load([file])
    [found] = pipeline.load(pipeline.register_files([path]))

    assert isinstance(lost.error, errors.LostFile)
    assert found.error is None


def test_a_file_that_cannot_be_staged_waits_for_another_try(
    tmp_path: Path, settings: LazySettings
) -> None:
    files = pipeline.register_files([put(tmp_path, zipped(good()))])
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    settings.STAGING_DIR = blocked
    [refused] = pipeline.load(files)
    blocked.unlink()

    [loaded] = pipeline.load(files)

    assert isinstance(refused.error, RetryableError)
    assert str(blocked) in str(refused.error)
    outcomes = [run.state for run in files[0].runs.order_by("pk")]
    assert outcomes == [Run.State.FAILED, Run.State.DONE]
    assert loaded.error is None


def test_a_failed_file_is_loaded_once_it_is_right(tmp_path: Path) -> None:
    list(pipeline.load(pipeline.register_files([put(tmp_path, b"")])))

    [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, zipped(good()))]))

    assert loaded.error is None
    assert Listing.objects.count() == 3


def test_every_xml_of_a_zip_is_read(tmp_path: Path) -> None:
    made = io.BytesIO()
    parts = [good(), OTHER.replace(b"20250309", b"20250302").replace(b"XSTO", b"XHEL")]
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, xml in enumerate(parts):
            archive.writestr(f"{NAME}_{number}.xml", xml)

    [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, made.getvalue())]))

    assert loaded.run is not None
    assert (loaded.run.read, loaded.run.new) == (3, 3)
    assert Listing.objects.get(mic="XHEL").source_position == 3


@pytest.mark.parametrize(
    "name",
    ["volvo", "FULINS_E_20251302_01of01", "FULINS_E_20250302_02of01", "ABCDEF_20250302_01of01"],
)
def test_a_name_that_is_not_esmas_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.BadFileName, match=name):
        pipeline.register_files([put(tmp_path, zipped(good()), name)])


def test_a_kind_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    [loaded] = pipeline.load(
        pipeline.register_files([put(tmp_path, zipped(good()), "INVINS_20250302_01of01")])
    )

    assert isinstance(loaded.error, errors.UnsupportedKind)


SCRAPS = [
    b"<!-- c -->",
    b"<![CDATA[x]]>",
    b"&x;",
    b"<X>1</X>",
    b"\x00",
    b"\xff",
    b"<",
    b'"',
    b"</Id>",
]


@examples(80)
@given(data=st.data())
def test_no_bytes_whatever_raise_anything_but_a_problem_of_the_file(
    tmp_path: Path, xml_of: Callable[[str], bytes], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["FULINS_S_20250830_01of01", "FULINS_I_20250830_01of01"]))
    xml = bytearray(xml_of(f"{name}.zip"))
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(xml) - 1))
        xml[begin : begin + data.draw(st.integers(0, 200))] = data.draw(st.sampled_from(SCRAPS))
    content = bytearray(zipped(bytes(xml), entry=f"{name}.xml"))
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    folder = tmp_path / "staged"
    folder.mkdir(exist_ok=True)
    database = str(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else ""
    staging = Staging(
        name=f"{name}.zip",
        dataset="esma_firds",
        folder=folder,
        layout=layout_of(name),
        limits=Limits(max_bytes=10_000_000, max_ratio=1000),
        selection=ListingSelection(
            scope=Scope(),
            register=Register.ESMA,
            file=EsmaFile(sequence=1, published_on=dt.date(2025, 3, 1)),
            database=database,
        ),
    )

    try:
        staging.stage(io.BytesIO(bytes(content))).path.unlink()
    except errors.FileProblem as problem:
        message = str(problem)
    else:
        message = name
    assert name in message
    assert list(folder.iterdir()) == []
