"""Records that are not what they should be: kept aside, and the rest is loaded."""

from pathlib import Path

import pytest
from django.core.management import call_command
from stdnum.isin import calc_check_digit

from esma_files.models import RejectedRecord, Run
from instruments import pipeline
from instruments.models import Listing
from tests import firds
from tests.instruments.kept_counts import check_counts
from tests.instruments.listings.made import ERICSSON, VOLVO, good, put, zipped
from tests.instruments.listings.merging import Write, counts, day, delta, load

pytestmark = pytest.mark.django_db(transaction=True)

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
    # The sum of these is right (that of 98 and 01 is the same), and they are not between 02 and 98.
    "LEI that ends in 00": (
        "549300GDPG70E3MBBU98",
        "52990000000000003300",
        "Issr",
        "does not match",
    ),
    "LEI that ends in 01": (
        "549300GDPG70E3MBBU98",
        "52990000000000006501",
        "Issr",
        "does not match",
    ),
    "LEI that ends in 99": (
        "549300GDPG70E3MBBU98",
        "52990000000000000099",
        "Issr",
        "does not match",
    ),
    "moment of the first day of all": (
        "2014-01-14T09:00:00Z",
        "0001-01-02T00:30:00+02:00",
        "TradgVnRltdAttrbts/FrstTradDt",
        "before 0001-01-02",
    ),
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
    "year 0000": ("<FrDt>2025-", "<FrDt>0000-", "TechAttrbts/PblctnPrd/FrDt", "not a date"),
    "moment of the year 0000": (
        "2014-01-14T09:00:00Z",
        "0000-01-14T09:00:00Z",
        "TradgVnRltdAttrbts/FrstTradDt",
        "not a date",
    ),
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

    [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, zipped(xml))]))

    assert loaded.error is None
    assert loaded.run is not None
    assert (loaded.run.read, loaded.run.new, loaded.run.rejected) == (2, 1, 1)
    rejected = RejectedRecord.objects.get()
    assert (rejected.position, rejected.field) == (2, field)
    assert rejected.value in changed.decode()
    assert reason in rejected.reason
    assert set(Listing.objects.values_list("isin", flat=True)) == {ERICSSON}
    assert rejected.record["FinInstrmGnlAttrbts/ShrtNm"] == "Volvo"


def test_what_was_rejected_is_noted_once_however_often_it_is_loaded(tmp_path: Path) -> None:
    path = put(tmp_path, zipped(good().replace(VOLVO.encode(), WRONG_ISIN.encode())))

    for _ in range(2):
        [loaded] = pipeline.load(pipeline.register_files([path]))
        assert loaded.run is not None
        assert loaded.run.rejected == 1

    assert RejectedRecord.objects.count() == 1
    check_counts()


def test_an_element_without_a_field_is_noticed(tmp_path: Path) -> None:
    """RTS 23 is under revision: what a later schema adds must not be lost without a word."""
    xml = good(extra="<EfctvDt>2025-03-01</EfctvDt>").replace(
        b"<ClssfctnTp>", b'<ClssfctnTp Vrsn="2">', 1
    )

    [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, zipped(xml))]))

    assert loaded.run is not None
    assert loaded.run.new == 2
    assert loaded.run.unmapped == {
        "RefData/EfctvDt": 1,
        "RefData/FinInstrmGnlAttrbts/ClssfctnTp/@Vrsn": 1,
    }


def test_check_digits_are_checked_beside_malformed_values(tmp_path: Path) -> None:
    """Both values are in one batch."""
    xml = good().replace(VOLVO.encode(), b"volvo").replace(ERICSSON.encode(), WRONG_ISIN.encode())
    lei = b"549300GDPG70E3MBBU98"
    xml_of_leis = good().replace(lei, b"none", 1).replace(lei, lei[:-2] + b"97", 1)

    for content in (xml, xml_of_leis):
        [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, zipped(content))]))
        assert loaded.run is not None
        assert (loaded.run.rejected, loaded.run.new) == (2, 0)


def test_an_lei_that_ends_in_98_and_an_isin_that_begins_with_ez_are_loaded(tmp_path: Path) -> None:
    xml = good().replace(b"549300GDPG70E3MBBU98", b"52990000000000006598", 1)
    xml = xml.replace(VOLVO.encode(), b"EZ000000C119")

    [loaded] = pipeline.load(pipeline.register_files([put(tmp_path, zipped(xml))]))

    assert loaded.run is not None
    assert (loaded.run.rejected, loaded.run.new) == (0, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "is_change"),
    [
        ("37.0", "37.00", False),
        ("37", "+037.", False),
        (".5", "0.50", False),
        ("0", "-0.00", False),
        ("1000", "1000.0", False),
        ("37.0", "37.01", True),
        ("100", "10", True),
        ("-5", "5", True),
        ("0.05", "0.5", True),
    ],
)
def test_a_decimal_that_is_written_in_another_way_is_no_change(
    make_zip: Write, first: str, second: str, *, is_change: bool
) -> None:
    for number, amount in ((2, first), (3, second)):
        extra = DEBT.format(amount)
        run = load(
            make_zip,
            delta(number),
            firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(1), extra=extra),
        )

    assert counts(run) == ({"changed": 1} if is_change else {"unchanged": 1})


