"""A load that is interrupted between two slices leaves nothing: what it had merged is taken out again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from esma_files.models import EsmaFile, Run
from instruments import interrupted, pipeline
from instruments.models import Listing, ListingVersion, WithdrawnRecord
from tests import firds
from tests.instruments.listings.merging import DSB, VOLVO, Write, counts, day, delta, load
from tests.instruments.listings.model import MadeFile, MadeRecord
from tests.instruments.listings.test_any_order import clear, derive_anew, made_files
from tests.instruments.listings.test_republished import load_path, state
from tests.properties import examples

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
NORDEA = "FI4000297767"
ISINS = sorted([VOLVO, NORDEA, DSB])
TABLES = (Listing._meta.db_table, ListingVersion._meta.db_table)


@contextmanager
def refusing(*statements: str) -> Iterator[None]:
    """Have the database refuse statements, as it does when a disk is full."""
    with connection.cursor() as cursor:
        for number, statement in enumerate(statements):
            cursor.execute(
                f"CREATE TRIGGER refuse_{number} BEFORE {statement}"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        try:
            yield
        finally:
            for number in range(len(statements)):
                cursor.execute(f"DROP TRIGGER refuse_{number}")


def records_of(file: EsmaFile, isin: str) -> list[str]:
    """Return the statements that write records of a file, from an ISIN on."""
    condition = f"WHEN new.source_file_id = {file.pk} AND new.isin >= '{isin}'"
    return [f"{verb} ON {table} {condition}" for verb in ("INSERT", "UPDATE") for table in TABLES]


def register(make_zip: Write, name: str, *records: str) -> EsmaFile:
    [file] = pipeline.register_files([make_zip(name, firds.message(name, *records))])
    return file


def load_until(file: EsmaFile, isin: str, *also_refused: str) -> bool:
    """Load a file until a record of this ISIN is written; return whether the load failed there."""
    with (
        override_settings(MERGE_RECORDS=1),
        refusing(*records_of(file, isin), *also_refused),
        suppress(IntegrityError),
    ):
        list(pipeline.load([file]))
    file.refresh_from_db()
    return file.state == EsmaFile.State.FAILED and "refused" in file.problem


def leave_as_if_killed(file: EsmaFile, isin: str) -> None:
    """Leave a part of a file in the tables, and the file in the hands of a process that has ended."""
    assert load_until(file, isin, f"DELETE ON {TABLES[0]}")
    ended = f"{socket.gethostname()}/1/0"
    EsmaFile.objects.filter(pk=file.pk).update(
        state=EsmaFile.State.LOADING, claimed_by=ended, attempts=0
    )
    Run.objects.filter(file=file).update(state=Run.State.RUNNING, claimed_by=ended)
    file.refresh_from_db()
    assert file.is_partly_merged


def new(isin: str, *, name: str = "A name", number: int = 1) -> str:
    return firds.record("NewRcrd", isin, "XSTO", name=name, period=day(number))


def test_a_load_that_the_database_refuses_leaves_nothing(make_zip: Write) -> None:
    load(make_zip, delta(2), *(new(isin) for isin in ISINS[1:]))
    before = state()
    changed = (new(isin, name="Another", number=3) for isin in ISINS)
    file = register(make_zip, delta(3), *changed)

    assert load_until(file, ISINS[2])

    assert state() == before
    file.refresh_from_db()
    assert (file.state, file.is_partly_merged) == (EsmaFile.State.FAILED, False)
    assert "refused" in file.problem
    undone = Run.objects.get(kind=Run.Kind.UNDO)
    assert (undone.state, undone.ended) == (Run.State.DONE, 2)
    assert not WithdrawnRecord.objects.exists()
    [loaded] = pipeline.load([file])
    assert loaded.run is not None
    assert counts(loaded.run) == {"new": 1, "changed": 2}


def test_a_file_that_a_load_is_requested_for_is_left_to_it(make_zip: Write) -> None:
    file = register(make_zip, delta(2), *(new(isin) for isin in ISINS))
    leave_as_if_killed(file, ISINS[2])
    queued = Run.objects.create(kind=Run.Kind.LOAD, file=file, state=Run.State.QUEUED)

    assert interrupted.undo_all() == 0

    list(pipeline.load([file], run=Run.objects.claim(queued.pk)))
    queued.refresh_from_db()
    assert (queued.state, queued.read) == (Run.State.DONE, 3)
    assert Listing.objects.count() == 3


def test_another_load_finishes_an_interrupted_file_for_the_run_that_waits(make_zip: Write) -> None:
    file = register(make_zip, delta(2), *(new(isin) for isin in ISINS))
    leave_as_if_killed(file, ISINS[2])
    queued = Run.objects.create(kind=Run.Kind.LOAD, file=file, state=Run.State.QUEUED)
    other = register(make_zip, delta(3), new(VOLVO, name="Another", number=3))

    list(pipeline.load([other]))

    queued.refresh_from_db()
    assert (queued.state, queued.read) == (Run.State.DONE, 3)
    assert not EsmaFile.objects.exclude(state=EsmaFile.State.LOADED).exists()


def test_an_interrupted_file_is_left_to_the_worker_that_has_begun_its_run(make_zip: Write) -> None:
    file = register(make_zip, delta(2), *(new(isin) for isin in ISINS))
    leave_as_if_killed(file, ISINS[2])
    begun = Run.begin(Run.Kind.LOAD, file=file)
    other = register(make_zip, delta(3), new(VOLVO, name="Another", number=3))

    [loaded] = pipeline.load([other])

    assert loaded.file == other
    file.refresh_from_db()
    assert (file.state, file.is_partly_merged) == (EsmaFile.State.DOWNLOADED, True)
    list(pipeline.load([file], run=begun))
    begun.refresh_from_db()
    assert (begun.state, begun.read) == (Run.State.DONE, 3)


def test_a_load_waits_until_its_file_is_undone(make_zip: Write) -> None:
    file = register(make_zip, delta(2), new(VOLVO))
    files, undoing = EsmaFile.objects, Run.begin(Run.Kind.UNDO, file=file)
    assert files.claim(file.pk, from_state=file.state, to_state=EsmaFile.State.LOADING)

    def end_undoing() -> None:
        files.filter(pk=file.pk).update(state=EsmaFile.State.DOWNLOADED, claimed_by="")
        undoing.end()
        connection.close()

    timer = threading.Timer(0.5, end_undoing)
    timer.start()
    [loaded] = pipeline.load([file])
    timer.join()

    assert loaded.run is not None
    assert counts(loaded.run) == {"new": 1}


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_killed_load_is_undone_before_the_next_answer(
    make_zip: Write, *, is_stored: bool
) -> None:
    """Also if the file has been lost, so that the next load cannot finish it."""
    load(make_zip, delta(2), *(new(isin) for isin in ISINS[1:]))
    before = state()
    file = register(make_zip, delta(3), *(new(isin, name="Wrong", number=3) for isin in ISINS))
    leave_as_if_killed(file, ISINS[2])
    assert Listing.objects.filter(full_name="Wrong").count() == 2
    if not is_stored:
        file.content.storage.delete(file.stored_name)

    call_command("instruments", "list")

    assert state() == before
    file.refresh_from_db()
    assert (file.state, file.is_partly_merged) == (EsmaFile.State.DOWNLOADED, False)
    assert interrupted.undo_all() == 0


def test_a_record_that_a_later_file_repeats_stays_when_a_load_is_undone(make_zip: Write) -> None:
    """The later file was read when the part of the earlier one was in the tables."""
    file = register(make_zip, delta(2), *(new(isin) for isin in ISINS))
    leave_as_if_killed(file, ISINS[1])
    EsmaFile.objects.filter(pk=file.pk).update(is_partly_merged=False)
    run = load(make_zip, delta(4), *(new(isin) for isin in ISINS[:2]))
    EsmaFile.objects.filter(pk=file.pk).update(is_partly_merged=True)
    assert counts(run) == {"new": 1, "unchanged": 1}

    assert interrupted.undo_all() == 1

    repeated = Listing.objects.values_list("isin", "source_file__name").order_by("isin")
    assert list(repeated) == [(isin, f"{delta(4)}.zip") for isin in ISINS[:2]]


def test_a_file_that_was_loaded_before_is_not_undone(make_zip: Write) -> None:
    load(make_zip, delta(2), *(new(isin) for isin in ISINS))
    before = state()
    EsmaFile.objects.update(state=EsmaFile.State.FAILED, is_partly_merged=True)

    assert interrupted.undo_all() == 0

    assert state() == before
    [finished] = pipeline.load([])
    assert finished.file.state == EsmaFile.State.LOADED


def test_an_interrupted_file_is_finished_by_the_load_of_another(make_zip: Write) -> None:
    file = register(make_zip, delta(2), *(new(isin) for isin in ISINS))
    leave_as_if_killed(file, ISINS[1])

    finished, loaded = pipeline.load([register(make_zip, delta(3), new(VOLVO))])

    assert (finished.file.name, loaded.file.name) == (f"{delta(2)}.zip", f"{delta(3)}.zip")
    assert finished.run is not None
    assert counts(finished.run) == {"new": 2, "unchanged": 1}
    file.refresh_from_db()
    assert (file.state, file.is_partly_merged) == (EsmaFile.State.LOADED, False)


def test_a_process_that_starts_undoes_what_another_has_left(
    make_zip: Write, settings: LazySettings
) -> None:
    file = register(make_zip, delta(2), *(new(isin) for isin in ISINS))
    leave_as_if_killed(file, ISINS[2])

    interrupted.undo_at_start()

    assert not Listing.objects.exists()


@pytest.mark.slow
@examples(60)
@example(
    isin=VOLVO,
    files=[
        MadeFile(delta(5), (MadeRecord("NewRcrd", VOLVO, "AAAA", "One name", None),)),
        MadeFile(
            delta(3),
            (
                MadeRecord("TermntdRcrd", DSB, "AAAA", "One name", None),
                MadeRecord("NewRcrd", VOLVO, "AAAA", "One name", None),
            ),
        ),
    ],
)
@given(isin=st.sampled_from([DSB, VOLVO]), files=made_files())
def test_a_load_that_is_interrupted_anywhere_leaves_the_tables_as_before(
    make_zip: Write, isin: str, files: list[MadeFile]
) -> None:
    """Whatever was loaded before, and in whatever order the files were published."""
    clear()
    *before, last = sorted(files, key=lambda made: made.name.startswith("DLTINS"))
    for made in before:
        load_path(make_zip(made.name, made.xml()))
    tables = state()
    [file] = pipeline.register_files([make_zip(last.name, last.xml())])

    if load_until(file, isin):
        assert state() == tables
        derive_anew()
        assert state() == tables
        [loaded] = pipeline.load([file])
        assert loaded.error is None


class UndoneMeanwhile:
    """Notes, before a file is merged, that another process has undone a load, as such a process does."""

    def reading(self, file: EsmaFile, records: int, share: float) -> None:
        pass

    def merging(self, file: EsmaFile, share: float) -> None:
        if not Run.objects.of(Run.Kind.UNDO).exists():
            Run.begin(Run.Kind.UNDO, file=file).end()

    def optimizing_index(self) -> None:
        pass


def test_a_load_that_needs_records_withdrawn_meanwhile_is_repeated(make_zip: Write) -> None:
    file = register(make_zip, delta(2), new(VOLVO))
    list(pipeline.load([file]))
    queued = Run.objects.create(kind=Run.Kind.LOAD, file=file, state=Run.State.QUEUED)
    run = Run.objects.claim(queued.pk)

    [result] = pipeline.load([file], run=run, progress=UndoneMeanwhile())
    first, second = Run.objects.of(Run.Kind.LOAD).exclude(state=Run.State.DONE).order_by("pk")
    file.refresh_from_db()

    assert "records were withdrawn while it was read" in str(result.error)
    assert (first.state, second.state, second.attempt) == ("abandoned", "queued", 2)
    assert f"Run {second.pk} is its next attempt" in first.problem
    assert (file.state, file.attempts) == (EsmaFile.State.DOWNLOADED, 0)
    again = Run.objects.claim(second.pk)
    assert [loaded.error for loaded in pipeline.load([file], run=again)] == [None]


def test_a_requested_load_whose_turn_did_not_come_is_repeated(make_zip: Write) -> None:
    earlier, file = register(make_zip, delta(2), new(VOLVO)), register(make_zip, delta(3), new(DSB))
    queued = Run.objects.create(kind=Run.Kind.LOAD, file=file, state=Run.State.QUEUED)

    loads = pipeline.load([earlier, file], run=Run.objects.claim(queued.pk))
    next(loads)
    loads.close()
    first, second = Run.objects.filter(file=file).order_by("pk")
    file.refresh_from_db()

    assert (first.state, second.state, second.attempt) == ("abandoned", "queued", 2)
    assert file.state == EsmaFile.State.DOWNLOADED
