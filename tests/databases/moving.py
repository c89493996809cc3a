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


def differences(source: Path, target: Path) -> dict[tuple[str, Any], str]:
    """What verify_transfer says of each row, by table and key; it fails where there is any."""
    out = StringIO()
    failed = False
    try:
        call_command(
            *("verify_transfer", *databases(source, target), "--format", "json"),
            stdout=out,
            stderr=StringIO(),
        )
    except CommandError:
        failed = True
    tables = json.loads(out.getvalue())
    said = {(t["table"], one["key"]): one["says"] for t in tables for one in t["differences"]}
    assert failed is bool(said)
    assert all(t["same"] is (t["checksum"] == t["target_checksum"]) for t in tables)
    return said
