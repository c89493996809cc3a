"""SQL Server's types. Decimals, dates and times are texts: `2025-08-30 12:00:00.0000000 +02:00`."""

import dataclasses
import datetime
import functools
import re
import struct
import uuid
from decimal import Context, Decimal
from typing import Any

_WIDE = Context(prec=80)
MAX = -1  # as in nvarchar(max)
# SQL_Latin1_General_CP1_CI_AS, and Latin1_General_100_BIN2.
DEFAULT_COLLATION = bytes([0x09, 0x04, 0xD0, 0x00, 0x34])
BINARY_COLLATION = bytes([0x09, 0x04, 0x00, 0x23, 0x00])
_INTEGERS = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
_TEXTS = {"char": 0xAF, "varchar": 0xA7, "nchar": 0xEF, "nvarchar": 0xE7, "sysname": 0xE7}
_BINARIES = {"binary": 0xAD, "varbinary": 0xA5}
_TIMES = {"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}
_FIXED = {0x30: 1, 0x32: 1, 0x34: 2, 0x38: 4, 0x7F: 8, 0x3E: 8, 0x3B: 4}
_PLP_NULL, _PLP_UNKNOWN = 2**64 - 1, 2**64 - 2
_EPOCH = datetime.date(1, 1, 1).toordinal()
_DECLARED = re.compile(r"\s*\[?(\w+)\]?\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?", re.IGNORECASE)
_SYNONYMS = {
    "integer": "int", "numeric": "decimal", "double precision": "float", "double": "float",
    "real": "float", "datetime": "datetime2", "text": "varchar", "timestamptz": "datetimeoffset",
    "timestamp": "datetime2", "boolean": "bit", "sysname": "nvarchar",
}  # fmt: skip


class Unreadable(Exception):
    """Bytes that are not what the protocol says."""


@dataclasses.dataclass(frozen=True)
class SqlType:
    """`size` is a length, a precision or a number of digits after the seconds; `scale` is a decimal's."""

    name: str
    size: int = 0
    scale: int = 0
    binary: bool = False  # compared letter by letter

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.size},{self.scale})"
        if self.is_text or self.name in _BINARIES:
            return f"{self.name}({'max' if self.size == MAX else self.size})"
        return self.name

    @property
    def is_text(self) -> bool:
        return self.name in _TEXTS

    @property
    def is_number(self) -> bool:
        return self.name in _INTEGERS or self.name in ("bit", "float", "decimal")

    @property
    def is_time(self) -> bool:
        return self.name in _TIMES or self.name == "date"


@functools.lru_cache(maxsize=10_000)
def declared(text: str, *, binary: bool = False) -> SqlType:
    """Return the type of a declaration, such as `nvarchar(50)`. Raises Unreadable."""
    match = _DECLARED.match(re.sub(r"(?i)\bdouble\s+precision\b", "float", text))
    if not match:
        raise Unreadable(f"type {text}")
    name = match[1].lower()
    if name == "sysname":
        return SqlType("nvarchar", 128)
    name = _SYNONYMS.get(name, name)
    if name in ("ntext", "image"):
        return SqlType("nvarchar" if name == "ntext" else "varbinary", MAX)
    if name == "decimal":
        return SqlType(name, int(match[2] or 18), int(match[3] or 0))
    if name in _TEXTS or name in _BINARIES:
        size = MAX if (match[2] or "").lower() == "max" else int(match[2] or 1)
        return SqlType(name, size, binary=binary)
    if name in _TIMES:
        return SqlType(name, int(match[2]) if match[2] else 7)
    if name in _INTEGERS or name in ("bit", "float", "date", "uniqueidentifier"):
        return SqlType(name)
    raise Unreadable(f"type {text}")


