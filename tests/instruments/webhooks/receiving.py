"""A server on loopback that receives webhooks."""

import collections
import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A server on loopback that keeps what it is sent. `statuses` are its next answers, then 204."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.statuses: collections.deque[int] = collections.deque()
        self.url = ""

    def get_changes(self) -> list[dict[str, Any]]:
        return [change for _, body in self.messages for change in json.loads(body)["changes"]]


@contextlib.contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.messages.append((headers, body))
            self.send_response(receiver.statuses.popleft() if receiver.statuses else 204)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    scheme = "http" if context is None else "https"
    receiver.url = f"{scheme}://localhost:{server.server_address[1]}/hook?a=b"
    yield receiver
    server.shutdown()
    server.server_close()
