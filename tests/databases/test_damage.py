"""Damage is detected: of backups, their descriptions, and databases."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from databases.backups import create, folder, restore
from databases.backups.create import digest
from databases.errors import DamagedBackup, DamagedDatabase
from tests.databases.conftest import execute

# Its database takes eight seconds to make.
pytestmark = pytest.mark.slow


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def turn_a_bit(path: Path) -> None:
    found = bytearray(path.read_bytes())
    found[len(found) // 2] ^= 1
    path.write_bytes(found)


@pytest.mark.parametrize("harm", [cut, turn_a_bit, Path.unlink])
def test_a_damaged_backup_is_refused(source: Path, harm: Callable[[Path], None]) -> None:
    backup = create.create(source, reason="manual")
    harm(backup.path)

    with pytest.raises(DamagedBackup, match="SHA-256"), restore.unpacked(backup):
        pass


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bytes": 8192}, "unpacks to"),
        ({"tables": {}}, "numbers of rows differ"),
        ({"migrations": []}, "migrations differ"),
    ],
)
def test_a_backup_that_is_not_what_it_says_is_refused(
    source: Path, change: dict[str, object], problem: str
) -> None:
    backup = create.create(source, reason="manual")
    description = Path(f"{backup.path}.json")
    description.write_text(json.dumps({**json.loads(description.read_text()), **change}))

    with pytest.raises(DamagedBackup, match=problem), restore.unpacked(folder.get(backup.name)):
        pass


def test_a_file_that_is_cut_and_described_anew_is_refused(source: Path) -> None:
    backup = create.create(source, reason="manual")
    cut(backup.path)
    description = Path(f"{backup.path}.json")
    changed_description = {**json.loads(description.read_text()), "sha256": digest(backup.path)}
    description.write_text(json.dumps(changed_description))

    with pytest.raises(DamagedBackup, match="unpack"), restore.unpacked(folder.get(backup.name)):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}'])
def test_a_description_that_cannot_be_read_is_named(source: Path, text: str) -> None:
    whole = create.create(source, reason="manual")
    other = create.create(source, reason="manual")
    Path(f"{other.path}.json").write_text(text)

    backups, [problem] = folder.scan()

    assert backups == [whole]
    assert other.name in problem
    with pytest.raises(DamagedBackup, match="description"):
        folder.get(other.name)


def test_files_without_their_other_half_are_no_backups(source: Path) -> None:
    first, second = (create.create(source, reason="manual") for _ in range(2))
    Path(f"{first.path}.json").unlink()
    second.path.unlink()

    backups, problems = folder.scan()

    assert backups == []
    assert all(name in text for name, text in zip((first.name, second.name), problems, strict=True))


def test_a_damaged_database_gives_no_backup(source: Path) -> None:
    execute(source, "PRAGMA wal_checkpoint(TRUNCATE)")
    found = bytearray(source.read_bytes())
    middle = len(found) // 2
    found[middle : middle + 100_000] = bytes(100_000)
    source.write_bytes(found)

    with pytest.raises(DamagedDatabase, match="is damaged"):
        create.create(source, reason="manual")

    assert folder.scan() == ([], [])
    assert [path.name for path in folder.folder().iterdir()] == [".lock"]


def test_what_is_no_database_gives_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_text("no database " * 1000)

    with pytest.raises(DamagedDatabase, match="not a database"):
        create.create(path, reason="manual")


def test_a_row_that_points_to_nothing_is_found(source: Path) -> None:
    execute(source, "DELETE FROM auth_group")

    with pytest.raises(DamagedDatabase, match="refers to a missing row of auth_group"):
        create.create(source, reason="manual")
