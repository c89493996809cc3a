"""The image, built and run by the steps of its Dockerfile without Docker: `make image-check`."""

import contextlib
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT
from tests.deploy.bicep import DEPLOY
from tests.servers import free_port

pytestmark = pytest.mark.slow
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
NOBODY = 65534


def instructions(name: str) -> list[str]:
    """Return the arguments of all instructions of this name, in order, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)


def entry_point(*command: str) -> list[str]:
    return [*json.loads(instructions("ENTRYPOINT")[-1]), *command]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give a folder that every user may enter.

    The folders of `tmp_path` are below one that each start of pytest closes to other users again.
    """
    with tempfile.TemporaryDirectory(prefix="marketdata-image-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def app(place: Path) -> Iterator[Path]:
    """Build what the image has at /app, from a copy of the tracked files alone, and make it read-only."""
    source, app = place / "source", place / "app"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    [build] = [run for run in instructions("RUN") if "deploy/package" in run]
    command = build.replace(" /app", f" {shlex.quote(str(app))}")
    environment = {
        key: os.environ[key] for key in os.environ if key.startswith(("PATH", "PIP_", "HOME"))
    }
    subprocess.run(["bash", "-c", command], cwd=source, env=environment, check=True, timeout=900)
    subprocess.run(["chmod", "--recursive", "a-w,a+rX", str(app)], check=True)
    yield app
    subprocess.run(["chmod", "--recursive", "u+w", str(app)], check=True)


class Container:
    """A process started as the image starts it: another user, a read-only /app, data in one folder."""

    def __init__(self, app: Path, data: Path) -> None:
        self.app, self.port = app, free_port()
        joined = " ".join(instructions("ENV")).replace("/data", str(data)).replace("/app", str(app))
        self.environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(data),
            **dict(pair.split("=", 1) for pair in shlex.split(joined)),
            "SECRET_KEY": os.environ["SECRET_KEY"],
            "PORT": str(self.port),
            "FETCH_ON_SCHEDULE": "false",
        }

    def start(self, command: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=self.app,
            env=self.environment,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str) -> str:
        process = self.start(list(command))
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output

    @contextlib.contextmanager
    def running(self, service: str) -> Iterator["subprocess.Popen[str]"]:
        process = self.start(entry_point(service))
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def get(self, path: str) -> tuple[int, Any]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(link):
            link.request("GET", path, headers={"Host": "localhost"})
            response = link.getresponse()
            return response.status, response.read()

    def wait_until_it_lives(self, process: "subprocess.Popen[str]") -> None:
        self._wait_for_ok("/health/live/", process)

    def wait_until_it_is_ready(self, process: "subprocess.Popen[str]") -> None:
        """Wait as a platform does: the answer of the checks is kept for a few seconds."""
        self._wait_for_ok("/health/ready/", process)

    def _wait_for_ok(self, path: str, process: "subprocess.Popen[str]") -> None:
        deadline, answer = time.monotonic() + 90, None
        while True:
            with contextlib.suppress(OSError):
                answer = self.get(path)
                if answer[0] == 200:
                    return
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, answer
            time.sleep(0.2)


@pytest.fixture
def container(app: Path, place: Path) -> Container:
    if os.geteuid() != 0:
        pytest.skip("only root can start a process as another user")
    data = Path(tempfile.mkdtemp(prefix="data-", dir=place))
    data.chmod(0o777)
    return Container(app, data)


def test_the_web_server_is_ready_after_migrations_and_writes_nothing_beside_its_data(
    container: Container,
) -> None:
    with container.running("web") as process:
        container.wait_until_it_lives(process)
        status, content = container.get("/health/ready/")
        assert status == 503
        assert json.loads(content)["checks"]["migrations"] == "failed"

        container.run("bash", "deploy/run", "migrate_once", "--verbosity", "0")

        container.wait_until_it_is_ready(process)
        container.run(*json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    with pytest.raises(AssertionError, match=r"Permission denied|Read-only"):
        container.run("bash", "-c", "touch /app/x 2>&1 || touch marketdata/x")


def test_the_worker_answers_the_platform_and_ends_with_its_web_server(container: Container) -> None:
    container.run("bash", "deploy/run", "migrate_once", "--verbosity", "0")

    with container.running("worker") as process:
        container.wait_until_it_lives(process)
        container.wait_until_it_is_ready(process)
        [web_server] = [
            child
            for child in psutil.Process(process.pid).children()
            if "gunicorn" in " ".join(child.cmdline())
        ]
        web_server.terminate()
        assert process.wait(timeout=90) == 1


def test_an_unknown_service_is_an_error(container: Container) -> None:
    process = container.start(entry_point("unknown"))
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "deploy/start web, or deploy/start worker" in output


def test_the_image_has_a_user_a_health_check_and_every_app() -> None:
    [user] = instructions("USER")
    lines = (DEPLOY / "package").read_text().splitlines()
    copied = {name for line in lines if line.startswith("cp ") for name in line.split()[1:-1]}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert int(user) > 0
    assert instructions("HEALTHCHECK")
    assert packages <= copied
    assert [name for name in copied - {"-r"} if f"!{name}" not in ignored] == []
