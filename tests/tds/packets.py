"""Messages as packets on a socket, and TLS whose handshake is wrapped in them."""

import contextlib
import dataclasses
import socket
import ssl
import struct

BATCH, RPC, REPLY, ATTENTION, BULK, TRANSACTION, LOGIN, PRELOGIN = 1, 3, 4, 6, 7, 14, 16, 18
_LAST, _RESETS = 0x01, 0x08 | 0x10
_SIZE = 4096


class Gone(Exception):
    """The other side has closed the connection."""


@dataclasses.dataclass(frozen=True)
class Message:
    kind: int
    data: bytes
    resets: bool  # the session is to be as new, before this is done


class Wire:
    """A connection, on which messages are sent and received."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._tls: ssl.SSLObject | None = None
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._number = 0

    def receive(self) -> Message:
        """Raises Gone."""
        parts, resets = [], False
        while True:
            kind, status, length = struct.unpack(">BBH", self._read(8)[:4])
            parts.append(self._read(length - 8))
            resets = resets or bool(status & _RESETS)
            if status & _LAST:
                return Message(kind, b"".join(parts), resets)

    def send(self, data: bytes, kind: int = REPLY, *, half: bool = False) -> None:
        """All of it, or half. Raises Gone."""
        size = _SIZE - 8
        for at in range(0, len(data) // (2 if half else 1) or 1, size):
            last = at + size >= len(data)
            self._write(self._packet(kind, data[at : at + size], last=last))

    def _packet(self, kind: int, data: bytes, *, last: bool) -> bytes:
        self._number = (self._number + 1) % 256
        return struct.pack(">BBHHBB", kind, int(last), len(data) + 8, 51, self._number, 0) + data

    def encrypt(self, context: ssl.SSLContext) -> None:
        """The handshake goes in packets of PRELOGIN, all else directly. Raises Gone and ssl.SSLError."""
        tls = context.wrap_bio(self._come, self._go, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._pass_on()
                self._come.write(self.receive().data)
        self._pass_on()
        self._tls = tls

    def _pass_on(self) -> None:
        if data := self._go.read():
            self.send(data, PRELOGIN)

    def decrypted(self) -> None:
        """From now on without TLS: it was for the login only."""
        self._tls = None

    def _read(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            if self._tls is None:
                received += self._received(count - len(received))
                continue
            try:
                data = self._tls.read(count - len(received))
            except ssl.SSLWantReadError:
                self._come.write(self._received(65_536))
                continue
            except ssl.SSLError as error:
                raise Gone from error
            if not data:  # the other side has closed
                raise Gone
            received += data
        return received

    def _received(self, most: int) -> bytes:
        try:
            data = self._link.recv(most)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        return data

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._go.read()
        try:
            self._link.sendall(data)
        except OSError as error:
            raise Gone from error

    def cut(self) -> None:
        """Without a word, in the middle of whatever is on its way."""
        with contextlib.suppress(OSError):  # it may be closed already
            self._link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._link.close()

    def close(self) -> None:
        self._link.close()
