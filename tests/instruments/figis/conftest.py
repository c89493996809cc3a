"""Instruments with FIGIs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from instruments import pipeline
from instruments.models import Venue
from tests import firds
from tests.openfigi import IBM

NAME = "FULINS_E_20250302_01of01"
VOLVO, ERICSSON, SANDVIK = "SE0000115446", "SE0000108656", "SE0000667891"


@pytest.fixture
def instruments(make_zip: Callable[..., Path]) -> None:
    """IBM with listings on Xetra, a segment of Milan, two of Stuttgart, and London; and Swedish shares."""
    Venue.objects.bulk_create(
        Venue(
            mic=mic, operating_mic=operating, kind="SGMT", name=mic, country="DE", status="ACTIVE"
        )
        for mic, operating in (("MTAA", "XMIL"), ("STUA", "XSTU"), ("STUB", "XSTU"))
    )
    venues = ("XETR", "MTAA", "STUA", "STUB", "XLON")
    listings = [
        firds.record("RefData", IBM, mic, name="IBM Corp", period="2025-03-01") for mic in venues
    ]
    shares = [
        firds.record("RefData", isin, "XSTO", name=name, period="2025-03-01")
        for isin, name in ((VOLVO, "Volvo"), (ERICSSON, "Ericsson"), (SANDVIK, "Sandvik"))
    ]
    path = make_zip(NAME, firds.message(NAME, *listings, *shares))
    for loaded in pipeline.load(pipeline.register_files([path])):
        assert loaded.error is None
