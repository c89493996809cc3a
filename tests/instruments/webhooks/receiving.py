"""A server on loopback that receives webhooks."""

import collections
import contextlib
import json
import socket
import ssl
import threading
import time
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


@contextlib.contextmanager
def answering_slowly(context: ssl.SSLContext) -> Iterator[str]:
    """Serve one request whose connection opens after a second and TLS after 2.5, with headers until 7."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = server.getsockname()
        # While a connection waits to be accepted, the system drops others, and clients try again after 1 s.
        stack.enter_context(socket.create_connection(address))

        def serve() -> None:
            time.sleep(0.5)
            server.accept()[0].close()
            accepted, _ = server.accept()
            time.sleep(1.5)
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(accepted, server_side=True) as tls,
            ):
                tls.sendall(b"HTTP/1.1 200 OK\r\n")
                for number in range(45):
                    tls.sendall(f"X-Header-{number}: a\r\n".encode())
                    time.sleep(0.1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://{address[0]}:{address[1]}/"
        thread.join()
