"""The page of analytics, on real instruments."""

import datetime as dt
import re

import pytest
from django.conf import LazySettings
from django.db.models import Count
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from esma_files.models import EsmaFile, Run
from instruments import tasks
from instruments.listings import figures
from instruments.models import Figure, FigureSubject, Instrument, Listing, Venue

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("anonymous_reading")]


@pytest.mark.usefixtures("real_instruments")
def test_the_numbers_are_those_of_the_tables(client: Client) -> None:
    numbers = Listing.objects.order_by().values_list("mic").annotate(number=Count("pk"))
    venues = sorted(numbers, key=lambda row: (-row[1], row[0]))
    mic, number = venues[0]
    Venue.objects.create(mic=mic, operating_mic=mic, name="The largest", country="DE")

    page = client.get("/analytics/").content.decode()

    bonds = Instrument.objects.filter(cfi_code__startswith="D").count()
    row = re.search(r'category=D">.*?</tr>', page, re.DOTALL)
    assert row is not None
    assert f'<td class="number">{bonds:,}</td></tr>' in row[0]
    assert re.findall(r'href="/venues/(\w{4})/"', page) == [mic for mic, _ in venues[:20]]
    assert f'listed=true">DE</a></td><td class="number">{number:,}</td>' in page
    elsewhere = Listing.objects.exclude(mic=mic).count()
    assert f"{elsewhere:,} listings on MICs that the list of venues lacks." in page


@pytest.mark.usefixtures("real_instruments")
def test_the_speed_of_loads_is_for_those_who_may_see_runs(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    file = EsmaFile.objects.earliest("pk")
    Run.objects.create(file=file, state=Run.State.DONE, read=5_000, seconds=2)
    Run.objects.create(file=file, state=Run.State.DONE, read=10, seconds=2)

    with django_assert_num_queries(8):
        page = client.get("/analytics/").content.decode()

    assert page.count("records a second") == 1
    assert 'class="number">2,500</td>' in page


@pytest.mark.django_db
def test_an_empty_database_has_nothing_to_show(client: Client, settings: LazySettings) -> None:
    assert "No instrument is loaded." in client.get("/analytics/").content.decode()
    settings.ANONYMOUS_READ = False
    assert client.get("/analytics/").headers["Location"].startswith("/sign-in/")


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_figures_are_counted_by_night_and_not_by_the_page(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert "have not been counted yet" in client.get("/analytics/").content.decode()

    tasks.recount_coverage()
    tasks.count_figures()
    tasks.count_figures()  # the same day again
    Instrument.objects.filter(notional_currency="EUR").update(notional_currency="SEK")
    with django_assert_num_queries(8):
        page = client.get("/analytics/").content.decode()

    assert re.search(r'currency=EUR">EUR</a>.*?<td class="number">8</td>', page, re.DOTALL)
    assert "SEK" not in page
    assert "<title>2031: 2</title>" in page
    assert "<title>Week of 2026-07-13: 6 new, 4 changed, 1 ended</title>" in page
    assert f"<title>{dt.datetime.now(dt.UTC):%Y-%m-%d}: 9 instruments</title>" in page


@pytest.mark.usefixtures("demo")
def test_the_growth_of_each_day_is_kept() -> None:
    figures.recount()
    Figure.objects.update(day=dt.date(2026, 1, 1))
    figures.recount()

    kept = Figure.objects.filter(day=dt.date(2026, 1, 1))
    assert {figure.subject for figure in kept} == {FigureSubject.GROWTH}
    quality = Figure.objects.read_newest(FigureSubject.QUALITY)[FigureSubject.QUALITY]
    assert quality == {
        "": 9,
        "cfi_code": 0,
        "full_name": 0,
        "issuer_lei": 0,
        "notional_currency": 0,
    }
