"""Entries of zips that a process of its own unpacks."""

import io
import os
import random
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from esma_files import archive, unpacking
from esma_files.errors import BadXml, UnpackingEnded
from esma_files.parsing.pipe import piped

CONTENT = random.Random(20).randbytes(3_000_000) + bytes(3_000_000)


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    """A zip with two entries of one name, of which the second is large."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.xml", b"small")
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("a.xml", CONTENT)
    return path


def read_entry(source: IO[bytes], place: int) -> Iterator[bytes]:
    with archive.opened(source, file_name="a.zip", max_bytes=10**9) as opened:
        entry = opened.infolist()[place]
        with unpacking.opened_entry(opened, entry, from_bytes=1) as stream:
            while chunk := stream.read(100_000):
                yield chunk


@pytest.fixture
def read_children() -> Callable[[], list[int]]:
    """A function that returns the processes that this test has started, zombies too."""

    def read() -> set[int]:
        return {child.pid for child in psutil.Process().children()}

    others = read()  # servers that other tests have started, too
    return lambda: list(read() - others)


@pytest.mark.parametrize(("place", "content"), [(0, b"small"), (1, CONTENT)])
def test_another_process_unpacks_the_entry_at_its_place(
    zipped: Path, read_children: Callable[[], list[int]], place: int, content: bytes
) -> None:
    with zipped.open("rb") as source:
        chunks = list(read_entry(source, place))

    assert b"".join(chunks) == content
    assert {len(chunk) for chunk in chunks[:-1]} <= {100_000}  # as large as asked for
    assert read_children() == []


def test_a_zip_that_is_no_file_on_disk_is_unpacked_here(zipped: Path) -> None:
    assert b"".join(read_entry(io.BytesIO(zipped.read_bytes()), 1)) == CONTENT


def test_a_reader_that_stops_early_ends_the_process(
    zipped: Path, read_children: Callable[[], list[int]]
) -> None:
    with zipped.open("rb") as source:
        chunks = read_entry(source, 1)
        next(chunks)
        assert len(read_children()) == 1
        chunks.close()  # type: ignore[attr-defined]  # a generator

    assert read_children() == []


def test_damage_is_an_error_with_the_same_words_as_without_the_process(zipped: Path) -> None:
    damaged = bytearray(zipped.read_bytes())
    damaged[1_500_000] ^= 0xFF
    zipped.write_bytes(damaged)
    with pytest.raises(archive.DAMAGE) as here:
        list(read_entry(io.BytesIO(damaged), 1))

    with zipped.open("rb") as source, pytest.raises(zipfile.BadZipFile) as aside:
        list(read_entry(source, 1))

    assert str(aside.value) == str(here.value)


def test_a_killed_process_is_told_from_damage(
    zipped: Path, read_children: Callable[[], list[int]]
) -> None:
    with zipped.open("rb") as source:
        chunks = read_entry(source, 1)
        next(chunks)
        [child] = read_children()
        os.kill(child, signal.SIGKILL)
        with pytest.raises(UnpackingEnded, match="signal 9"):
            list(chunks)


def test_the_error_of_a_stream_counts_and_not_what_its_reader_makes_of_the_end() -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise UnpackingEnded("killed")

    def read_a_cut_file() -> None:
        with piped(Broken()) as path, open(path, "rb") as pipe:
            assert pipe.read() == b""
            raise BadXml("a.xml", "cut off")

    with pytest.raises(UnpackingEnded):
        read_a_cut_file()
