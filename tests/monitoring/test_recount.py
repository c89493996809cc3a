"""Counting the tables anew, for `manage.py stats --recount`."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from instruments.models import Instrument, InstrumentCount, TableCount
from tests.instruments.kept_counts import check_counts

pytestmark = pytest.mark.usefixtures("real_instruments")


def read_stats(*options: str) -> Any:
    out = io.StringIO()
    call_command("stats", "--format", "json", *options, stdout=out)
    stats = json.loads(out.getvalue())
    del stats["database_bytes"]
    del stats["coverage"]  # with the time of the count; tests/instruments/enrichment has it
    return stats


def test_counts_that_are_wrong_are_counted_anew() -> None:
    before = read_stats()
    InstrumentCount.objects.all().delete()
    TableCount.objects.update(rows=99)
    assert read_stats()["instruments"] == 0

    assert read_stats("--recount") == before
    check_counts()
    assert before["instruments"] == Instrument.objects.count()
