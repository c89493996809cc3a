"""The modules that a process imports at its start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installation import ROOT, Installation

_PAGES = "marketdata.urls"
_ADMIN = "instruments.admin"
_COMMAND = """
from marketdata.common.command_line import CommandLine
CommandLine(["manage.py", "venues", "missing"]).execute()"""
_CHECK = """
from django.core.management import call_command
call_command("check", tags=["admin"])"""


@pytest.mark.parametrize(
    ("code", "imported"),
    [(_COMMAND, set()), (_CHECK, {_ADMIN}), (f"import {_PAGES}", {_PAGES, _ADMIN})],
)
def test_pages_and_admin_are_imported_by_what_needs_them(
    migrated: Path, tmp_path: Path, code: str, imported: set[str]
) -> None:
    """They are more than half of what there is to import, so commands start without them."""
    installation = Installation(tmp_path).copy_database(migrated)
    lines = (
        "import django, json, sys",
        "django.setup()",
        code,
        "print(json.dumps([*sys.modules]))",
    )
    process = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        env={**installation.environment, "DJANGO_SETTINGS_MODULE": "marketdata.settings"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert {_PAGES, _ADMIN} & set(json.loads(process.stdout.splitlines()[-1])) == imported
