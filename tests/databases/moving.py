"""Transfers from one file to another."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command


def databases(source: Path, target: Path) -> list[str]:
    return ["--from", f"sqlite:///{source}", "--to", f"sqlite:///{target}"]


def transfer(source: Path, target: Path, *options: str) -> dict[str, int]:
    """The rows that were copied, by table."""
    out = StringIO()
    call_command(
        *("transfer", *databases(source, target), *options, "--format", "json"),
        stdout=out,
        stderr=StringIO(),
    )
    return {row["table"]: row["copied"] for row in json.loads(out.getvalue())}


def differences(source: Path, target: Path, *options: str) -> dict[tuple[str, Any], str]:
    """Return the differences that verify_transfer lists, by table and key; it fails where there are any."""
    out = StringIO()
    failed = False
    try:
        call_command(
            *("verify_transfer", *databases(source, target), *options, "--format", "json"),
            stdout=out,
            stderr=StringIO(),
        )
    except CommandError:
        failed = True
    tables = json.loads(out.getvalue())
    listed = {
        (table["table"], row["key"]): row["description"]
        for table in tables
        for row in table["differences"]
    }
    assert failed is bool(listed)
    assert all(t["same"] is (t["checksum"] == t["target_checksum"]) for t in tables)
    return listed
