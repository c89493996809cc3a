"""The beginning of a connection: what is encrypted, and who is there."""

import dataclasses
import struct

from tests.tds.types import Reader, Unreadable

_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _MARS = range(5)
OFF, ON, UNSUPPORTED, REQUIRED = range(4)
FEDERATED = 0x02  # of the features that a login may ask for


@dataclasses.dataclass(frozen=True)
class Login:
    user: str
    password: str
    database: str
    application: str
    packet_size: int
    token: str = ""  # of Entra, instead of name and password


def asked_encryption(data: bytes) -> int:
    """Return the encryption that the client's PRELOGIN asks for."""
    for option, at, length in _options(data):
        if option == _ENCRYPTION and length:
            return data[at]
    return OFF


def wants_token(data: bytes) -> bool:
    return any(option == 6 and data[at] for option, at, _ in _options(data))


def _options(data: bytes) -> list[tuple[int, int, int]]:
    options, place = [], 0
    while data[place] != 0xFF:
        options.append(struct.unpack(">BHH", data[place : place + 5]))
        place += 5
    return options


def prelogin(encryption: int, *, token: bool) -> bytes:
    """The server's PRELOGIN: version 16 (2022), no MARS."""
    options = {_VERSION: bytes([16, 0, 0x10, 0, 0, 0]), _ENCRYPTION: bytes([encryption])}
    options |= {_INSTANCE: b"\0", _THREAD: b"", _MARS: b"\0"}
    if token:
        options[6] = b"\x01"
    at, head, body = len(options) * 5 + 1, b"", b""
    for option, data in options.items():
        head += struct.pack(">BHH", option, at + len(body), len(data))
        body += data
    return head + b"\xff" + body


def read(data: bytes) -> Login:
    """LOGIN7. Raises Unreadable."""
    reader = Reader(data)
    length, version, packet_size = struct.unpack("<III", reader.take(12))
    if length != len(data) or version < 0x74000000:
        raise Unreadable(f"a login of {length} bytes for TDS {version:08X}")
    reader.at = 36

    def text(index: int) -> bytes:
        start, count = struct.unpack_from("<HH", data, 36 + index * 4)
        return data[start : start + count * 2]

    hidden = bytes(((byte ^ 0xA5) << 4 | (byte ^ 0xA5) >> 4) & 0xFF for byte in text(2))
    # After nine pairs there are six bytes of the client's address, which no text is read behind.
    return Login(
        user=text(1).decode("utf-16-le"),
        password=hidden.decode("utf-16-le"),
        database=text(8).decode("utf-16-le"),
        application=text(3).decode("utf-16-le"),
        packet_size=packet_size,
        token=_features(data).get(FEDERATED, b"")[5:].decode("utf-16-le", "replace"),
    )


def _features(data: bytes) -> dict[int, bytes]:
    if not data[27] & 0x10:
        return {}
    (start,) = struct.unpack_from("<H", data, 36 + 5 * 4)
    (at,) = struct.unpack_from("<I", data, start)
    features = {}
    while data[at] != 0xFF:
        (length,) = struct.unpack_from("<I", data, at + 1)
        features[data[at]] = data[at + 5 : at + 5 + length]
        at += 5 + length
    return features
