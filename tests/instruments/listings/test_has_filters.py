"""Instruments with or without a FIGI, and with or without the record of their issuer."""

import pytest
from django.test import Client
from django.utils import timezone

from instruments.listings import search, with_entity, with_figi
from instruments.models import DataSubject, DataVersion, Figi, Instrument, LegalEntity

LIST = "/api/v1/instruments/"
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def read_isins(client: Client, **parameters: str) -> set[str]:
    answer = client.get(LIST, {"per_page": "1000", "fields": "isin", **parameters})
    assert answer.status_code == 200, answer.content
    return {row["isin"] for row in answer.json()["results"]}


def test_instruments_with_and_without_a_figi_are_all_instruments(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = Instrument.objects.all()[:3]
    for isin, figi, is_current in (
        (first.isin, "BBG000BLNNH6", True),
        (first.isin, "BBG000BLNNV0", True),
        (second.isin, "BBG000BLNQ16", False),
        (third.isin, "BBG000BLNQ25", True),
    ):
        Figi.objects.create(isin=isin, figi=figi, is_current=is_current, fetched_at=timezone.now())
    every = read_isins(client)
    expected = {first.isin, third.isin}

    for many in (1, 1_000):
        monkeypatch.setattr(with_figi, "MANY", many)
        assert read_isins(client, has_figi="true") == expected
        assert read_isins(client, has_figi="TRUE", cfi=first.cfi_code) >= {first.isin}
        assert read_isins(client, has_figi="false") == every - expected
        for words in (first.full_name, first.full_name.split()[0]):
            named = read_isins(client, q=words)
            assert first.isin in named
            assert read_isins(client, has_figi="true", q=words) == named & expected
    page = client.get("/?has_figi=true").content.decode()
    assert '<h1 class="small">2 instruments</h1>' in page
    assert "<summary>Filters: <strong>FIGI With a FIGI</strong></summary>" in page


@pytest.mark.parametrize("most_issuers", [0, 1_000])
def test_instruments_with_and_without_the_record_of_their_issuer(
    client: Client, monkeypatch: pytest.MonkeyPatch, most_issuers: int
) -> None:
    monkeypatch.setattr(with_entity, "_MOST_ISSUERS", most_issuers)
    every = read_isins(client)
    assert read_isins(client, has_entity="true") == set()
    assert read_isins(client, has_entity="false") == every
    instrument = Instrument.objects.exclude(issuer_lei="").order_by("isin")[0]
    LegalEntity.objects.create(
        lei=instrument.issuer_lei,
        legal_name="An issuer",
        source_position=1,
        fingerprint=1,
        last_updated_at=timezone.now(),
    )
    DataVersion.objects.renew(DataSubject.ENTITIES)  # as a load does
    same = Instrument.objects.filter(issuer_lei=instrument.issuer_lei)
    expected = set(same.values_list("isin", flat=True))

    assert read_isins(client, has_entity="true") == expected
    assert read_isins(client, has_entity="false") == every - expected
    category = instrument.cfi_code[0]
    with_entities = read_isins(client, has_entity="true", category=category)
    without = read_isins(client, has_entity="false", category=category)
    assert instrument.isin in with_entities
    assert without
    assert with_entities | without == read_isins(client, category=category)
    word = instrument.full_name.split()[0]
    assert read_isins(client, has_entity="true", q=word) == read_isins(client, q=word) & expected
    assert client.get(LIST, {"has_entity": "perhaps"}).status_code == 400
    assert "An issuer</a>" in client.get(f"/?mic={instrument.mic}").content.decode()


@pytest.mark.sqlite
def test_codes_are_read_from_the_index_once_each() -> None:
    codes = Instrument.objects.order_by("issuer_lei").values_list("issuer_lei", flat=True)
    published = list(codes.distinct())

    assert search.read_codes("default", "issuer", condition="true") == published
    assert (
        search.read_codes("default", "issuer", condition="code <> ''", limit=2)
        == [code for code in published if code][:2]
    )
    statuses = search.read_codes("default", "status", condition="true")
    assert statuses == sorted(
        {status.upper() for status in Instrument.objects.values_list("status", flat=True)}
    )
