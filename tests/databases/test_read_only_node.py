"""A restored backup as a read-only node: it answers with the data of the backup, from another folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIRDS
from tests.installation import Installation

_ASK = """
import json
from django.test import Client
answer = Client().get("/api/v1/instruments/", {"per_page": 3}, secure=True, headers={"host": "localhost"})
ready = Client().get("/health/ready/", secure=True, headers={"host": "localhost"})
assert answer.status_code == 200, answer.content
rows = answer.json()["results"]
print(json.dumps({"status": answer.status_code, "answer": rows, "ready": ready.status_code}))
"""


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_restored_backup_answers_as_the_database_did(
    tmp_path: Path, migrated_database: Path
) -> None:
    backups = str(tmp_path / "backups")
    machine = Installation(tmp_path / "machine", BACKUP_DIR=backups, ANONYMOUS_READ="true")
    machine.copy_database(migrated_database)
    machine.run("load", FIRDS / "FULINS_C_20250830_01of01.zip")
    before = ask(machine)
    machine.run("backup", "create")
    [name] = [path.name for path in Path(backups).iterdir() if path.name.endswith(".zst")]

    node = Installation(tmp_path / "node", BACKUP_DIR=backups, ANONYMOUS_READ="true")
    node.database.parent.mkdir()
    node.run("backup", "restore", name, "--yes")

    assert ask(node) == before
    assert before["status"] == before["ready"] == 200
    assert len(before["answer"]) == 3
    assert node.counts() == machine.counts()


def ask(installation: Installation) -> dict[str, Any]:
    """Return what a web server of an installation answers."""
    output = installation.run("shell", "-v", "0", "-c", _ASK)
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer
