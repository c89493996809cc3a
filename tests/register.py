"""A register and its file server on loopback: real HTTP, and as difficult as the real ones.

Answers like ESMA's Solr and the FCA's Elasticsearch, serves files with ranges and ETags, and can be told
to be slow, to cut connections, to refuse, to lie about sizes and to serve other bytes.
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit


@dataclasses.dataclass
class Trouble:
    """A fault in the answer to one request for a path; the next request gets the next trouble."""

    status: int = 0  # answer this, and nothing else
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    cut_after: int | None = None  # bytes of the body, then the connection is gone
    wait: float = 0.0  # seconds before the answer
    body: bytes | None = None  # these bytes instead
    claim: int | None = None  # this Content-Length instead
    ignore_range: bool = False


class FakeRegister:
    """A register that lists and serves files; `requests` are (path, headers) of all that came."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.troubles: dict[str, collections.deque[Trouble]] = collections.defaultdict(
            collections.deque
        )
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.forget_pages = False  # announce more entries than there are
        self.shuffle = False  # answer in another order each time, unless asked for a sort
        self.url = ""
        self.lock = threading.Lock()

    def publish(
        self, name: str, content: bytes, *, day: str, with_checksum: bool = True, **changes: str
    ) -> dict[str, Any]:
        """List a file and serve it; `changes` are fields of the entry."""
        entry = {
            "id": str(len(self.entries) + 1),
            "_root_": len(self.entries) + 1,
            "file_name": name,
            "file_type": name[:6],
            "publication_date": f"{day}T00:00:00Z",
            "creation_date": f"{day}T00:00:00Z",
            "download_link": f"{self.url}/files/{name}",
            "timestamp": f"{day}T01:00:00Z",
        }
        if with_checksum:
            entry["checksum"] = hashlib.md5(content).hexdigest()
        entry.update(changes)
        self.entries.append(entry)
        self.files[f"/files/{name}"] = content
        return entry

    def trouble(self, path: str, *troubles: Trouble) -> None:
        self.troubles[path].extend(troubles)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of each request for a path."""
        return [headers for asked, headers in self.requests if urlsplit(asked).path == path]

    def answer(self, target: str) -> bytes | None:
        """The body for a path; None where there is none."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.startswith("/solr/"):
            return self._solr(query)
        if url.path.startswith("/fca"):
            return self._elasticsearch(query)
        return self.files.get(url.path)

    def _solr(self, query: dict[str, str]) -> bytes:
        found = re.fullmatch(r"(\w+):\[(\S+) TO (\S+)\]", query["fq"])
        assert found, query
        name = re.fullmatch(r"(?:file_name:(\w+))?\*", query["q"])
        assert name, query
        docs = [e for e in self.entries if found[2] <= e.get(found[1], "") <= found[3]]
        docs = [e for e in docs if e["file_name"].startswith(name[1] or "")]
        docs = self._sorted(docs, query.get("sort", "").replace(" ", ":"))
        start, rows = int(query["start"]), int(query["rows"])
        page = docs[start : start + rows]
        total = len(docs) + (3 if self.forget_pages else 0)
        return json.dumps({"response": {"numFound": total, "start": start, "docs": page}}).encode()

    def _elasticsearch(self, query: dict[str, str]) -> bytes:
        days = re.search(r"publication_date:\[(\S+) TO (\S+)\]", query["q"])
        assert days, query
        kinds = re.findall(r"file_type:(\w+)", query["q"])
        docs = [
            e
            for e in self.entries
            if e["file_type"] in kinds and days[1] <= e["publication_date"][:10] <= days[2]
        ]
        docs = self._sorted(docs, query.get("sort", ""))
        start = int(query["from"])
        hits = [{"_id": e["id"], "_source": e} for e in docs[start : start + int(query["size"])]]
        return json.dumps({"hits": {"total": len(docs), "hits": hits}}).encode()

    def _sorted(self, docs: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
        """Sort by fields, as `publication_date:asc,id:asc`; without, in any order."""
        fields = [field.partition(":")[0] for field in sort.split(",") if field]
        if not fields and self.shuffle:
            return random.sample(docs, len(docs))
        return sorted(docs, key=lambda doc: [doc[field] for field in fields])

    def answer_post(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        """The status, body and headers of the answer to a POST; registers take none."""
        return 405, b"no such method", {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    register: FakeRegister

    def do_POST(self) -> None:
        register, path = self.register, urlsplit(self.path).path
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with register.lock:
            register.requests.append((self.path, dict(self.headers)))
            troubles = register.troubles[path]
            trouble = troubles.popleft() if troubles else Trouble()
        time.sleep(trouble.wait)
        if trouble.status:
            self._send(trouble.status, trouble.body or b"there is trouble", trouble.headers)
            return
        with register.lock:
            status, body, headers = register.answer_post(path, dict(self.headers), sent)
        body = trouble.body if trouble.body is not None else body
        length = trouble.claim if trouble.claim is not None else len(body)
        headers = {**headers, **trouble.headers}
        self._send(status, body, headers, length=length, cut_after=trouble.cut_after)

    def do_GET(self) -> None:
        register, path = self.register, urlsplit(self.path).path
        with register.lock:
            register.requests.append((self.path, dict(self.headers)))
            troubles = register.troubles[path]
            trouble = troubles.popleft() if troubles else Trouble()
        time.sleep(trouble.wait)
        if trouble.status:
            self._send(trouble.status, b"there is trouble", trouble.headers)
            return
        body = trouble.body if trouble.body is not None else register.answer(self.path)
        if body is None:
            self._send(404, b"nothing here", {})
            return
        headers = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', **trouble.headers}
        status, sent = self._ranged(body, headers, trouble)
        length = trouble.claim if trouble.claim is not None else len(sent)
        self._send(status, sent, headers, length=length, cut_after=trouble.cut_after)

    def _ranged(self, body: bytes, headers: dict[str, str], trouble: Trouble) -> tuple[int, bytes]:
        wanted = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
        if not wanted or trouble.ignore_range or not same:
            return 200, body
        start = int(wanted[1])
        if start >= len(body):
            return 416, b""
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return 206, body[start:]

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str],
        *,
        length: int | None = None,
        cut_after: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body if cut_after is None else body[:cut_after])
        if cut_after is not None or length not in (None, len(body)):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: object) -> None:
        """Keep the test output clean."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is what some tests are about."""


R = TypeVar("R", bound=FakeRegister)


def running() -> contextlib.AbstractContextManager[FakeRegister]:
    """A register on a free port, for as long as the context lasts."""
    return serving(FakeRegister())


@contextlib.contextmanager
def serving(register: R) -> Iterator[R]:
    """Serve `register` on a free port, for as long as the context lasts."""
    handler = type("Handler", (_Handler,), {"register": register})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    register.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield register
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
