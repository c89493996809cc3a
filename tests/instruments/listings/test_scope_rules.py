"""Scopes narrow, wide and pruned: the tables are what the files and the scope say, nothing else."""

import io
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import event, given
from hypothesis import strategies as st

from instruments import pipeline
from instruments.listings import scoping
from instruments.models import (
    ListedVenue,
    Listing,
    Scope,
)
from tests import firds
from tests.conftest import FIRDS
from tests.instruments.listings.merging import VOLVO, Write, counts, day, delta, full, load
from tests.instruments.listings.model import (
    MadeFile,
    MadeRecord,
    expected,
    found,
    in_publication_order,
)
from tests.instruments.listings.test_any_order import FILES, KEYS, clear, dump
from tests.instruments.listings.test_scope import EU, set_scope, total
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

Criteria = dict[str, list[str]]
CRITERIA = st.fixed_dictionaries(
    {
        "categories": st.sampled_from([[], ["E"], ["D"], ["D", "E"]]),
        "authorities": st.sampled_from([[], ["SE"], ["DE"]]),
        "venues": st.sampled_from([[], [], ["AAAA"]]),
        "isins": st.sampled_from([[], [], [VOLVO]]),
    }
)


def wider(criteria: Criteria, more: Criteria) -> Criteria:
    """A scope with all of the first one in it."""
    if not any(criteria.values()):
        return criteria
    kinds = ("categories", "authorities", "venues")
    if not any(criteria[kind] for kind in kinds):
        if not any(more[kind] for kind in kinds):
            return {**criteria, "isins": sorted({*criteria["isins"], *more["isins"]})}
        return {**more, "isins": criteria["isins"]}
    found = {
        kind: sorted({*criteria[kind], *more[kind]}) if criteria[kind] and more[kind] else []
        for kind in kinds
    }
    if not any(found.values()):
        return {kind: [] for kind in (*kinds, "isins")}
    return {**found, "isins": sorted({*criteria["isins"], *more["isins"]})}


def says(criteria: Criteria, record: MadeRecord) -> bool:
    """Return whether a record itself is in scope."""
    kinds = {"categories": record.cfi[0], "authorities": record.authority, "venues": record.mic}
    given_ = {kind: criteria[kind] for kind in kinds if criteria[kind]}
    if not given_ and not criteria["isins"]:
        return True
    if record.isin in criteria["isins"]:
        return True
    bare = {"categories": "", "authorities": ""} if record.is_bare else {}
    ends = record.tag in ("CancRcrd", "CxlData")
    return bool(given_) and all(
        (not ends if not (value := {**kinds, **bare}[kind]) else value in wanted)
        for kind, wanted in given_.items()
    )


def taken(files: Iterable[MadeFile], criteria: Criteria) -> list[MadeFile]:
    """Return the records that count: those of a listing from its first record in scope on."""
    followed: set[tuple[str, str]] = set()
    left = []
    for file in in_publication_order(files):
        letters = [] if criteria["isins"] else criteria["categories"]
        is_skipped = file.name.startswith("FULINS_E") and "E" not in (letters or ["E"])
        records = []
        for record in () if is_skipped else file.records:
            key = (record.isin, record.mic)
            in_scope = says(criteria, record)
            if in_scope or key in followed:
                records.append(record)
                followed.add(key)
        if not is_skipped:
            left.append(MadeFile(file.name, tuple(records)))
    return left


@st.composite
def scoped_files(draw: st.DrawFn) -> list[MadeFile]:
    """Files whose records differ in category and authority, and in name where they do."""
    files = []
    for name in draw(st.lists(st.sampled_from(FILES), min_size=2, max_size=5, unique=True)):
        is_full, lists = name.startswith("FULINS"), name.startswith("FULCAN")
        tags = ["RefData"] if is_full else ["CxlData"] if lists else firds.RECORDS[1:5]
        records = []
        for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)):
            cfi = "ESVUFR" if is_full else draw(st.sampled_from(["ESVUFR", "DBFTFB"]))
            authority = draw(st.sampled_from(["SE", "DE", ""]))
            called = f"Name {cfi} {authority or 'none'}"
            if lists and draw(st.booleans()):
                called = ""
            period = draw(st.sampled_from([None, day(1), day(4)]))
            tag = draw(st.sampled_from(tags))
            records.append(MadeRecord(tag, *key, called, period, cfi, authority))
        files.append(MadeFile(name, tuple(records)))
    return files


