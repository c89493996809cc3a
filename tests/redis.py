"""A real Redis on a free port."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis that keeps nothing and ends with the block."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed: `make test` installs it.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--bind", "127.0.0.1", "--port", str(port)]
    command = [program, *where, "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    with redis.Redis(host="127.0.0.1", port=port) as client:
        for _ in range(100):
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
    raise RuntimeError(f"Redis does not answer on port {port}.")
