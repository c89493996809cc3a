"""The server: it listens on loopback, and has a thread for each connection."""

import contextlib
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.tds import bulk, certificate, login, packets, rpc, tokens
from tests.tds.database import CUT, SLOW, Database
from tests.tds.packets import Gone, Message, Wire
from tests.tds.rpc import Procedures, Returned
from tests.tds.session import Done, Result, Session
from tests.tds.tokens import SqlError
from tests.tds.types import Unreadable

logger = logging.getLogger(__name__)


class _Cut(Exception):
    """The connection is to be lost now."""


class Server:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.certificate, key = certificate.write(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2  # as TDS 7.4 has it
        self._context.load_cert_chain(self.certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._ends = False
        self._wires: set[Wire] = set()

    @property
    def settings(self) -> dict[str, str]:
        """The variables that tell the project of this server."""
        return {
            "AZURE_SQL_SERVER": "127.0.0.1",
            "AZURE_SQL_PORT": str(self.port),
            "AZURE_SQL_DATABASE": self.database.name,
            "AZURE_SQL_USERNAME": self.database.user,
            "AZURE_SQL_PASSWORD": self.database.password,
            "AZURE_SQL_TRUST_SERVER_CERTIFICATE": "true",
        }

    def serve(self) -> None:
        while not self._ends:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(Wire(link),), daemon=True).start()

    def stop(self) -> None:
        self._ends = True
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Every connection is gone, as when a database moves."""
        for wire in list(self._wires):
            wire.cut()

    def _serve(self, wire: Wire) -> None:
        self._wires.add(wire)
        try:
            if name := self._let_in(wire):
                _Connection(self.database, wire, name).serve()
        except (Gone, ssl.SSLError):
            pass
        except _Cut:
            wire.cut()
        finally:
            self._wires.discard(wire)
            wire.close()

    def _let_in(self, wire: Wire) -> str:
        """Return the name of the database that the client opens; empty if the login is refused."""
        first = wire.receive()
        if first.kind != packets.PRELOGIN:
            raise Gone
        encryption = login.asked_encryption(first.data)
        answer = {login.OFF: login.REQUIRED, login.UNSUPPORTED: login.REQUIRED}.get(
            encryption, login.ON
        )
        wire.send(login.prelogin(answer, token=login.wants_token(first.data)))
        wire.encrypt(self._context)
        client = login.read(wire.receive().data)
        refused = self._refused(client)
        if refused is not None:
            wire.send(tokens.error(refused) + tokens.done(tokens.FAILED))
            return ""
        self.database.sessions += 1
        name = client.database or "master"
        wire.send(_welcome(name, client))
        return name

    def _refused(self, client: login.Login) -> SqlError | None:
        if self.database.login_faults:
            return self.database.login_faults.pop(0)
        by_token = bool(client.token) and client.token == self.database.token
        by_name = (client.user, client.password) == (self.database.user, self.database.password)
        if not (by_token or by_name):
            return SqlError(18456, f"Login failed for user '{client.user}'.", 14)
        if client.database and not self.database.has(client.database):
            text = f'Cannot open database "{client.database}" requested by the login.'
            return SqlError(4060, text, 11)
        return None


def _welcome(name: str, client: login.Login) -> bytes:
    from tests.tds.types import DEFAULT_COLLATION

    named = tokens.short(name), tokens.short("master")
    reply = tokens.changed(tokens.DATABASE, *named)
    reply += tokens.changed(tokens.COLLATION, tokens.bytes_of(DEFAULT_COLLATION))
    reply += tokens.login_acknowledged()
    size = tokens.short("4096"), tokens.short(str(client.packet_size))
    reply += tokens.changed(tokens.PACKET_SIZE, *size)
    if client.token:
        reply += b"\xae" + struct.pack("<BI", login.FEDERATED, 0) + b"\xff"
    return reply + tokens.done()


class _Connection:
    def __init__(self, database: Database, wire: Wire, name: str) -> None:
        self._database, self._wire = database, wire
        self._session = Session(database, name)
        self._procedures = Procedures(self._session)
        self._bulk: tuple[str, list[str]] | None = None
        self._halfway = False  # the answer is to be cut

    def serve(self) -> None:
        try:
            while True:
                self._answer(self._wire.receive())
        finally:
            self._session.close()

    def _answer(self, message: Message) -> None:
        head = b""
        if message.resets:
            self._session.reset()
            self._procedures.forget()
            head = tokens.changed(tokens.RESET, b"\0")
        if message.kind == packets.ATTENTION:
            self._wire.send(tokens.done(tokens.ATTENDED))
        elif message.kind == packets.BATCH:
            self._send(head + self._batch(message.data))
        elif message.kind == packets.RPC:
            self._send(head + self._calls(message.data))
        elif message.kind == packets.TRANSACTION:
            self._send(head + self._transaction(message.data))
        elif message.kind == packets.BULK and self._bulk is not None:
            self._send(head + self._loaded(message.data))
        else:
            raise Unreadable(f"a message of kind {message.kind}")

    def _send(self, data: bytes) -> None:
        self._wire.send(data, half=self._halfway)
        if self._halfway:
            raise _Cut

    def _batch(self, data: bytes) -> bytes:
        sql = rpc.after_headers(data).decode("utf-16-le")
        self._bulk = bulk.announced(sql)
        if self._bulk is not None:
            self._database.statements.append(sql)
            return tokens.done()
        events = bulk.asked(self._session, sql) or self._session.run(sql, {})
        return self._reply(sql, events, tokens.DONE)

    def _calls(self, data: bytes) -> bytes:
        replies = []
        for call in rpc.read_calls(data):
            text = " ".join(str(p.value) for p in call.parameters[:3])
            replies.append(self._reply(text, self._procedures.call(call), tokens.DONE_IN_PROCEDURE))
        return b"".join(replies)

    def _transaction(self, data: bytes) -> bytes:
        (kind,) = struct.unpack_from("<H", rpc.after_headers(data))
        transactions = self._session.transactions

        def done() -> Iterator[Done]:
            if kind == 5:
                transactions.begin()
            elif kind == 7:
                transactions.commit()
            elif kind == 8:
                transactions.rollback()
                self._session.catalogue.forget_lost()
            else:
                raise SqlError(3989, f"This server does not know request {kind} of transactions.")
            yield Done()

        return self._reply(f"transaction request {kind}", done(), tokens.DONE)

    def _loaded(self, data: bytes) -> bytes:
        assert self._bulk
        table, names = self._bulk

        def done() -> Iterator[Done]:
            yield Done(bulk.load(self._session, table, names, data), 0xC3)

        self._bulk = None
        return self._reply(f"INSERT BULK {table}", done(), tokens.DONE)

    def _reply(self, sql: str, events: Iterable[object], kind: int) -> bytes:
        """A whole reply: what was done, and at its end the error if there was one."""
        parts: list[bytes] = []
        returned = b""
        last = tokens.done(token=tokens.DONE_PROCEDURE if kind != tokens.DONE else tokens.DONE)
        problem = self._meet(sql)
        try:
            if problem is not None:
                if self._session.transactions.count:
                    self._session.transactions.rollback()
                raise problem
            for event in events:
                parts += self._news()
                if isinstance(event, Result):
                    parts.append(tokens.columns(event.columns))
                    parts += [tokens.row(event.columns, row) for row in event.rows]
                elif isinstance(event, Returned):
                    returned += tokens.return_value(event.name, event.type, event.value)
                elif isinstance(event, Done):
                    status = tokens.MORE | (tokens.COUNTED if event.count is not None else 0)
                    parts.append(tokens.done(status, event.count or 0, kind, event.command))
        except (Gone, _Cut):
            raise
        except Exception as raised:  # what this server cannot do is told to the client
            error = raised if isinstance(raised, SqlError) else SqlError(50000, repr(raised))
            logger.info(
                "%s: %s: %s", error.number, error.text, sql[:2000], exc_info=error.number == 50000
            )
            parts += [*self._news(), tokens.error(error)]
            parts.append(tokens.done(tokens.FAILED | tokens.MORE, 0, kind))
            return b"".join(parts) + self._end(kind, returned, failed=True)
        if self._database.due(sql, afterwards=True):
            raise _Cut
        self._halfway = self._database.due(sql, halfway=True) is not None
        parts += self._news()
        if kind == tokens.DONE and parts and parts[-1][0] == tokens.DONE:
            parts[-1] = bytes([tokens.DONE, parts[-1][1] & ~tokens.MORE]) + parts[-1][2:]
            return b"".join(parts)
        if kind == tokens.DONE:
            return b"".join(parts) + last
        return b"".join(parts) + self._end(kind, returned, failed=False)

    def _end(self, kind: int, returned: bytes, *, failed: bool) -> bytes:
        status = tokens.FAILED if failed else 0
        if kind == tokens.DONE:
            return tokens.done(status)
        head = tokens.return_status(int(failed))
        return head + returned + tokens.done(status, token=tokens.DONE_PROCEDURE)

    def _news(self) -> list[bytes]:
        news, self._session.transactions.news = self._session.transactions.news, []
        return news

    def _meet(self, sql: str) -> SqlError | None:
        fault = self._database.due(sql)
        if fault is None:
            return None
        if fault.number == CUT:
            raise _Cut
        if fault.number == SLOW:
            time.sleep(fault.seconds)
            return None
        return SqlError(fault.number, fault.text or f"This fault was asked for: {fault.number}", 13)


@contextlib.contextmanager
def running(folder: Path, database: Database | None = None) -> Iterator[Server]:
    """A server in threads of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(database or Database(folder / "server.sqlite3"), folder)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.stop()
