"""Statements use indexes with newer versions of SQLite, whose planner chooses anew."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
INSTRUMENTS = ROOT / "tests" / "instruments"
# Tests that look at plans of statements.
TESTS = (
    INSTRUMENTS / "listings" / "test_plans.py",
    INSTRUMENTS / "listings" / "test_registers.py",
    INSTRUMENTS / "listings" / "test_underlying_issuers.py",
    INSTRUMENTS / "transparency" / "test_questions.py",
    INSTRUMENTS / "transparency" / "test_merge.py",
    INSTRUMENTS / "volume_cap",
    INSTRUMENTS / "venues" / "test_questions.py",
    INSTRUMENTS / "classification" / "test_cfi.py",
    ROOT / "tests" / "marketdata" / "test_admin_plans.py",
)


@pytest.mark.slow
@pytest.mark.sqlite
def test_plans_hold_with_a_newer_sqlite() -> None:
    pytest.importorskip("pysqlite3", reason="it has no wheel for this machine")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n0",
            "-p",
            "tests.newer_sqlite",
            "-m",
            "not slow",
            *TESTS,
        ],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
