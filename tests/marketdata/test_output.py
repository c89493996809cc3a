"""The output of commands fits the terminal: no word is cut."""

import io
import json
from typing import Any

import pytest
from rich.text import Text

from marketdata.common import output

ROW: dict[str, Any] = {
    "file": "DLTINS_20260104_01of01.zip",
    "state": "loaded",
    "read": 601_335,
    "records_per_second": 22_926,
    "problem": "a long text may go on in the next line",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, *, width: int, title: str = "") -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    out = Terminal()
    output.print_table(out, [ROW, ROW], title=title, numbers=["read", "records_per_second"])
    return Text.from_ansi(out.getvalue()).plain.splitlines()


def test_a_wide_terminal_shows_a_line_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, width=120)

    assert len(lines) == 6
    assert "records per second" in lines[1]
    assert all(output.text(value) in lines[3] for value in ROW.values())


def test_a_narrower_one_wraps_headers_and_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, width=80)

    assert max(map(len, lines)) <= 80
    assert not any("records per second" in line for line in lines)
    assert sum("DLTINS_20260104_01of01.zip" in line and "601,335" in line for line in lines) == 2


@pytest.mark.parametrize("title", ["", "Files"])
def test_a_narrow_one_shows_each_row_by_itself(monkeypatch: pytest.MonkeyPatch, title: str) -> None:
    lines = printed(monkeypatch, width=60, title=title)

    assert max(map(len, lines)) <= 60
    assert any("records per second" in line and "22,926" in line for line in lines)
    assert sum("DLTINS_20260104_01of01.zip" in line for line in lines) == 2
    assert (lines[0] == "Files") == bool(title)


def test_what_is_no_terminal_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    output.print_table(out, [ROW])

    assert "\x1b" not in out.getvalue()
    assert "22,926" in out.getvalue().splitlines()[3]


def test_no_rows_are_no_error() -> None:
    out = io.StringIO()
    output.print_table(out, [])

    assert out.getvalue().strip() == ""


def test_control_characters_of_names_are_shown_and_not_sent_to_the_terminal() -> None:
    name = "A\x9b2J\x1b[31m\x07\u202eB"
    table, document = io.StringIO(), io.StringIO()
    output.print_table(table, [{"name": name}])
    output.print_json(document, {"name": name})

    for out in (table, document):
        assert not set("\x9b\x1b\x07\u202e") & set(out.getvalue())
        assert "A\\u009b2J\\u001b[31m\\u0007\\u202eB" in out.getvalue()
    assert json.loads(document.getvalue()) == {"name": name}
