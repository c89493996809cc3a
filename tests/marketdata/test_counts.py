"""Counters in a file, as two processes use them: each has a cache object of its own."""

import sqlite3
import time
from pathlib import Path

import pytest

from marketdata.web.counts import FileCounts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counts.sqlite3"


def counts_of(path: Path) -> FileCounts:
    return FileCounts(str(path), {})


def count(counts: FileCounts, key: str = "key 1", *, timeout: float = 60) -> int:
    """Count as django-ratelimit does: start the counter at 1, or add to it."""
    return 1 if counts.add(key, 1, timeout) else counts.incr(key)


def test_objects_share_their_counters(path: Path) -> None:
    first, second = counts_of(path), counts_of(path)

    assert [count(first), count(second), count(first), count(second)] == [1, 2, 3, 4]
    assert count(second, "key 2") == 1
    assert (first.get("key 1"), first.get("key 2"), first.get("key 3")) == (4, 1, None)


def test_a_counter_begins_anew_after_its_time(path: Path) -> None:
    first, second = counts_of(path), counts_of(path)
    assert [count(first, timeout=0.5), count(second)] == [1, 2]

    time.sleep(0.6)

    assert [count(second), count(first)] == [1, 2], "for each object that knew its end"


def test_a_counter_that_was_removed_begins_anew(path: Path) -> None:
    counts = counts_of(path)
    count(counts)
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM counts")
    other.close()

    with pytest.raises(ValueError, match="not found"):
        counts.incr("key 1")

    assert [count(counts), count(counts)] == [1, 2]
    counts.clear()
    assert count(counts) == 1
