"""Whatever is loaded: a client of the changes feed has the listings, and the lake has its tables."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import proposals
from curation.proposals import Proposal
from esma_files.models import EsmaFile
from instruments import pipeline
from instruments.listings import changes
from instruments.models import (
    ChangeSet,
    Correction,
    DataVersion,
    Instrument,
    Listing,
    ListingVersion,
)
from lake import publishing
from lake.tables import get_table
from tests import firds
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, full, load
from tests.instruments.listings.model import MadeRecord
from tests.instruments.listings.test_any_order import FILES, KEYS, clear
from tests.instruments.listings.test_interrupted import load_until
from tests.lake.conftest import assert_equals_database
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

# As in a lake that is so large that changed rows are put beside its tables.
TABLES = tuple(
    dataclasses.replace(get_table(name), recent_from=0)
    for name in ("instruments", "listings", "listing_versions", "underlyings")
)
_KEYS = KEYS[:3]
_NAMES = ("One name", "Another")
_TIME_DEPENDENT = (
    "cursor",
    "learned_at",
    "kind",
)  # what a change says of the time when it was read


class Publication(NamedTuple):
    """A file as it is published for the first time, or again.

    `stops_at` is the ISIN at which its load fails, `is_in_lake` whether the lake is published after it.
    """

    name: str
    revision: int
    records: tuple[MadeRecord, ...]
    stops_at: str
    is_in_lake: bool

    def write(self, make_zip: Write) -> EsmaFile:
        created = f"{day(8 + self.revision)}T03:00:00Z"
        xml = firds.message(self.name, *(row.xml() for row in self.records), created=created)
        path = make_zip(self.name, xml, folder=f"revision_{self.revision}")
        [file] = pipeline.register_files([path])
        return file


@st.composite
def made_publications(draw: st.DrawFn) -> list[Publication]:
    names = st.sampled_from(FILES)
    chosen = draw(
        st.lists(st.tuples(names, st.integers(0, 1)), min_size=2, max_size=7, unique=True)
    )
    publications = []
    for name, revision in chosen:
        tags = {"FULINS": ["RefData"], "FULCAN": ["CxlData"]}.get(name[:6], firds.RECORDS[1:])
        keys = draw(st.lists(st.sampled_from(_KEYS), min_size=1, max_size=3, unique=True))
        records = tuple(
            MadeRecord(
                draw(st.sampled_from(tags)),
                *key,
                draw(st.sampled_from(_NAMES)),
                draw(st.sampled_from([None, day(1), day(3)])),
            )
            for key in keys
        )
        stops_at = draw(st.sampled_from(["", "", "", DSB, VOLVO]))
        publications.append(Publication(name, revision, records, stops_at, draw(st.booleans())))
    return publications


class Mirror:
    """A client that keeps the last change of each listing, and deletes those that are withdrawn."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.changes: dict[tuple[str, ...], dict[str, Any]] = {}

    def follow(self) -> None:
        page = changes.read_page(self.cursor, 1_000, with_record=True)
        for change in page.changes:
            listing = change["isin"], change["mic"], change["register"]
            self.changes.pop(listing, None)
            if change["kind"] != changes.WITHDRAWN:
                self.changes[listing] = {
                    name: value for name, value in change.items() if name not in _TIME_DEPENDENT
                }
        self.cursor = str(page.cursor)


def test_rows_are_beside_the_tables_once_if_the_lake_is_published_again(make_zip: Write) -> None:
    """With a correction, whose instrument counts as changed each time."""
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", name="One name", period=day(1)))
    list(publishing.publish(TABLES))
    correct("Another")

    for _ in range(2):
        list(publishing.publish(TABLES))
        assert_equals_database(TABLES)


def test_rows_beside_the_tables_follow_a_file_that_only_changes_versions(make_zip: Write) -> None:
    load(make_zip, full(6), firds.record("RefData", VOLVO, "AAAA", period=day(6)))
    list(publishing.publish(TABLES))
    for number, name in ((2, "One name"), (3, "Another")):
        record = firds.record("ModfdRcrd", VOLVO, "AAAA", name=name, period=day(number))
        load(make_zip, delta(number), record)
        published = {item.table: item for item in publishing.publish(TABLES)}
        assert_equals_database(TABLES)

    assert ListingVersion.objects.count() == 2
    assert published["listing_versions_recent"].data_version == 3


@pytest.mark.slow
@pytest.mark.sqlite
@examples(40)
@given(publications=made_publications(), corrected=st.sampled_from([None, *_NAMES, "Right"]))
def test_mirrors_have_what_the_tables_have(
    make_zip: Write, own_lake: Path, publications: list[Publication], corrected: str | None
) -> None:
    clear()
    for model in (Correction, DataVersion):
        model.objects.all().delete()
    ChangeSet.objects.exclude(number=ChangeSet.FIRST).delete()
    shutil.rmtree(own_lake, ignore_errors=True)
    client = Mirror()
    for publication in publications:
        file = publication.write(make_zip)
        if not (publication.stops_at and load_until(file, publication.stops_at)):
            [loaded] = pipeline.load([file])
            assert loaded.error is None
        client.follow()
        if publication.is_in_lake:
            list(publishing.publish(TABLES))
            if corrected:
                correct(corrected)
                corrected = None
            list(publishing.publish(TABLES))
            assert_equals_database(TABLES)
        client.follow()
        new_client = Mirror()
        new_client.follow()
        assert client.changes == new_client.changes
        keys = Listing.objects.values_list("isin", "mic", "register")
        assert client.changes.keys() == set(keys)


def correct(name: str) -> None:
    """Correct the name of an instrument that has another one."""
    instrument = Instrument.objects.filter(status="active").exclude(full_name=name).first()
    if instrument is not None:
        proposal = Proposal(
            *("ESMA", instrument.isin, "full_name", name, "Misspelt"), mic=instrument.mic
        )
        proposals.approve(proposals.propose(proposal, by="ann"), by="carl")
