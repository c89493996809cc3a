"""A stand-in for the service that receives telemetry: keeps every envelope that is sent to it."""

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Ingestion:
    """`bodies` are the texts received; `is_available` False answers 503 instead."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.paths: list[str] = []
        self.is_available = True
        self.url = ""

    @property
    def connection_string(self) -> str:
        key = "00000000-0000-4000-8000-000000000001"
        return f"InstrumentationKey={key};IngestionEndpoint={self.url}/"

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        received = []
        for body in list(self.bodies):
            content = json.loads(body)
            received += content if isinstance(content, list) else [content]
        return received

    def of_type(self, base_type: str) -> list[dict[str, Any]]:
        """Return the data of the envelopes of one type, such as RequestData."""
        data = [envelope["data"] for envelope in self.envelopes]
        return [item["baseData"] for item in data if item["baseType"] == base_type]


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[Ingestion]:
    ingestion = Ingestion()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            ingestion.paths.append(self.path)
            status, answer = 503, b"{}"
            if ingestion.is_available:
                ingestion.bodies.append(body.decode())
                content = json.loads(body)
                count = len(content) if isinstance(content, list) else 1
                result = {"itemsReceived": count, "itemsAccepted": count, "errors": []}
                status, answer = 200, json.dumps(result).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    ingestion.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield ingestion
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
