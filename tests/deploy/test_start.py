"""deploy/start in a checkout whose packages `make` has installed."""

import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.installation import Installation
from tests.servers import free_port


def get_status(port: int, path: str) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        link.request("GET", path)
        return link.getresponse().status
    finally:
        link.close()


@pytest.mark.slow
def test_pages_have_their_styles_without_a_further_step(
    tmp_path: Path, migrated_database: Path
) -> None:
    """Without collected styles, every page and every page of an error is a 500."""
    if not (ROOT / ".venv" / "bin" / "python3").exists():
        pytest.skip("the packages are not in .venv")
    port = free_port()
    installation = Installation(
        tmp_path,
        STATIC_ROOT=str(tmp_path / "static"),
        COUNTS_PATH=str(tmp_path / "counts.sqlite3"),
        HTTPS="false",
        ANONYMOUS_READ="true",
        WEB_CONCURRENCY="1",
        PORT=str(port),
    ).copy_database(migrated_database)
    process = subprocess.Popen(
        ["bash", "deploy/start", "web"],
        cwd=ROOT,
        env=installation.environment,
        start_new_session=True,
    )
    try:
        deadline, status = time.monotonic() + 90, 0
        while not status:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
            try:
                status = get_status(port, "/")
            except OSError:
                continue
        assert status == 200
        process.terminate()
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("WEB_CONCURRENCY", "x"), ("WEB_THREADS", "0"), ("WORKER_PROCESSES", "-1"), ("PORT", "80 81")],
)
def test_a_number_that_is_none_ends_the_start_with_one_line(
    variable: str, value: str, tmp_path: Path
) -> None:
    process = subprocess.run(
        ["bash", "deploy/start", "web"],
        cwd=ROOT,
        env={**Installation(tmp_path).environment, variable: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 2
    expected = f"The configuration is not valid. {variable}='{value}' is not a valid number"
    assert process.stderr.startswith(expected)
    assert len(process.stderr.splitlines()) == 1
