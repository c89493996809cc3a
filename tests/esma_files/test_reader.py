"""Reading a file: memory, early ends, and every element accounted for."""

import threading
from pathlib import Path

import pytest

from esma_files.parsing.pipe import piped
from esma_files.parsing.reader import EsmaReader, Limits
from instruments.listings.fields import DELTA_FILE, FULL_FILE
from tests.conftest import DATA, FIRDS

LIMITS = Limits(max_bytes=1_000_000_000, max_ratio=200)


def feeders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "xml-feeder"]


@pytest.mark.slow
def test_a_reader_that_is_left_early_leaves_nothing_behind() -> None:
    path = FIRDS / "DLTINS_20171027_01of01.zip"
    with path.open("rb") as source:
        batches = iter(EsmaReader(source, name=path.name, mapping=DELTA_FILE, limits=LIMITS))
        first = next(batches)
        assert len(first.rows) > 0
        batches.close()

    assert feeders() == []


def test_what_goes_wrong_in_the_stream_is_raised_where_it_is_read() -> None:
    class Broken:
        calls = 0

        def read(self, size: int = -1) -> bytes:
            self.calls += 1
            if self.calls > 2:
                raise OSError("the disk is gone")
            return b"x" * 100

    with pytest.raises(OSError, match="the disk is gone"), piped(Broken()) as path:
        assert Path(path).read_bytes() == b"x" * 200
    assert feeders() == []


@pytest.mark.parametrize("path", sorted(DATA.glob("firds_2021/*.zip")), ids=lambda path: path.stem)
def test_every_tag_of_a_real_file_is_accounted_for(path: Path) -> None:
    """`unmapped` is looked for, slowly, only where the tally differs: here it must not."""
    with path.open("rb") as source:
        reader = EsmaReader(source, name=path.name, mapping=FULL_FILE, limits=LIMITS)
        for _ in reader:
            pass

    assert reader.records > 0
    assert reader.recounted == 0
    assert reader.unmapped == {}
