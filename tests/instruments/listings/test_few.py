"""Filters that leave few instruments, together with those of codes and words, which may match millions."""

import pytest
from django.utils import timezone

from instruments.listings import search
from instruments.listings.filters import ListFilterSet
from instruments.models import Figi, Instrument, InstrumentQuerySet

pytestmark = pytest.mark.usefixtures("real_instruments")
CODES = [
    {"status": "active"},
    {"category": "D"},
    {"currency": "EUR"},
    {"effective_status": "active"},
    {"register": "ESMA"},
]


def find(**query: str) -> InstrumentQuerySet:
    instruments: InstrumentQuerySet = ListFilterSet(query, Instrument.objects.all()).qs
    return instruments


def read(**query: str) -> list[str]:
    return [row.isin for row in find(**query)]


@pytest.fixture
def known() -> Instrument:
    """An instrument that all of CODES find, with a FIGI and a ticker."""
    common = set.intersection(*(set(read(**query)) for query in CODES))
    instrument = Instrument.objects.get(pk=min(common))
    fetched = {"fetched_at": timezone.now(), "is_current": True}
    Figi.objects.create(isin=instrument.isin, figi="BBG000BDSLM5", ticker="VOLVB", **fetched)
    return instrument


@pytest.mark.parametrize("code", CODES, ids=str)
def test_codes_are_not_looked_up_in_the_index_for_few_instruments(
    known: Instrument, code: dict[str, str]
) -> None:
    figi = Figi.objects.get()
    for few in (
        {"isin": known.isin},
        {"isin": f"{known.isin},US0378331005"},
        {"figi": figi.figi},
        {"ticker": figi.ticker},
        {"q": known.isin},
        {"q": figi.figi},
        {"q": known.isin[:9]},
    ):
        assert known.isin in read(**few)
        assert read(**few, **code) == sorted({*read(**few)} & {*read(**code)}), few
        if "isin" in few or "q" in few:
            assert not search.is_asked(find(**few, **code)), few


@pytest.mark.parametrize("looked_up", [0, 5_000])
@pytest.mark.parametrize("code", [{}, *CODES], ids=str)
def test_words_are_looked_up_among_few_instruments(
    monkeypatch: pytest.MonkeyPatch, looked_up: int, code: dict[str, str]
) -> None:
    monkeypatch.setattr(search, "_LOOKED_UP", looked_up)
    named = {*read(q="bank", **code)}

    for few in (
        {"maturity_after": "2022-01-01"},
        {"maturity_before": "2000-01-01"},
        {"first_trade_after": "2015-01-01"},
        {"changed_since": "2000-01-01"},
    ):
        assert read(q="bank", **few, **code) == sorted(named & {*read(**few)}), few
        assert search.is_asked(find(q="bank", **few, **code)) == search.is_asked(find(q="bank"))


@pytest.mark.parametrize("many", [1, 100_000])
@pytest.mark.parametrize("code", [{}, *CODES], ids=str)
def test_starts_of_isins_are_those_of_all_isins(
    monkeypatch: pytest.MonkeyPatch, many: int, code: dict[str, str]
) -> None:
    monkeypatch.setattr(search, "MANY", many)
    every = read(**code) if code else [row.isin for row in Instrument.objects.order_by("isin")]

    assert read(q="ZZ9", **code) == []  # a word, which no name has
    for start in ("DE0", "DE000", "FR001", "XS1"):
        expected = [isin for isin in every if isin.startswith(start)]
        assert read(q=start, **code) == expected, start
        assert read(q=f"{start} a", **code) == sorted({*expected} & {*read(q="a", **code)})
