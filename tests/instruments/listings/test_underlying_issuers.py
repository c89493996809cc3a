"""Instruments with an underlying that some entities are, or have issued."""

import pytest

from instruments.listings import search
from instruments.listings.load import search_index
from instruments.listings.underlying_issuers import filter_by_issuers_of_underlyings
from instruments.models import Instrument, Link, Underlying
from tests.instruments.listings.test_plans import planned, scans

pytestmark = pytest.mark.usefixtures("real_instruments")
BANK, OTHER, NOBODY = "549300GDPG70E3MBBU98", "213800WAVVOPS85N2205", "5493000000000000AA12"


@pytest.fixture
def derivatives() -> list[str]:
    """Two shares and a bond of two issuers, and certificates on them: on each, on two, and on an issuer."""
    shares = {"SE0000108656": BANK, "SE0000115446": BANK, "FI4000297767": OTHER}
    certificates = [f"DE000A0000{end}" for end in ("A7", "B5", "C3", "D1", "E9")]
    for isin in (*shares, *certificates):
        common = {"status": "active", "mic": "XSTO", "register": "ESMA", "listing_count": 1}
        issuer = {"issuer_lei": shares.get(isin, "")}
        Instrument.objects.update_or_create(isin=isin, defaults={**common, **issuer})
    Underlying.objects.all().delete()
    codes = (*shares, "SE0000115446", OTHER, BANK)
    links = zip(codes, certificates[:3] * 2, strict=True)
    for code, isin in links:
        Underlying.objects.create(instrument_id=isin, code=code, link=Link.BASKET)
    search_index.rebuild()
    return certificates


@pytest.mark.parametrize("many", [1, 100_000])
@pytest.mark.parametrize("looked_up", [1, 10_000])
def test_the_same_are_found_from_either_side(
    monkeypatch: pytest.MonkeyPatch, derivatives: list[str], looked_up: int, many: int
) -> None:
    monkeypatch.setattr(search, "MANY", many)
    first, second, third, *_ = derivatives
    every = Instrument.objects.all()
    for leis, expected in (
        ([BANK], [first, second, third]),
        ([OTHER], [second, third]),
        ([OTHER, BANK], [first, second, third]),
        ([NOBODY], []),
    ):
        instruments = filter_by_issuers_of_underlyings(every, leis, looked_up=looked_up)
        assert [row.isin for row in instruments] == expected, leis


@pytest.mark.sqlite
def test_many_issued_instruments_are_not_looked_up(derivatives: list[str]) -> None:
    """Underlyings are gone through from code to code, and no other instrument is read."""
    with planned() as plan:
        instruments = filter_by_issuers_of_underlyings(
            Instrument.objects.all(), [BANK], looked_up=1
        )
        assert len(instruments) == 3

    assert scans(plan) == []
    walked = [line for sql, line in plan if "RECURSIVE" in sql]
    assert [
        line for line in walked if "USING INTEGER PRIMARY KEY" in line or "SCAN i" in line
    ] == []
    assert any("SEARCH i " in line and "(isin=?)" in line for line in walked)
    assert any("SEARCH u USING COVERING INDEX" in line and "(code>?)" in line for line in walked)
