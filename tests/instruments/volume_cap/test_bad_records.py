"""Volume cap files that are not what they should be: nothing is lost, and all that is good is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from esma_files.models import EsmaFile, RejectedRecord
from instruments import pipeline
from instruments.models import VolumeCap, VolumeCapVenue
from tests import dvcres, fitrs
from tests.dvcres import result, venue

Write = Callable[..., Path]
pytestmark = pytest.mark.django_db(transaction=True)
NAME = "DVCRES_20251008"
VOLVO, ERICSSON = "SE0000115446", "SE0000108656"
GOOD = result(VOLVO, venue("XSTO", "4.2"), venue("BATE", "0.3", "estimated"))
BAD = {
    "check digit": (VOLVO, VOLVO[:-1] + "7", "Id", "should be 6"),
    "no ISIN": (f"<Id>{VOLVO}</Id>", "", "Id", "is missing"),
    "no period": (fitrs.period("2024-10-01", "2025-09-30"), "", "RptgPrd", "is missing"),
    "day": ("2025-09-30", "2025-09-31", "RptgPrd/FrDtToDt/ToDt", "not a date"),
    "update": ("<LastUpdDt>2025-10-08", "<LastUpdDt>08/10/2025", "LastUpdDt", "not a date"),
    "volume": ("1000000.5", "1e6", "TtlTradgVol", "not a decimal"),
    "currency": ('"EUR"', '"euro"', "TtlTradgVol/@Ccy", "does not match"),
    "percentage": ("3.5", "3,5", "TradgUdrWvrPctg", "not a decimal"),
    "MIC": ("XSTO", "xsto", "TradgUdrWvrBrkdwn/TradgVn", "does not match"),
    "percentage of a venue": ("4.2", "n/a", "TradgUdrWvrBrkdwn/TradgUdrWvrPctg", "not a decimal"),
    "disclaimer": ("estimated", "x" * 351, "TradgUdrWvrBrkdwn/Dsclmr", "longer than 350"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_record_is_kept_aside_and_the_rest_is_loaded(make_zip: Write, what: str) -> None:
    old, new, field, reason = BAD[what]
    bad = GOOD.replace(old, new, 1)
    assert bad != GOOD

    other = result(ERICSSON, venue("XCSE", "0.1"))
    run = fitrs.load(make_zip(NAME, dvcres.message(NAME, other, bad)))

    assert (run.read, run.new, run.rejected, run.unmapped) == (2, 1, 1, {})
    rejected = RejectedRecord.objects.get()
    assert (rejected.position, rejected.field) == (2, field)
    assert rejected.value in bad
    assert reason in rejected.reason
    assert rejected.isin in bad
    assert "TradgVn" not in rejected.record, "it is a venue's, among the others"
    kept = json.dumps(rejected.record)
    for text in ("BATE", "0.3", "estimated", "XSTO", "4.2", "1000000.5", "2024-10-01"):
        assert text in kept or text not in bad
    assert VolumeCap.objects.get().isin == ERICSSON
    assert VolumeCapVenue.objects.get().mic == "XCSE"


def test_an_element_that_is_not_known_is_counted(make_zip: Write) -> None:
    records = [
        GOOD.replace("</VolCapRslt>", "<CapBrchd>true</CapBrchd></VolCapRslt>"),
        result(ERICSSON, venue("XCSE", "1").replace("<TradgVn>", "<Sys>1</Sys><TradgVn>")),
        result(ERICSSON, "<TradgUdrWvrBrkdwn><Sys>2</Sys></TradgUdrWvrBrkdwn>", end="2025-08-31"),
    ]

    run = fitrs.load(make_zip(NAME, dvcres.message(NAME, *records)))

    assert (run.new, run.rejected) == (3, 0)
    assert run.unmapped == {
        "VolCapRslt/CapBrchd": 1,
        "VolCapRslt/TradgUdrWvrBrkdwn/Sys": 2,
    }
    venues = VolumeCapVenue.objects.order_by("mic")
    assert list(venues.values_list("mic", flat=True)) == ["BATE", "XCSE", "XSTO"]


def test_elements_beside_the_records_are_counted_too(make_zip: Write) -> None:
    """ISO's message ends with supplementary data, of any form."""
    more = "<SplmtryData><Envlp><A>1</A><A>2</A></Envlp></SplmtryData>"
    other = result(ERICSSON, venue("XCSE", "1"))

    run = fitrs.load(make_zip(NAME, dvcres.message(NAME, GOOD, more, "<!-- no -->", other, more)))

    assert (run.read, run.new, run.rejected) == (2, 2, 0)
    assert run.unmapped == {"SplmtryData/Envlp/A": 4}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "auth.044.001.03"}, "the message is 'auth.044.001.03', not auth.053"),
        ({"root": "FinInstrmRptgDblVolCap"}, "the records are in <FinInstrmRptgDblVolCap>"),
    ],
)
def test_a_file_of_another_message_is_refused(
    make_zip: Write, change: dict[str, str], reason: str
) -> None:
    [loaded] = pipeline.load(
        pipeline.register_files([make_zip(NAME, dvcres.message(NAME, GOOD, **change))])
    )

    assert reason in str(loaded.error)
    assert loaded.file.state == EsmaFile.State.FAILED
    assert not VolumeCap.objects.exists()


def test_a_record_with_two_venues_in_one_element_is_rejected(make_zip: Write) -> None:
    twice = GOOD.replace(
        "<TradgVn>XSTO</TradgVn>", "<TradgVn>XSTO</TradgVn><TradgVn>BATE</TradgVn>"
    )

    [loaded] = pipeline.load(pipeline.register_files([make_zip(NAME, dvcres.message(NAME, twice))]))

    assert loaded.error is None
    assert not VolumeCap.objects.exists()
    rejected = RejectedRecord.objects.get()
    assert (rejected.position, rejected.isin) == (1, VOLVO)
    assert rejected.reason == "occurs more than once in the record"
