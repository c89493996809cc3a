"""Files and folders of the service: for its user alone, whatever the umask is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core import checks

from tests.conftest import FIRDS
from tests.installation import Installation


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Run the processes of a test with the most generous umask."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """The rights that others have on what is in a folder."""
    found = {}
    for path in folder.rglob("*"):
        others = stat.S_IMODE(path.lstat().st_mode) & 0o077
        if others and not path.is_socket():
            found[str(path.relative_to(folder))] = oct(others)
    return found


@pytest.mark.slow
def test_everything_that_the_service_writes_is_private(tmp_path: Path, open_umask: None) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    installation = Installation(folder)

    installation.run("migrate", "--verbosity", "0")
    installation.run("load", str(FIRDS / "FULINS_C_20250830_01of01.zip"))
    installation.run("backup", "create")
    # A run that waits for a worker is in the queue.
    code = "from esma_files import queue; queue.request_run('clean')"
    installation.run("shell", "-v", "0", "-c", code)

    written = {path.name for path in folder.iterdir()}
    assert {"marketdata.sqlite3", "files", "staging", "backups", "queue"} <= written
    assert list((folder / "queue").iterdir())
    assert modes(folder) == {}


@pytest.mark.slow
def test_a_database_that_others_could_read_is_made_private(
    tmp_path: Path, open_umask: None
) -> None:
    installation = Installation(tmp_path / "data")
    installation.run("migrate", "--verbosity", "0")
    installation.database.chmod(0o666)

    installation.run("stats")

    assert stat.S_IMODE(installation.database.stat().st_mode) == 0o600


@pytest.mark.slow
def test_static_files_stay_readable_for_a_web_server(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        installation = Installation(tmp_path / "data", STATIC_ROOT=str(tmp_path / "static"))
        installation.run("collectstatic", "--noinput", "--verbosity", "0")
    finally:
        os.umask(before)

    files = [path for path in (tmp_path / "static").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}


def test_a_folder_that_others_can_read_is_a_warning_of_the_deployment_check(
    settings: LazySettings, tmp_path: Path
) -> None:
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_DIR.mkdir(mode=0o700)

    def warnings() -> list[str]:
        found = checks.run_checks(tags=["security"], include_deployment_checks=True)
        return [message.msg for message in found if message.id == "marketdata.W002"]

    assert not any("BACKUP_DIR" in warning for warning in warnings())
    settings.BACKUP_DIR.chmod(0o755)
    assert any("BACKUP_DIR" in warning for warning in warnings())