def load_made(make_zip: Write, files: Iterable[MadeFile]) -> None:
    for file in files:
        [loaded] = pipeline.load(pipeline.register_files([make_zip(file.name, file.xml())]))
        assert loaded.error is None
        assert loaded.run is not None
        assert total(loaded.run) == loaded.run.read or not loaded.run.read


def fill() -> None:
    for loaded in scoping.backfill(EU):
        assert loaded.error is None
    assert scoping.backlog(EU) == scoping.Backlog([], [])


def state() -> list[Any]:
    assert dict(ListedVenue.objects.values_list("mic", "listings")) == Counter(
        Listing.objects.values_list("mic", flat=True)
    )
    return dump()


@pytest.mark.slow
def test_real_files_narrow_and_then_whole_are_as_whole_from_the_beginning() -> None:
    paths = [*sorted(FIRDS.glob("FULINS_*_2025*.zip")), FIRDS / "DLTINS_20210117_01of01.zip"]

    def load_all() -> None:
        for loaded in pipeline.load(pipeline.register_files(paths)):
            assert loaded.error is None
            assert loaded.run is not None
            assert total(loaded.run) == loaded.run.read

    load_all()
    whole = dump()
    clear()
    set_scope(categories=["D"], authorities=["DE"])
    load_all()
    assert 0 < Listing.objects.count() < len(whole) / 4
    set_scope()
    for loaded in scoping.backfill(EU):
        assert loaded.error is None

    assert dump() == whole


def test_what_its_own_set_had_dropped_is_there_when_that_is_read_anew(make_zip: Write) -> None:
    """The delta comes first, while the full set is known without what was out of scope."""
    set_scope(venues=["AAAA"])
    record = [(mic, {"name": "One", "period": day(1)}) for mic in ("AAAA", "BBBB")]
    load(make_zip, delta(2), *(firds.record("NewRcrd", VOLVO, mic, **it) for mic, it in record))
    load(make_zip, full(5), *(firds.record("RefData", VOLVO, mic, **it) for mic, it in record))
    assert [listing.mic for listing in Listing.objects.all()] == ["AAAA"]

    set_scope()
    [of_delta, of_full] = scoping.backfill(EU)

    assert of_delta.run is not None
    assert counts(of_delta.run) == {"new": 1, "unchanged": 1}
    assert of_full.run is not None
    assert counts(of_full.run) == {"changed": 1, "unchanged": 1}
    assert {listing.mic: listing.status for listing in Listing.objects.all()} == {
        "AAAA": "active",
        "BBBB": "active",
    }


@pytest.mark.slow
@examples(20)
@given(files=scoped_files(), narrow=CRITERIA, more=CRITERIA)
def test_widened_and_filled_is_as_wide_from_the_beginning(
    make_zip: Write, files: list[MadeFile], narrow: Criteria, more: Criteria
) -> None:
    wide = wider(narrow, more)
    clear()
    Scope.objects.all().delete()
    set_scope(**narrow)
    load_made(make_zip, files)
    fill()
    assert found() == expected(taken(files, narrow))
    once = dump()
    load_made(make_zip, in_publication_order(files)[:1])
    fill()
    assert dump() == once
    event(f"{'some' if Listing.objects.exists() else 'none'} in the narrow scope")

    set_scope(**wide)
    fill()
    widened = state()
    assert found() == expected(taken(files, wide))
    clear()
    load_made(make_zip, in_publication_order(files))
    assert state() == widened


@pytest.mark.slow
@examples(20)
@given(files=scoped_files(), criteria=CRITERIA)
def test_pruned_is_what_has_a_record_in_scope_and_comes_back(
    make_zip: Write, files: list[MadeFile], criteria: Criteria
) -> None:
    clear()
    Scope.objects.all().delete()
    set_scope()
    load_made(make_zip, files)
    whole = state()
    listings, versions = found()
    set_scope(**criteria)
    keys = {(r.isin, r.mic) for file in files for r in file.records if says(criteria, r)}
    if any(criteria.values()):
        call_command("scope", "prune", "--yes", stdout=io.StringIO())

    left = tuple({row for row in rows if row[:2] in keys} for rows in (listings, versions))
    assert found() == left
    state()
    set_scope()
    fill()
    assert state() == whole
