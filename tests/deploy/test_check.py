"""`deploy/check`, run against a real server."""

import os
import subprocess

from pytest_django.live_server_helper import LiveServer

from tests.installation import ROOT
from tests.servers import free_port


def check(address: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "deploy/check", address],
        cwd=ROOT,
        env={**os.environ, "CHECK_TRIES": "2", "CHECK_PAUSE_SECONDS": "0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ready_service_passes(server: LiveServer) -> None:
    result = check(server.url)

    assert (result.returncode, result.stdout) == (0, f"{server.url} is ready.\n"), result.stderr


def test_service_that_does_not_answer_fails() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    result = check(address)

    assert result.returncode == 1
    assert result.stdout.count("Not ready yet") == 2
    assert result.stderr == f"{address} is not ready.\n"
