"""Facets, and a filter by gaps, of the list of instruments in the admin."""

import datetime as dt

import pytest
from django.test import Client

from curation.models import Problem
from instruments.models import Instrument
from tests.accounts.clients import make_user
from tests.demo_files import BOND, SHARE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo")]
INSTRUMENTS = "/admin/instruments/instrument/"


def test_facets_of_instruments_are_those_of_searches(client: Client) -> None:
    client.force_login(make_user("ada", "admin"))
    shares = Instrument.objects.of_category("E").count()

    page = client.get(INSTRUMENTS, {"_facets": "True"}).content.decode()
    searched = client.get(INSTRUMENTS, {"_facets": "True", "q": SHARE}).content.decode()

    assert f"Equities ({shares})" in page
    assert "Equities (1)" in searched
    assert "Debt instruments (0)" in searched


def test_instruments_are_filtered_by_a_gap(client: Client) -> None:
    client.force_login(make_user("ada", "admin"))
    Problem.objects.create(kind="no_entity", isin=SHARE, found_on=dt.date(2026, 7, 20))

    page = client.get(INSTRUMENTS, {"problem": "no_entity"}).content.decode()
    record = client.get(f"{INSTRUMENTS}{SHARE}/change/").content.decode()

    assert f"{INSTRUMENTS}{SHARE}/change/" in page
    assert f"{INSTRUMENTS}{BOND}/change/" not in page
    assert f'href="/admin/curation/noentityproblem/?q={SHARE}"' in record
