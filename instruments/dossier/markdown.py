"""A dossier as Markdown (CommonMark with tables), for tickets and chats."""

import re
from typing import Any

from instruments.dossier.layout import Section, Table, lay_out

# Characters with a meaning in Markdown or HTML; names in registers have any of them.
_SPECIAL = re.compile(r"([\\`*{}\[\]<>|#~]|(?<!\w)_|_(?!\w))")


def write(answer: dict[str, Any]) -> str:
    """Return the plain values of a dossier as Markdown."""
    name = answer["identity"]["full_name"] or answer["isin"]
    lines = [f"# {_escape(name)}", "", f"ISIN {answer['isin']}, on {answer['on']}", ""]
    for section in lay_out(answer):
        lines += _write_section(section)
    return "\n".join(lines)


def _write_section(section: Section) -> list[str]:
    lines = [f"## {_escape(section.title)}", ""]
    lines += [f"- {_escape(label)}: {_escape(text)}" for label, text in section.facts]
    if section.facts:
        lines.append("")
    for table in section.tables:
        lines += _write_table(table)
    if section.sources:
        lines += [f"Source: {_escape('; '.join(section.sources))}", ""]
    return lines


def _write_table(table: Table) -> list[str]:
    lines = [_write_row(table.columns), "|" + "---|" * len(table.columns)]
    lines += map(_write_row, table.rows)
    if table.left_out:
        lines += ["", f"{table.left_out:,} more left out."]
    return [*lines, ""]


def _write_row(cells: list[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
