"""The tokens that a reply consists of."""

import dataclasses
import struct
from collections.abc import Sequence
from typing import Any

from tests.tds.types import SqlType, type_info, value_bytes

DONE, DONE_PROCEDURE, DONE_IN_PROCEDURE = 0xFD, 0xFE, 0xFF
MORE, FAILED, COUNTED, ATTENDED = 0x01, 0x02, 0x10, 0x20
DATABASE, PACKET_SIZE, COLLATION, BEGUN, COMMITTED, ROLLED_BACK, RESET = 1, 4, 7, 8, 9, 10, 18
_NAME = "tds-for-tests"


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    type: SqlType
    nullable: bool = True
    identity: bool = False


class SqlError(Exception):
    """An error of the server, with SQL Server's number."""

    def __init__(self, number: int, text: str, severity: int = 16, state: int = 1) -> None:
        super().__init__(number, text)
        self.number, self.text, self.severity, self.state = number, text, severity, state


def short(text: str) -> bytes:
    return bytes([len(text.encode("utf-16-le")) // 2]) + text.encode("utf-16-le")


def long(text: str) -> bytes:
    return struct.pack("<H", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


def error(problem: SqlError, token: int = 0xAA) -> bytes:
    body = struct.pack("<IBB", problem.number, problem.state, problem.severity)
    body += long(problem.text[:4000]) + short(_NAME) + short("") + struct.pack("<I", 1)
    return bytes([token]) + struct.pack("<H", len(body)) + body


def done(status: int = 0, count: int = 0, token: int = DONE, command: int = 0) -> bytes:
    return struct.pack("<BHHQ", token, status, command, count)


def changed(kind: int, new: bytes, old: bytes = b"\0") -> bytes:
    return b"\xe3" + struct.pack("<H", len(new) + len(old) + 1) + bytes([kind]) + new + old


def bytes_of(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def columns(described: Sequence[Column]) -> bytes:
    data = b"\x81" + struct.pack("<H", len(described))
    for column in described:
        flags = 0x08 | int(column.nullable) | (0x10 if column.identity else 0)
        data += struct.pack("<IH", 0, flags) + type_info(column.type) + short(column.name[:128])
    return data


def row(described: Sequence[Column], values: Sequence[Any]) -> bytes:
    pairs = zip(described, values, strict=True)
    return b"\xd1" + b"".join(value_bytes(column.type, value) for column, value in pairs)


def return_status(code: int) -> bytes:
    return b"\x79" + struct.pack("<i", code)


def return_value(name: str, type_: SqlType, value: Any) -> bytes:
    head = b"\xac" + struct.pack("<H", 0) + short(name) + b"\x01" + struct.pack("<IH", 0, 1)
    return head + type_info(type_) + value_bytes(type_, value)


def login_acknowledged() -> bytes:
    body = b"\x01\x74\x00\x00\x04" + short("Microsoft SQL Server") + bytes([16, 0, 0x10, 0x00])
    return b"\xad" + struct.pack("<H", len(body)) + body