def test_a_key_with_several_records_in_one_delta_is_reported(
    make_zip: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        firds.record("NewRcrd", VOLVO, "XSTO", name="One"),
        firds.record("NewRcrd", ERICSSON, "XSTO"),
        firds.record("NewRcrd", VOLVO, "XSTO", name="Two"),
    ]
    path = make_zip(delta(2), firds.message(delta(2), *records))

    call_command("load", str(path))

    assert "1 listing has more than one record" in capsys.readouterr().err
    [remark] = Run.objects.get().report
    assert f"{VOLVO} on XSTO: 2 records, the first is number 1, the last 3" in remark
    assert Listing.objects.get(isin=VOLVO).full_name == "Two"


PRODUCT = "<Pdct>{}</Pdct>"
COMMODITY = (
    "<DerivInstrmAttrbts><AsstClssSpcfcAttrbts><Cmmdty>{}</Cmmdty></AsstClssSpcfcAttrbts>"
    "</DerivInstrmAttrbts><TechAttrbts>"
)
OIL = PRODUCT.format("<Nrgy><Oil><BasePdct>NRGY</BasePdct></Oil></Nrgy>")
GOLD = PRODUCT.format("<Metl><Prcs><BasePdct>METL</BasePdct></Prcs></Metl>")
PRODUCT_PATH = "DerivInstrmAttrbts/AsstClssSpcfcAttrbts/Cmmdty/Pdct"
REPEATS = {
    "a name": (
        "<ShrtNm>Volvo</ShrtNm>",
        "<ShrtNm>x &amp; y</ShrtNm><ShrtNm>Volvo</ShrtNm>",
        {"FinInstrmGnlAttrbts/ShrtNm": ["x & y", "Volvo"]},
    ),
    "a name three times": (
        "<ShrtNm>Volvo</ShrtNm>",
        "<ShrtNm>a</ShrtNm><ShrtNm>b</ShrtNm><ShrtNm>c</ShrtNm>",
        {"FinInstrmGnlAttrbts/ShrtNm": ["a", "b", "c"]},
    ),
    "all of a venue": (
        "</TradgVnRltdAttrbts>",
        "</TradgVnRltdAttrbts><TradgVnRltdAttrbts><Id>XHEL</Id><IssrReq>true</IssrReq>"
        "</TradgVnRltdAttrbts>",
        {
            "TradgVnRltdAttrbts/Id": ["XSTO", "XHEL"],
            "TradgVnRltdAttrbts/IssrReq": ["false", "true"],
        },
    ),
    "a leaf of a commodity product": (
        "<TechAttrbts>",
        COMMODITY.format(OIL.replace("<BasePdct>", "<BasePdct>AGRI</BasePdct><BasePdct>")),
        {f"{PRODUCT_PATH}/Nrgy/Oil/BasePdct": ["NRGY"]},
    ),
    "a commodity product": ("<TechAttrbts>", COMMODITY.format(OIL + GOLD), {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REPEATS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_record_that_repeats_an_element_is_rejected_and_the_rest_is_loaded(
    tmp_path: Path, name: str, *, is_first: bool
) -> None:
    old, new, expected = REPEATS[name]
    head, first, second = good().partition(b"<RefData>")[0], *good().split(b"<RefData>")[1:]
    second, tail = (
        second[: second.index(b"</RefData>") + 10],
        second[second.index(b"</RefData>") + 10 :],
    )
    repeated = first.decode().replace(old, new, 1).encode()
    assert repeated != first
    records = [repeated, second] if is_first else [second, repeated]
    xml = head + b"".join(b"<RefData>" + record for record in records) + tail

    [result] = pipeline.load(pipeline.register_files([put(tmp_path, zipped(xml))]))

    assert result.error is None
    assert result.run is not None
    assert (result.run.read, result.run.new, result.run.rejected) == (2, 1, 1)
    assert list(Listing.objects.values_list("isin", flat=True)) == [ERICSSON]
    rows = list(RejectedRecord.objects.all())
    assert {(row.position, row.isin, row.mic) for row in rows} == {
        (1 if is_first else 2, VOLVO, "XSTO")
    }
    assert {row.reason for row in rows} == {"occurs more than once in the record"}
    assert expected.items() <= rows[0].record.items()
    assert {row.field for row in rows} == set(expected or [PRODUCT_PATH])


@pytest.mark.slow
def test_repeated_elements_are_set_aside_among_many_records_and_in_several_pieces(
    make_zip: Write,
) -> None:
    """More records than are parsed at a time, of which every thousandth repeats its name."""
    bodies = [f"SE{number:09}" for number in range(20_000)]
    records = [
        firds.record(
            "NewRcrd", body + calc_check_digit(body), "XSTO", name=f"N{number}", period=day(1)
        )
        for number, body in enumerate(bodies)
    ]
    for number in range(0, len(records), 1_000):
        records[number] = records[number].replace("<FullNm>", "<FullNm>x</FullNm><FullNm>")

    run = load(make_zip, delta(2), *records)

    assert counts(run) == {"new": 19_980, "rejected": 20}
    rows = RejectedRecord.objects.order_by("position").values_list("position", "value")
    assert list(rows) == [(number + 1, f"N{number}") for number in range(0, 20_000, 1_000)]
    assert Listing.objects.get(isin__startswith=bodies[1_001]).full_name == "N1001"
