"""What commands print: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from django.core.management import CommandParser
from django.core.management.base import OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.table import Table


def add_format(parser: CommandParser) -> None:
    parser.add_argument(
        "--format", choices=["table", "json"], default="table", help="for people, or for programs"
    )


def print_json(out: OutputWrapper | TextIO, data: Any) -> None:
    out.write(json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))


def print_table(
    out: OutputWrapper | TextIO,
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    numbers: Sequence[str] = (),
) -> None:
    """Rows with the keys of the first as columns; `numbers` are the columns set to the right."""
    columns = list(rows[0]) if rows else []
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        right = column in numbers
        table.add_column(
            column.replace("_", " "), justify="right" if right else "left", no_wrap=right
        )
    for row in rows:
        table.add_row(*(text(row[column]) for column in columns))
    console(out).print(table)


def text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def console(out: OutputWrapper | TextIO) -> Console:
    """Rich's console on a command's output: plain and wide where that is no terminal."""
    raw: Any = getattr(out, "_out", out)  # Django wraps it
    terminal = bool(getattr(raw, "isatty", bool)())
    return Console(file=raw, width=None if terminal else 200, highlight=False, markup=False)


def is_terminal() -> bool:
    return sys.stderr.isatty()
