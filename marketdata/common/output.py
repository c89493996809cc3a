"""Output of commands: tables for people, JSON for programs."""

import json
import re
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
        "--format",
        choices=["table", "json"],
        default="table",
        help="a table for people, or JSON for programs",
    )


# Characters that a terminal takes as commands, beside those that JSON escapes, or that change the direction.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def escape_controls(text: str) -> str:
    """Return the text with control characters as `\\u009b`, which is also how JSON escapes them.

    Names come from outside, and a terminal would obey the sequences in them.
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def print_json(out: OutputWrapper | TextIO, data: Any) -> None:
    content = json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    out.write(escape_controls(content))


def print_rows(
    out: OutputWrapper,
    rows: Sequence[Mapping[str, Any]],
    format_: str,
    *,
    if_empty: str,
    columns: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> None:
    """Print rows as JSON, or as a table of their `columns`, by default of all.

    `if_empty` is printed in place of an empty table.
    """
    if format_ == "json":
        print_json(out, rows)
    elif rows:
        shown = [{name: row[name] for name in columns or row} for row in rows]
        print_table(out, shown, numbers=numbers)
    else:
        out.write(if_empty)


def print_table(
    out: OutputWrapper | TextIO,
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    numbers: Sequence[str] = (),
) -> None:
    """Print rows as a table whose columns are the keys of the first row.

    The columns in `numbers` are right-aligned. If the terminal is too narrow to print the table without
    cutting words, each row is printed as a table of its own.
    """
    console = open_console(out)
    names = [column.replace("_", " ") for column in rows[0]] if rows else []
    wide = _make_table(names, rows, title=title, numbers=numbers)
    narrow = _make_table([n.replace(" ", "\n") for n in names], rows, title=title, numbers=numbers)
    if _measure(wide, console).maximum <= console.width:
        console.print(wide)
    elif _measure(narrow, console).minimum <= console.width:
        console.print(narrow)
    else:
        console.print(
            *([Text(title, "italic")] if title else []), *map(_make_row_table, rows), sep="\n"
        )


def _make_table(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, title: str, numbers: Sequence[str]
) -> Table:
    table = Table(title=title or None, title_justify="left", header_style="bold")
    columns = list(rows[0]) if rows else []
    texts = [[text(row[column]) for column in columns] for row in rows]
    for index, (name, column) in enumerate(zip(names, columns, strict=True)):
        words_only = not any(" " in line[index] for line in texts)  # cannot be wrapped
        table.add_column(name, justify="right" if column in numbers else "left", no_wrap=words_only)
    for line in texts:
        table.add_row(*line)
    return table


def _measure(table: Table, console: Console) -> Measurement:
    """Return the width in which no word is cut (minimum) and in which nothing is wrapped (maximum)."""
    return Measurement.get(console, console.options.update(width=_UNBOUNDED), table)


def _make_row_table(row: Mapping[str, Any]) -> Table:
    table = Table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for column, value in row.items():
        table.add_row(column.replace("_", " "), text(value))
    return table


def text(value: Any) -> str:
    """Return a value as text for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else escape_controls(str(value))


def open_console(out: OutputWrapper | TextIO) -> Console:
    """Return Rich's console on the output of a command; plain and 200 columns wide if not a terminal."""
    raw: Any = getattr(out, "_out", out)  # unwrap Django's OutputWrapper
    terminal = bool(getattr(raw, "isatty", bool)())
    return Console(file=raw, width=None if terminal else 200, highlight=False, markup=False)


def is_terminal() -> bool:
    return sys.stderr.isatty()
