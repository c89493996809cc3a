"""Tables that are neither read nor written while nothing of their subject is loaded."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from instruments.models import DataSubject, DataVersion, Venue
from lake import history
from lake.tables import get_table
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, delta, full, load
from tests.lake.conftest import assert_equals_database, publish

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_a_table_is_read_again_when_its_subject_has_changed() -> None:
    venues = get_table("venues")
    call_command("load_venues", stdout=io.StringIO())
    publish(venues)
    Venue.objects.filter(mic="XSTO").update(city="ELSEWHERE")

    assert publish(venues)["venues"].written == 0  # no load has told of a change
    DataVersion.objects.renew(DataSubject.VENUES)
    assert publish(venues)["venues"].written == 1
    assert_equals_database((venues,))


@pytest.mark.slow
def test_a_table_gets_no_version_while_its_subject_is_unchanged(
    make_zip: Write, own_lake: Path
) -> None:
    venues = get_table("venues")
    call_command("load_venues", stdout=io.StringIO())
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1), name="One"))
    publish()
    load(make_zip, delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", period=day(5), name="Two"))

    published = publish()

    last = published["listings"].data_version
    assert published["listings"].version == 1
    assert published["venues"].version == 0
    assert published["venues"].data_version < last
    assert published["venues"].rows == Venue.objects.count() > 1_000
    assert history.get_version_at(venues, last).version == 0
    listed = json.loads((own_lake / "published.json").read_bytes())
    assert listed["data_version"] == last
    assert listed["tables"]["venues"] == {"version": 0, "rows": Venue.objects.count()}
    DataVersion.objects.renew(DataSubject.VENUES)
    assert publish()["venues"].version == 1
    assert publish()["venues"].version == 1
    assert_equals_database()
