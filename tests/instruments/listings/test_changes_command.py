"""manage.py changes: the feed for pipes."""

import io
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from tests import firds
from tests.conftest import ROOT
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, load
from tests.instruments.listings.test_changes import ask

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]


def test_the_command_writes_one_line_per_change(client: Client, make_zip: Write) -> None:
    for number, isin in ((2, VOLVO), (3, DSB)):
        records = (firds.record("NewRcrd", isin, mic, period=day(1)) for mic in ("AAAA", "BBBB"))
        load(make_zip, delta(number), *records)

    def run(*arguments: str) -> list[Any]:
        out = io.StringIO()
        call_command("changes", *arguments, stdout=out)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    everything = run()
    assert everything == ask(client)["results"]
    assert run("--since", everything[0]["cursor"], "--limit", "2") == everything[1:3]
    assert run("--expand", "record") == ask(client, expand="record")["results"]
    assert run("--since", everything[-1]["cursor"]) == []
    for bad in ("x", "ff.1.1"):
        with pytest.raises(CommandError, match="--since: "):
            run("--since", bad)


def start() -> "subprocess.Popen[bytes]":
    """Start the command with all records, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "changes", "--expand", "record"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SQLITE_DB_PATH": str(connection.settings_dict["NAME"])},
    )


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_a_reader_that_closes_the_pipe_is_no_error() -> None:
    """As in `manage.py changes | head -1`, in a process of its own."""
    with start() as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        errors = process.stderr.read().decode()

    assert first["cursor"]
    assert (process.returncode, errors) == (0, "")


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_an_interrupt_ends_a_command_without_a_traceback() -> None:
    """As with Ctrl-C, while the output waits for its reader."""
    with start() as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors.decode()) == (130, "")
