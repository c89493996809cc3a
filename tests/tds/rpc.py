"""Procedures called over the wire: statements with parameters, prepared or not, and the catalogue's."""

import dataclasses
import itertools
import struct
from collections.abc import Iterator
from typing import Any

from tests.tds import descriptions
from tests.tds.session import Done, Event, Result, Session, Variables
from tests.tds.tokens import Column, SqlError
from tests.tds.types import Reader, SqlType, declared, read_type, read_value

MOST_PARAMETERS = 2_100
_BY_NUMBER = {
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    15: "sp_unprepare",
}


@dataclasses.dataclass(frozen=True)
class Parameter:
    name: str
    type: SqlType
    value: Any
    output: bool


@dataclasses.dataclass(frozen=True)
class Call:
    name: str
    parameters: list[Parameter]
    metadata: bool  # the client wants the columns


@dataclasses.dataclass(frozen=True)
class Returned:
    """The value of an output parameter."""

    name: str
    type: SqlType
    value: Any


def after_headers(data: bytes) -> bytes:
    """Return the data after ALL_HEADERS."""
    (length,) = struct.unpack_from("<I", data)
    return data[length:]


def read_calls(data: bytes) -> Iterator[Call]:
    """The calls of a message. Raises Unreadable."""
    reader = Reader(after_headers(data))
    while reader.left:
        length = reader.number(2)
        if length == 0xFFFF:
            number = reader.number(2)
            name = _BY_NUMBER.get(number, f"procedure {number}")
        else:
            name = reader.take(length * 2).decode("utf-16-le")
        reader.number(2)
        parameters = []
        while reader.left and reader.data[reader.at] not in (0x80, 0xFE, 0xFF):
            parameter = reader.text()
            status = reader.number(1)
            type_, token = read_type(reader)
            value = read_value(reader, type_, token)
            parameters.append(Parameter(parameter.lstrip("@"), type_, value, bool(status & 1)))
        if reader.left:
            reader.number(1)
        yield Call(name.lower().rpartition(".")[2].strip("[]"), parameters, True)


class Procedures:
    """The calls of one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._prepared: dict[int, tuple[str, dict[str, SqlType]]] = {}
        self._numbers = itertools.count(1)

    def forget(self) -> None:
        self._prepared.clear()

    def call(self, call: Call) -> Iterator[Event | Returned]:
        """Raises SqlError."""
        if len(call.parameters) > MOST_PARAMETERS:
            text = "The incoming request has too many parameters. The server supports a maximum of 2100."
            raise SqlError(8003, text)
        match call.name:
            case "sp_executesql":
                text, types, *rest = *_two(call.parameters), *call.parameters[2:]
                yield from self._run(str(text), _types(str(types or "")), rest)
            case "sp_prepexec":
                number = self._prepare(call.parameters[2].value, call.parameters[1].value)
                yield Returned(call.parameters[0].name, SqlType("int"), number)
                yield from self._run(*self._prepared[number], call.parameters[3:])
            case "sp_prepare":
                number = self._prepare(call.parameters[2].value, call.parameters[1].value)
                yield Returned(call.parameters[0].name, SqlType("int"), number)
            case "sp_execute":
                number = call.parameters[0].value
                if number not in self._prepared:
                    raise SqlError(8179, f"Could not find prepared statement with handle {number}.")
                yield from self._run(*self._prepared[number], call.parameters[1:])
            case "sp_unprepare":
                self._prepared.pop(call.parameters[0].value, None)
            case "sp_columns_100" | "sp_columns":
                yield from self._columns(call)
            case "sp_datatype_info_100":
                yield from descriptions.types(int(call.parameters[0].value))
            case "sp_describe_undeclared_parameters":
                yield from descriptions.undeclared(self._session, str(call.parameters[0].value))
            case _:
                raise SqlError(2812, f"Could not find stored procedure '{call.name}'.")

    def _prepare(self, text: Any, types: Any) -> int:
        number = next(self._numbers)
        self._prepared[number] = (str(text), _types(str(types or "")))
        return number

    def _run(
        self, sql: str, types: dict[str, SqlType], given: list[Parameter]
    ) -> Iterator[Event | Returned]:
        variables: Variables = {}
        names = list(types)
        for index, parameter in enumerate(given):
            name = parameter.name or names[index]
            variables[name] = (types.get(name, parameter.type), parameter.value)
        missing = [name for name in names if name not in variables]
        if missing:
            text = f"The parameterized query expects the parameter '@{missing[0]}'."
            raise SqlError(8178, text)
        yield from self._session.run(sql, variables, nested=True)
        for parameter in given:
            if parameter.output:
                yield Returned(parameter.name, *variables[parameter.name])

    def _columns(self, call: Call) -> Iterator[Event]:
        """sp_columns_100, with what drivers read of it."""
        table = self._session.catalogue.find(str(call.parameters[0].value))
        text, number = SqlType("nvarchar", 128), SqlType("int")
        names = (
            *(
                "TABLE_QUALIFIER",
                "TABLE_OWNER",
                "TABLE_NAME",
                "COLUMN_NAME",
                "DATA_TYPE",
                "TYPE_NAME",
            ),
            *("PRECISION", "LENGTH", "SCALE", "RADIX", "NULLABLE", "REMARKS", "COLUMN_DEF"),
            *(
                "SQL_DATA_TYPE",
                "SQL_DATETIME_SUB",
                "CHAR_OCTET_LENGTH",
                "ORDINAL_POSITION",
                "IS_NULLABLE",
            ),
        )
        texts = {
            "TABLE_QUALIFIER",
            "TABLE_OWNER",
            "TABLE_NAME",
            "COLUMN_NAME",
            "TYPE_NAME",
            "REMARKS",
        }
        texts |= {"COLUMN_DEF", "IS_NULLABLE"}
        columns = [Column(name, text if name in texts else number) for name in names]
        rows: list[tuple[Any, ...]] = []
        for place, column in enumerate(table.columns if table else [], 1):
            code, size = descriptions.ODBC[column.type.name], column.type.size
            named = f"{column.type.name} identity" if column.identity else column.type.name
            yes = "YES" if column.nullable else "NO"
            rows.append(
                (
                    *(self._session.name, "dbo", table and table.name, column.name, code),
                    *(named, max(0, size), size * 2, column.type.scale, 10, int(column.nullable)),
                    *(None, column.default, code, None, None, place, yes),
                )
            )
        yield Result(columns, rows)
        yield Done(len(rows), 0xC1)


def _two(parameters: list[Parameter]) -> tuple[Any, Any]:
    return parameters[0].value, parameters[1].value if len(parameters) > 1 else ""


def _types(text: str) -> dict[str, SqlType]:
    """Return the types by name of `@P1 nvarchar(5),@P2 decimal(35,17) OUTPUT`."""
    from tests.tds.definitions import split

    types = {}
    for part in split(text) if text.strip() else []:
        name, type_ = part.strip().split(None, 1)
        types[name.lstrip("@")] = declared(type_)
    return types