class Reader:
    """Bytes, from the first to the last."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Unreadable(f"{count} bytes where {self.left} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def text(self, size: int = 1) -> str:
        return self.take(self.number(size) * 2).decode("utf-16-le")


def read_type(reader: Reader) -> tuple[SqlType, int]:
    """TYPE_INFO, and its token."""
    token = reader.number(1)
    if token in _FIXED:
        size = _FIXED[token]
        name = {0x32: "bit", 0x3E: "float", 0x3B: "float"}.get(token)
        return SqlType(name or _integer(size)), token
    if token == 0x26:
        return SqlType(_integer(reader.number(1))), token
    if token in (0x68, 0x6D, 0x24):
        reader.take(1)
        return SqlType({0x68: "bit", 0x6D: "float", 0x24: "uniqueidentifier"}[token]), token
    if token in (0x6A, 0x6C):
        reader.take(1)
        return SqlType("decimal", reader.number(1), reader.number(1)), token
    if token == 0x28:
        return SqlType("date"), token
    for name, its in _TIMES.items():
        if token == its:
            return SqlType(name, reader.number(1)), token
    for name, its in {**_BINARIES, **_TEXTS}.items():
        if token == its and name != "sysname":
            size = reader.number(2)
            if name in _TEXTS:
                reader.take(5)
            if size == 0xFFFF:
                return SqlType(name, MAX), token
            return SqlType(name, size // 2 if name.startswith("n") else size), token
    raise Unreadable(f"type 0x{token:02X}")


def _integer(size: int) -> str:
    return next(name for name, its in _INTEGERS.items() if its == size)


def read_value(reader: Reader, type_: SqlType, token: int) -> Any:
    """A value of a type that read_type has read."""
    if token in _FIXED:
        return _of_bytes(type_, reader.take(_FIXED[token]))
    if type_.size == MAX and (type_.is_text or type_.name in _BINARIES):
        data = _read_chunks(reader)
    elif type_.is_text or type_.name in _BINARIES:
        size = reader.number(2)
        data = None if size == 0xFFFF else reader.take(size)
    else:
        size = reader.number(1)
        data = reader.take(size) if size else None
    return None if data is None else _of_bytes(type_, data)


def _read_chunks(reader: Reader) -> bytes | None:
    if reader.number(8) == _PLP_NULL:
        return None
    chunks = []
    while size := reader.number(4):
        chunks.append(reader.take(size))
    return b"".join(chunks)


def _of_bytes(type_: SqlType, data: bytes) -> Any:
    if type_.name in _INTEGERS:
        return int.from_bytes(data, "little", signed=type_.name != "tinyint")
    if type_.name == "bit":
        return int(data[0] != 0)
    if type_.name == "float":
        return struct.unpack("<d" if len(data) == 8 else "<f", data)[0]
    if type_.is_text:
        return data.decode("utf-16-le" if type_.name.startswith("n") else "cp1252")
    if type_.name in _BINARIES:
        return data
    if type_.name == "decimal":
        units = Decimal(int.from_bytes(data[1:], "little") * (1 if data[0] else -1))
        return f"{units.scaleb(-type_.scale, _WIDE):f}"
    if type_.name == "uniqueidentifier":
        return str(uuid.UUID(bytes_le=data)).upper()
    return _time_of_bytes(type_, data)


def _time_of_bytes(type_: SqlType, data: bytes) -> str:
    if type_.name == "date":
        return _date(int.from_bytes(data, "little"))
    length = _time_length(type_.size)
    ticks = int.from_bytes(data[:length], "little") * 10 ** (7 - type_.size)
    if type_.name == "time":
        return _clock(ticks)
    days = int.from_bytes(data[length : length + 3], "little")
    if type_.name == "datetime2":
        return f"{_date(days)} {_clock(ticks)}"
    offset = int.from_bytes(data[length + 3 :], "little", signed=True)
    ticks += offset * 600_000_000
    days += ticks // 864_000_000_000
    ticks %= 864_000_000_000
    sign = "-" if offset < 0 else "+"
    return f"{_date(days)} {_clock(ticks)} {sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"


def _time_length(digits: int) -> int:
    return 3 if digits <= 2 else 4 if digits <= 4 else 5


def _date(days: int) -> str:
    return datetime.date.fromordinal(days + _EPOCH).isoformat()


def _clock(ticks: int) -> str:
    seconds, rest = divmod(ticks, 10_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:07}"


def type_info(type_: SqlType) -> bytes:
    """TYPE_INFO, as the server sends it."""
    name = type_.name
    if name in _INTEGERS:
        return bytes([0x26, _INTEGERS[name]])
    if name in ("bit", "float", "uniqueidentifier", "date"):
        known = {"bit": b"\x68\x01", "float": b"\x6d\x08", "uniqueidentifier": b"\x24\x10"}
        return known.get(name, b"\x28")
    if name == "decimal":
        return bytes([0x6A, 17, type_.size, type_.scale])
    if name in _TIMES:
        return bytes([_TIMES[name], type_.size])
    wide = 2 if name.startswith("n") else 1
    size = 0xFFFF if type_.size == MAX else max(type_.size, 1) * wide
    info = bytes([{**_TEXTS, **_BINARIES}[name]]) + struct.pack("<H", size)
    if type_.is_text:
        info += BINARY_COLLATION if type_.binary else DEFAULT_COLLATION
    return info


def value_bytes(type_: SqlType, value: Any) -> bytes:
    """A value with its length."""
    lengthy = type_.is_text or type_.name in _BINARIES
    if lengthy and type_.size == MAX:
        if value is None:
            return struct.pack("<Q", _PLP_NULL)
        data = _to_bytes(type_, value)
        chunk = struct.pack("<I", len(data)) + data if data else b""
        return struct.pack("<Q", len(data)) + chunk + bytes(4)
    if lengthy:
        data = b"" if value is None else _to_bytes(type_, value)
        return struct.pack("<H", 0xFFFF if value is None else len(data)) + data
    data = b"" if value is None else _to_bytes(type_, value)
    return bytes([len(data)]) + data


def _to_bytes(type_: SqlType, value: Any) -> bytes:
    if type_.name in _INTEGERS:
        return int(value).to_bytes(_INTEGERS[type_.name], "little", signed=type_.name != "tinyint")
    if type_.name == "bit":
        return bytes([int(value)])
    if type_.name == "float":
        return struct.pack("<d", float(value))
    if type_.is_text:
        return str(value).encode("utf-16-le" if type_.name.startswith("n") else "cp1252", "replace")
    if type_.name in _BINARIES:
        return bytes(value)
    if type_.name == "decimal":
        units = int(Decimal(str(value)).scaleb(type_.scale, _WIDE))
        size = 4 if type_.size <= 9 else 8 if type_.size <= 19 else 12 if type_.size <= 28 else 16
        return bytes([units >= 0]) + abs(units).to_bytes(size, "little")
    if type_.name == "uniqueidentifier":
        return uuid.UUID(value).bytes_le
    return _time_to_bytes(type_, str(value))


def _time_to_bytes(type_: SqlType, text: str) -> bytes:
    if type_.name == "date":
        return _days(text).to_bytes(3, "little")
    day, clock, offset = ("", text, "") if type_.name == "time" else (*text.split(" "), "")[:3]
    hours, minutes, seconds = clock.split(":")
    whole, _, part = seconds.partition(".")
    ticks = (int(hours) * 3600 + int(minutes) * 60 + int(whole)) * 10_000_000
    ticks += int(part.ljust(7, "0")[:7] or 0)
    days = _days(day) if day else 0
    away = 0
    if type_.name == "datetimeoffset":
        sign = -1 if offset.startswith("-") else 1
        away = sign * (int(offset[1:3]) * 60 + int(offset[4:6]))
        ticks -= away * 600_000_000
        days += ticks // 864_000_000_000
        ticks %= 864_000_000_000
    data = int(ticks // 10 ** (7 - type_.size)).to_bytes(_time_length(type_.size), "little")
    if type_.name != "time":
        data += days.to_bytes(3, "little")
    return data + (struct.pack("<h", away) if type_.name == "datetimeoffset" else b"")


def _days(text: str) -> int:
    return datetime.date.fromisoformat(text).toordinal() - _EPOCH
