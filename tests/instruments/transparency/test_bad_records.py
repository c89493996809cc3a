"""Records of FITRS that are not what they should be: kept aside, and the rest is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from esma_files.models import RejectedRecord
from instruments import pipeline
from instruments.models import SubclassTransparency, TransparencyResult
from tests import fitrs

Write = Callable[..., Path]
pytestmark = pytest.mark.django_db(transaction=True)
NAME = "FULNCR_20250830_D_1of1"
VOLVO, ERICSSON = "SE0000115446", "SE0000108656"
BY_ISIN = "Id/ISINAndSubClss"
LIMIT = fitrs.threshold("PreTradLrgInScaleThrshld", "600000")
BAD = {
    "check digit": (VOLVO, VOLVO[:-1] + "7", f"{BY_ISIN}/ISIN", "should be 6"),
    "no ISIN": (f"<ISIN>{VOLVO}</ISIN>", "", f"{BY_ISIN}/ISIN", "there is no asset class either"),
    "amount": ("600000", "6e5", "PreTradLrgInScaleThrshld/Amt", "not a decimal"),
    "currency": ('"EUR"', '"euro"', "PreTradLrgInScaleThrshld/Amt/@Ccy", "does not match"),
    "period": ("<FrDt>2024-01-01", "<FrDt>2024-13-01", "RptgPrd/FrDtToDt/FrDt", "not a date"),
    "criterion": ("SACL", "sacl", f"{BY_ISIN}/DerivSubClss/SgmttnCrit/CritNm", "does not match"),
    "criterion without a value": (
        "<CritVal>BOND5</CritVal>",
        "",
        f"{BY_ISIN}/DerivSubClss/SgmttnCrit/CritVal",
        "is missing",
    ),
    "long value": (
        "BOND5",
        "x" * 1001,
        f"{BY_ISIN}/DerivSubClss/SgmttnCrit/CritVal",
        "longer than 1000",
    ),
    "two descriptions": (
        "<Desc>A sub-class</Desc>",
        "<Desc>A sub-class</Desc><Desc>B</Desc>",
        f"{BY_ISIN}/DerivSubClss/Desc",
        "twice",
    ),
    "both": (
        "</ISINAndSubClss>",
        "</ISINAndSubClss><AsstClssAndSubClss><AsstClss>BOND</AsstClss></AsstClssAndSubClss>",
        "Id/AsstClssAndSubClss/AsstClss",
        "beside an ISIN",
    ),
    "published twice": (
        "</ISINAndSubClss>",
        "</ISINAndSubClss><AsstClssAndSubClss><FinInstrmClssfctn>DERV</FinInstrmClssfctn>"
        "</AsstClssAndSubClss>",
        "Id/AsstClssAndSubClss/FinInstrmClssfctn",
        "in two places",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_record_is_kept_aside_and_the_rest_is_loaded(make_zip: Write, what: str) -> None:
    old, new, field, reason = BAD[what]
    good = fitrs.bond(VOLVO, more=LIMIT)
    bad = good.replace(old, new, 1)
    assert bad != good

    run = fitrs.load(make_zip(NAME, fitrs.message(NAME, fitrs.bond(ERICSSON, more=LIMIT), bad)))

    assert (run.read, run.new, run.rejected) == (2, 1, 1)
    every = list(RejectedRecord.objects.all())
    rejected = every[-1]
    assert len(every) == (2 if what == "two descriptions" else 1)
    assert (rejected.position, rejected.field) == (2, field)
    assert rejected.value in bad
    assert reason in rejected.reason
    assert rejected.record["RptgPrd/FrDtToDt/ToDt"] == "2024-12-31"
    assert rejected.isin in bad
    kept = json.dumps([[record.value, record.record] for record in every])
    assert "A sub-class" in kept
    assert ("BOND5" if "BOND5" in bad else "SACL") in kept
    assert "Id/ISINAndSubClss/ISIN" in rejected.record or what == "no ISIN"
    assert TransparencyResult.objects.get().isin == ERICSSON
    assert not SubclassTransparency.objects.exists()


def test_an_element_without_a_field_is_noticed(make_zip: Write) -> None:
    record = fitrs.bond(VOLVO, more=f"{LIMIT}<EfctvDt>2025-03-01</EfctvDt>")

    run = fitrs.load(make_zip(NAME, fitrs.message(NAME, record)))

    assert (run.new, run.unmapped) == (1, {"NonEqtyTrnsprncyData/EfctvDt": 1})


def test_a_file_of_another_message_is_refused(make_zip: Write) -> None:
    xml = fitrs.message(NAME, fitrs.bond(VOLVO), version="auth.044.001.03")

    [loaded] = pipeline.load(pipeline.register_files([make_zip(NAME, xml)]))

    assert "the message is 'auth.044.001.03', not auth.045" in str(loaded.error)


@pytest.mark.slow
def test_criteria_are_whole_wherever_batches_end(make_zip: Write) -> None:
    """Batches of 16,384 rows end between the criteria of a record; nothing may be lost there."""
    more = "".join(
        f"<SgmttnCrit><CritNm>UIN{n}</CritNm><CritVal>{n}</CritVal></SgmttnCrit>" for n in range(4)
    )
    record = fitrs.of_class("BOND", "{number}", more=LIMIT).replace(
        "</SgmttnCrit>", f"</SgmttnCrit>{more}"
    )
    count = 9_000
    xml = fitrs.message(NAME, *(record.replace("{number}", f"B{n}") for n in range(count)))

    run = fitrs.load(make_zip(NAME, xml))

    assert (run.new, run.unmapped) == (count, {})
    expected = [[f"UIN{n}", str(n)] for n in range(4)]
    for row in SubclassTransparency.objects.iterator():
        assert row.criteria == [["SACL", f"B{row.source_position - 1}"], *expected]
        assert row.sub_class == "A sub-class"
