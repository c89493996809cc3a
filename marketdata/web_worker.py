"""gunicorn's worker with threads, with limits for clients that send or read slowly.

gunicorn gives a connection to a thread as soon as its first byte has arrived, and waits there for the
rest of the header without a limit: a few connections with unfinished headers occupy all threads. It also
waits in its event loop for each client to close. This worker does both between other events, and waits
there for short bodies too. The sockets of requests have limits of the kernel, which end a `recv` or `send`
that makes no progress, and a longer body must have arrived after a while. So a client that has stalled
gives its thread back, while one that reads slowly is served.
"""

import contextlib
import functools
import http
import json
import os
import re
import selectors
import socket
import struct
import sys
import time
from typing import Any

from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from marketdata.common import logs
from marketdata.web.headers import HEADERS

# Seconds for a header and a short body to arrive, then without a byte of a longer body, for all of it, and
# without a byte taken by the client.
HEADER_SECONDS, RECEIVE_SECONDS, BODY_SECONDS, SEND_SECONDS = 10, 10, 30, 30
# Seconds for a client to close its side, so that it can read the end of the answer.
LINGER_SECONDS = 2
_HEADER_BYTES = 65_536  # longer ones are left to the parser, which refuses them
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
# Bytes of a body that are waited for before a thread reads them; a socket holds more.
_AWAITED_BYTES = 16_384
_DISCARDED_BYTES = 32_768  # of a body that nobody reads; gunicorn discards up to twice as many
# Between two looks at incomplete requests, at long bodies, and at connections that are to be closed.
_PAUSE_SECONDS = 0.1
# Requests that do not reach the service are answered here, as problem details and without what they sent.
_REFUSALS = {
    414: "The address is longer than 8,190 bytes. Send long lists in the body of a POST request.",
    431: "The header of the request has too many or too long fields.",
    500: "The request failed.",
}


def _write_error(connection: socket.socket, status: int, reason: str, message: str) -> None:
    title = http.HTTPStatus(status).phrase
    detail = _REFUSALS.get(status, "The request is not valid HTTP.")
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    lines = (
        f"HTTP/1.1 {status} {title}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
        *(f"{name}: {value}" for name, value in HEADERS.items()),
    )
    util.write_nonblock(connection, "\r\n".join((*lines, "", body)).encode())


util.write_error = _write_error


class ServerLog(Logger):  # type: ignore[misc]  # untyped
    """gunicorn's own lines, in the format of those of the service, and without secrets."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        line_format = os.environ.get("LOG_FORMAT") or logs.default_format(is_production=True)
        formatter = logs.JsonFormatter if line_format == "json" else logs.LineFormatter
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter(_mask))


def _mask(text: str) -> str:
    """Mask secrets. A process that has not read the settings, such as gunicorn's first one, knows none."""
    masking = sys.modules.get("marketdata.settings.masking")
    masked: str = masking.mask(text) if masking is not None else text
    return masked


