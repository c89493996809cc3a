"""Servers that the tests start for themselves, on free ports of loopback."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import trustme

_AZURITE = Path(__file__).parent / "azurite" / "node_modules" / ".bin" / "azurite-blob"
# The account that every Azurite has: no secret (learn.microsoft.com, "Use the Azurite emulator").
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextlib.contextmanager
def azurite(folder: Path, *, authority: trustme.CA | None = None) -> Iterator[str]:
    """An emulated Blob Storage that keeps its blobs in `folder`; yields its connection string.

    With a certificate authority it speaks HTTPS, and takes tokens of Entra ID, whose signature it does not
    check.
    """
    command: list[str | Path] = [
        _AZURITE,
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        "0",
        "--location",
        folder,
    ]
    options = ["--disableTelemetry", "--skipApiVersionCheck"]
    if authority is not None:
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        options += ["--cert", str(certificate), "--key", str(key), "--oauth", "basic"]
    protocol = "http" if authority is None else "https"
    with _process(*command, *options) as process:
        assert process.stdout
        port = ""
        while not port:
            line = process.stdout.readline()
            assert line, "Azurite has ended"
            if "listens on" in line:
                port = line.strip().rpartition(":")[2]
        yield (
            f"DefaultEndpointsProtocol={protocol};AccountName={_ACCOUNT};AccountKey={_KEY};"
            f"BlobEndpoint={protocol}://127.0.0.1:{port}/{_ACCOUNT};"
        )


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A Redis that keeps nothing on disk; yields its address."""
    port = free_port()
    options: list[str | int] = [
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    with _process("redis-server", *options):
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert time.monotonic() < deadline, "Redis has not started"
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"


class RestartableRedis:
    """A Redis that keeps nothing on disk, and that a test may kill and start again."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start_if_ended(self) -> None:
        if self._process is None or self._process.poll() is not None:
            options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
            self._process = subprocess.Popen(
                ["redis-server", *options, "--appendonly", "no"], stdout=subprocess.DEVNULL
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def restartable_redis() -> Iterator[RestartableRedis]:
    server = RestartableRedis()
    server.start_if_ended()
    try:
        yield server
    finally:
        server.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _process(*command: str | Path | int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)
