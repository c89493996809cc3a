"""Work of a load beside its merges: the write-ahead log, and the parts of the index of names."""

import logging
import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from instruments.listings.load import search_index
from instruments.listings.search import INDEX
from instruments.models import Instrument
from instruments.staging.wal import WriteAheadLog
from tests import firds
from tests.conftest import DATA
from tests.installation import Installation
from tests.instruments.listings.merging import VOLVO, Write, day, delta, load

pytestmark = pytest.mark.sqlite
SMALL = DATA / "firds_2021" / "FULINS_F_20210117_01of01.zip"
SMALL_RECORDS = 2_664


def one(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_parts_of_the_index_become_one_after_a_load_and_not_in_a_merge(make_zip: Write) -> None:
    search_index.rebuild()  # tests before this one leave parts in an index that has nothing else of theirs
    parts = []
    for number in range(1, 26):
        tag = "ModfdRcrd" if number > 1 else "NewRcrd"
        name = f"Volvo number{number}"
        load(
            make_zip,
            delta(number),
            firds.record(tag, VOLVO, "XSTO", name=name, period=day(number)),
        )
        parts.append(one(f"SELECT count(DISTINCT segid) FROM {INDEX}_idx"))

    assert parts[1] == parts[0] + 2, "one with the words that go, and one with those that come"
    assert max(parts) < 25, "16 are put together when the load that wrote the last is done"
    found = Instrument.objects.search
    assert [i.isin for i in found("volvo number25")] == [VOLVO]
    assert not found("number24").exists(), "words that were replaced stay forgotten"


@pytest.mark.slow
def test_a_load_leaves_nothing_in_the_log(tmp_path: Path) -> None:
    """Another process has the database open, so the last one to close it is not what copies the log."""
    installation = Installation(tmp_path)
    installation.run("migrate")
    with closing(sqlite3.connect(installation.database)) as other:
        other.execute("SELECT count(*) FROM sqlite_master")
        installation.run("load", SMALL)
        alone = tmp_path / "alone.sqlite3"
        shutil.copyfile(installation.database, alone)

    with closing(sqlite3.connect(alone)) as copied:
        (listings,) = copied.execute("SELECT count(*) FROM instruments_listing").fetchone()
    assert listings == SMALL_RECORDS


@pytest.mark.django_db(transaction=True)
def test_a_log_that_cannot_be_copied_is_warned_of_and_keeps_what_it_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with connection.cursor() as cursor, caplog.at_level(logging.WARNING):
        cursor.execute("CREATE TABLE wide (a)")
        try:
            with WriteAheadLog(connection).kept_short() as log:
                cursor.execute("INSERT INTO wide VALUES (zeroblob(4000000))")
                # Nothing can be written to any file.
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
                log.merged()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert one("SELECT length(a) FROM wide") == 4_000_000
        cursor.execute("DROP TABLE wide")

    assert "could not be copied into the database" in caplog.text
