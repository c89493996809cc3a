"""Files that a user names in a command and that cannot be used: what the error says."""

import io
import os
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketdata.common import named_files
from marketdata.common.named_files import FileUnusable

pytestmark = pytest.mark.django_db

# Commands that read the file that is their last argument.
READERS = [
    ("lookup",),
    ("check_list",),
    ("list_files", "send"),
    ("curation_tables", "import", "venues"),
    ("load_venues",),
    ("volume_cap", "load_suspensions"),
    ("profiles", "save", "vendor"),
    ("scope", "set", "--isins"),
]
# Commands that write it.
WRITERS = [
    ("export",),
    ("curation_tables", "export", "venues"),
    ("entities", "differences", "--output"),
]


def run(command: tuple[str, ...], path: Path) -> str:
    """Run a command with a file; return its error."""
    name = f"@{path}" if command[0] == "scope" else str(path)
    with pytest.raises(CommandError) as raised:
        call_command(*command, name, stdout=io.StringIO(), stderr=io.StringIO())
    return str(raised.value)


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    missing, nowhere = tmp_path / "trades.csv", tmp_path / "none" / "trades.csv"

    assert run(command, missing) == (
        f"{missing}: there is no such file in {tmp_path}. Check its name."
    )
    assert run(command, nowhere) == (
        f"{nowhere}: there is no folder {nowhere.parent}. Create it, or check the path."
    )
    assert run(command, tmp_path) == f"{tmp_path}: this is a folder. Give the name of a file."


@pytest.mark.parametrize(
    "command", [c for c in READERS if c[0] in ("lookup", "check_list", "curation_tables")]
)
def test_a_file_that_is_not_utf_8_says_how_to_save_it(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes("idValue\nMünchen\n".encode("latin-1"))

    assert run(command, path).endswith(f"trades.csv: {named_files.NOT_UTF_8}")


@pytest.mark.parametrize("command", WRITERS, ids=" ".join)
def test_a_file_that_cannot_be_written_is_named_with_what_to_do(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    nowhere = tmp_path / "none" / "rows.csv"
    folder = tmp_path / "folder.csv"
    folder.mkdir()

    assert run(command, nowhere) == (
        f"{nowhere}: there is no folder {nowhere.parent}. Create it, or check the path."
    )
    assert run(command, folder) == f"{folder}: this is a folder. Give the name of a file."
    assert list(tmp_path.glob("*.part")) == []


def test_an_empty_file_of_codes_does_not_open_the_scope(tmp_path: Path) -> None:
    path = tmp_path / "isins.txt"
    path.write_text(" \n")

    assert run(("scope", "set", "--isins"), path) == f"{path}: it has no code."


def test_errors_of_a_table_are_errors_of_the_command(tmp_path: Path) -> None:
    empty = tmp_path / "venues.csv"
    empty.write_text("")

    assert run(("curation_tables", "import", "venues"), empty) == "venues.csv has no row."
    assert "'ods' is not a format" in run(
        ("curation_tables", "export", "venues"), tmp_path / "venues.ods"
    )


def test_a_file_appears_when_all_of_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path, link = folder / "a.csv", folder / "link.csv"
    path.write_bytes(b"old")
    link.symlink_to(path)

    def stop_half_way() -> None:
        with named_files.writing(link) as file:
            file.write(b"half")
            file.flush()
            assert path.read_bytes() == b"old"
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        stop_half_way()
    assert {path.name for path in folder.iterdir()} == {"a.csv", "link.csv"}
    with named_files.writing(link) as file:
        file.write(b"new")
    assert (path.read_bytes(), link.is_symlink()) == (b"new", True)
    with (
        pytest.raises(FileUnusable, match="there is a file of this name already"),
        named_files.writing(path, may_replace=False),
    ):
        raise AssertionError


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with named_files.writing(pipe) as file:
            file.write(b"rows")
        assert os.read(reading, 10) == b"rows"
    finally:
        os.close(reading)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("error", "verb", "text"),
    [
        (PermissionError(13, "Permission denied"), "read", " may not read it. "),
        (PermissionError(13, "Permission denied"), "write", " may not write it. "),
        (FileExistsError(17, "File exists"), "write", "there is a file of this name already"),
        (NotADirectoryError(20, "Not a directory"), "read", "is a file, not a folder"),
        (OSError(28, "No space left on device"), "write", " is too full: "),
        (OSError(5, "Input/output error"), "write", "it cannot be written: Input/output error."),
        (OSError("odd"), "read", "it cannot be read: odd."),
    ],
)
def test_other_errors_are_described_too(error: OSError, verb: str, text: str) -> None:
    assert text in named_files.describe("a.csv", error, verb=verb)


def test_standard_input_that_is_not_utf_8_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"))

    with pytest.raises(FileUnusable, match=r"^standard input: it is not text in UTF-8"):
        named_files.read_text("-")


def test_standard_input_is_utf_8_whatever_the_locale_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO("\ufeffMünchen".encode()), "ascii", "surrogateescape")
    monkeypatch.setattr(sys, "stdin", stdin)

    assert named_files.read_text("-") == "München"
    assert not stdin.closed
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(FileUnusable, match=r"^standard input: it is closed\."):
        named_files.read_text("-")
