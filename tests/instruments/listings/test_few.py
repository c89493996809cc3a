"""Filters that leave few instruments, together with those of codes and words, which may match millions."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from instruments.listings import dates, search
from instruments.listings.filters import ListFilterSet
from instruments.models import Figi, Instrument, InstrumentQuerySet
from marketdata.web.pages import BoundedPaginator

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
            assert not search.uses_index(find(**few, **code)), few


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
        assert search.uses_index(find(q="bank", **few, **code)) == search.uses_index(find(q="bank"))


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


@pytest.mark.parametrize("frequent", [1, 100_000])
@pytest.mark.parametrize(
    "condition",
    [Q(maturity_date__gt="2022-01-01"), Q(first_trade_at__gt="2015-01-01T00:00Z")],
    ids=str,
)
def test_days_that_many_listings_have_are_read_into_a_set(
    monkeypatch: pytest.MonkeyPatch, condition: Q, frequent: int
) -> None:
    """A code leads to their instruments only where hardly any other instruments have it."""
    every = Instrument.objects.all()
    few = dates.filter_by_reference(every, condition)
    many = dates.filter_by_reference(every, condition, many=1)
    monkeypatch.setattr(search, "MANY", frequent)

    assert [row.isin for row in many] == [row.isin for row in few] != []
    asked: list[Callable[[InstrumentQuerySet], InstrumentQuerySet]] = [
        lambda rows: rows.with_status("active"),
        lambda rows: rows.of_category("D"),
        lambda rows: rows.search("bank"),
        lambda rows: rows.in_currency("EUR").search("bank"),
    ]
    for ask in asked:
        assert [row.isin for row in ask(many)] == [row.isin for row in ask(few)]
    assert list(BoundedPaginator(many, 7).page(2)) == list(few)[7:14]
    assert BoundedPaginator(many, 7).count == len(few)
    is_led_by_code = connection.vendor == "sqlite" and frequent > 1
    assert search.uses_index(many.with_status("active")) == is_led_by_code
