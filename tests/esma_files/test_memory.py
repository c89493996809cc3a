"""The memory that reading a file takes, whatever the file holds."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import firds
from tests.conftest import DATA

NAME = "FULINS_E_20250302_01of01"
MEGABYTE = 1_000_000
# Reads a file, and prints the memory that this has taken beside that of the process before it, in MB.
READ = """
import resource, sys
import django
django.setup()
from esma_files.parsing.reader import EsmaReader, Limits
from instruments.listings.fields import FULL_FILE
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
with open(sys.argv[1], "rb") as source:
    limits = Limits(max_bytes=10**10, max_ratio=10**6)
    reader = EsmaReader(source, name="FULINS_E_20250302_01of01.zip", mapping=FULL_FILE, limits=limits)
    for batch in reader:
        pass
print(reader.records, len(reader.unmapped), peak() - before)
"""


def long_value() -> Iterator[bytes]:
    """One value of 150 MB."""
    before, after = firds.record("RefData", "SE0000115446", "XSTO").encode().split(b"A name", 1)
    yield before
    yield from (b"x" * MEGABYTE for _ in range(150))
    yield after


def long_comment() -> Iterator[bytes]:
    yield b"<!--"
    yield from (b"x" * MEGABYTE for _ in range(150))
    yield b"-->" + firds.record("RefData", "SE0000115446", "XSTO").encode()


def long_values() -> Iterator[bytes]:
    """Records with the longest name that is not shortened."""
    record = firds.record("RefData", "SE0000115446", "XSTO").replace("A name", "x" * 9_900)
    yield from (record.encode() * 100 for _ in range(150))


def many_elements() -> Iterator[bytes]:
    """One record with elements of 300,000 names."""
    before, after = firds.record("RefData", "SE0000115446", "XSTO").encode().split(b"<Issr>", 1)
    yield before
    yield from (b"".join(b"<a%d/>" % (n * 1000 + m) for m in range(1000)) for n in range(300))
    yield b"<Issr>" + after


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "records", "unmapped"),
    [(long_value, 1, 0), (long_comment, 1, 0), (long_values, 15_000, 0), (many_elements, 1, 201)],
)
def test_reading_takes_bounded_memory(
    content: Callable[[], Iterator[bytes]], records: int, unmapped: int, tmp_path: Path
) -> None:
    path = tmp_path / f"{NAME}.zip"
    before, after = firds.message(NAME, "<!-- here -->").split(b"<!-- here -->")
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{NAME}.xml", "w") as entry,
    ):
        entry.write(before)
        for piece in content():
            entry.write(piece)
        entry.write(after)

    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        cwd=DATA.parent.parent,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "marketdata.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    *counts, megabytes = map(int, done.stdout.split())
    assert counts == [records, unmapped]
    assert megabytes < 150