class Worker(ThreadWorker):  # type: ignore[misc]  # untyped
    """A connection is `_incomplete` until a thread gets it, and `_lingering` after its last answer."""

    def init_process(self) -> None:
        self._incomplete: dict[Any, float] = {}  # the end of the time for a header, by connection
        self._lingering: dict[socket.socket, float] = {}  # the time to close it, by socket
        self._reading: dict[socket.socket, float] = {}  # the end of the time for a body, by socket
        self._polled: set[Any] = set()  # incomplete connections that the poller waits for
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application = vars(self)["wsgi"]
        self.wsgi = functools.partial(_announce_close, application)

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread when its header has arrived (called in the event loop)."""
        self._incomplete[conn] = time.monotonic() + HEADER_SECONDS
        conn.close = functools.partial(self._close, conn.sock)
        if not self._submit(conn) and _peek(conn.sock) is None:
            # The first bytes are waited for, since they are mostly the whole header.
            data_arrived = functools.partial(self._data_arrived, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, data_arrived)
            self._polled.add(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Handle events as gunicorn does, then what has arrived or whose time is over (in the event loop)."""
        is_waiting = self._incomplete or self._lingering or self._reading
        super().wait_for_and_dispatch_events(
            min(timeout, _PAUSE_SECONDS) if is_waiting else timeout
        )
        now = time.monotonic()
        for conn, end in list(self._incomplete.items()):
            if now > end or not self.alive:
                self._give_up(conn)
            elif _peek(conn.sock):
                self._submit(conn)
        for connection, end in list(self._reading.items()):
            if now > end:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)  # the thread reads the end of the body
        for connection, end in list(self._lingering.items()):
            if now > end or _drain(connection):
                del self._lingering[connection]
                connection.close()

    def handle_request(self, req: Any, conn: Any) -> Any:
        if req.method not in ("GET", "HEAD", "OPTIONS"):
            self._reading[conn.sock] = time.monotonic() + BODY_SECONDS
        try:
            return super().handle_request(req, conn)
        except BlockingIOError:  # SO_RCVTIMEO or SO_SNDTIMEO is over
            self.log.warning("A client has stopped reading or sending; its request is broken off.")
            return False
        finally:
            self._reading.pop(conn.sock, None)

    def _data_arrived(self, conn: Any, _socket: Any) -> None:
        self._stop_polling(conn)
        self._submit(conn)

    def _stop_polling(self, conn: Any) -> None:
        """Unregister a connection before its socket can be closed: the next one may have the same number."""
        if conn in self._polled:
            self._polled.remove(conn)
            self.poller.unregister(conn.sock)

    def _submit(self, conn: Any) -> bool:
        """Give the connection to a thread, unless its request is incomplete; return whether it was."""
        has_read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        if not has_read_ahead and not _has_whole_request(conn.sock):
            return False
        for option, seconds in (
            (socket.SO_RCVTIMEO, RECEIVE_SECONDS),
            (socket.SO_SNDTIMEO, SEND_SECONDS),
        ):
            conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
        self._stop_polling(conn)  # the look between events may come before that of the poller
        del self._incomplete[conn]
        conn.data_ready = True
        super().enqueue_req(conn)
        return True

    def _give_up(self, conn: Any) -> None:
        del self._incomplete[conn]
        self._stop_polling(conn)
        self.nr_conns -= 1
        conn.close()

    def _close(self, connection: socket.socket, graceful: bool = False) -> None:
        """Close a connection; if gracefully, when the client has closed its side, or soon (RFC 9112, 9.6)."""
        if graceful:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                self._lingering[connection] = time.monotonic() + LINGER_SECONDS
                return
        connection.close()


def _announce_close(application: Any, environ: Any, start_response: Any) -> Any:
    """Run the application; announce the end of the connection if it leaves much of the body unread.

    gunicorn discards no more than `_DISCARDED_BYTES` of such a body, and else closes the connection.
    """

    def start(*arguments: Any) -> Any:
        unread = getattr(environ["wsgi.input"].reader, "length", 0)
        if unread > _DISCARDED_BYTES:
            start_response.__self__.force_close()
        return start_response(*arguments)

    return application(environ, start)


def _peek(connection: socket.socket) -> bytes | None:
    """Return what has arrived and is not read yet: b"" if the client has closed, None if nothing has."""
    return _receive(connection, socket.MSG_PEEK)


def _drain(connection: socket.socket) -> bool:
    """Read what has arrived; return whether the client has closed."""
    return _receive(connection, 0) == b""


def _receive(connection: socket.socket, flags: int) -> bytes | None:
    try:
        return connection.recv(_HEADER_BYTES, flags | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _has_whole_request(connection: socket.socket) -> bool:
    """Return whether a request is complete, or will not become so: too long, or the client has gone.

    Of a body that is longer than what the kernel holds for sure, `_AWAITED_BYTES` are enough. A body that the
    client only sends when asked (`Expect: 100-continue`) counts as arrived when its header has.
    """
    data = _peek(connection)
    if data is None:
        return False
    if not data or len(data) >= _HEADER_BYTES:
        return True
    header, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _LENGTH.search(header + b"\r\n")
    is_awaited = length is not None and b"\r\nexpect:" not in header.lower()
    return not is_awaited or len(body) >= min(int(length[1]), _AWAITED_BYTES)  # type: ignore[index]
