"""Commands that write much, on a disk that is too small for it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import small_disks
from tests.conftest import FIRDS
from tests.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disks.mounted(tmp_path / "small", megabytes=1) as folder:
        yield folder


def refused(installation: Installation, *command: str) -> str:
    """Return the error output of a command, which must fail."""
    process = installation.start(*command)
    _, output = process.communicate(timeout=120)
    assert process.returncode == 1
    return output


def test_a_backup_that_does_not_fit_says_so_and_leaves_nothing(
    installation: Installation, small_disk: Path
) -> None:
    installation.environment["BACKUP_DIR"] = str(small_disk)

    output = refused(installation, "backup", "create")

    assert f"The disk of {small_disk} has 1,048,576 bytes free" in output
    assert "Traceback" not in output
    assert list(small_disk.glob("marketdata-*")) == []


def test_a_transfer_that_does_not_fit_says_how_to_go_on(
    installation: Installation, small_disk: Path
) -> None:
    transfer = ["transfer", "--from", "sqlite", "--to", f"sqlite:///{small_disk / 'copy.sqlite3'}"]

    output = refused(installation, *transfer)

    assert f"the disk of {small_disk}" in output
    assert "Run transfer again: it continues from there." in output
    assert "Traceback" not in output
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert "Compare now" in installation.run(*transfer)


def test_a_lake_that_does_not_fit_says_so(installation: Installation, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1_000_000))  # what is left is too little for a table
    installation.environment["LAKE_DIR"] = str(small_disk)

    output = refused(installation, "lake", "publish")

    assert f"the disk of {small_disk}" in output
    assert "Traceback" not in output


def test_a_load_names_the_disk_of_the_stored_files(
    installation: Installation, small_disk: Path
) -> None:
    installation.environment["MEDIA_ROOT"] = str(small_disk / "files")

    output = refused(installation, "load", str(FIRDS / "DLTINS_20171027_01of01.zip"))

    assert f"cannot be stored: the disk of {small_disk}" in output
    assert "Traceback" not in output


def test_a_place_that_may_not_be_written_is_one_line(
    installation: Installation, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    installation.environment["BACKUP_DIR"] = str(small_disk / "backups")

    output = refused(installation, "backup", "create")

    assert output == (
        f"[Errno 30] Read-only file system: '{small_disk}/backups'. Let this user write there, or choose"
        " another place (docs/settings.md).\n"
    )
