"""What commands print: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from django.core.management import CommandParser
from django.core.management.base import OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 10_000


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
    """Rows with the keys of the first as columns; `numbers` are the columns set to the right.

    Where the terminal is too narrow for that without cutting a word, each row is a table of its own.
    """
    to = console(out)
    names = [column.replace("_", " ") for column in rows[0]] if rows else []
    wide = _table(names, rows, title=title, numbers=numbers)
    narrow = _table([n.replace(" ", "\n") for n in names], rows, title=title, numbers=numbers)
    if _width(wide, to).maximum <= to.width:
        to.print(wide)
    elif _width(narrow, to).minimum <= to.width:
        to.print(narrow)
    else:
        to.print(*([Text(title, "italic")] if title else []), *map(_upright, rows), sep="\n")


def _table(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, title: str, numbers: Sequence[str]
) -> Table:
    table = Table(title=title or None, title_justify="left", header_style="bold")
    columns = list(rows[0]) if rows else []
    texts = [[text(row[column]) for column in columns] for row in rows]
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        words_only = not any(" " in line[place] for line in texts)  # there is nowhere to wrap them
        table.add_column(name, justify="right" if column in numbers else "left", no_wrap=words_only)
    for line in texts:
        table.add_row(*line)
    return table


def _width(table: Table, to: Console) -> Measurement:
    """From the width in which no word is cut to the one in which nothing is wrapped."""
    return Measurement.get(to, to.options.update(width=_UNBOUNDED), table)


def _upright(row: Mapping[str, Any]) -> Table:
    table = Table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for column, value in row.items():
        table.add_row(column.replace("_", " "), text(value))
    return table


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
