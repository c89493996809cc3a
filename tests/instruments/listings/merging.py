"""Helpers that the tests of merging share."""

from collections.abc import Callable
from pathlib import Path

from esma_files.models import Run
from instruments import pipeline
from tests import firds

VOLVO, DSB = "SE0000115446", "EZPN239DTWN8"
Write = Callable[..., Path]


def load(make_zip: Write, name: str, *records: str, dataset: str = "") -> Run:
    """Load a made file and return its run."""
    sender = "GB" if dataset == "fca_firds" else "EU"
    path = make_zip(name, firds.message(name, *records, sender=sender))
    [loaded] = pipeline.load(pipeline.register_files([path], dataset=dataset))
    assert loaded.error is None
    assert loaded.run is not None
    return loaded.run


def load_revision(make_zip: Write, name: str, *records: str, created: int) -> None:
    """Load a file as it was published on a day of March, perhaps again."""
    xml = firds.message(name, *records, created=f"{day(created)}T03:00:00Z")
    path = make_zip(name, xml, folder=f"created_{created}")
    [loaded] = pipeline.load(pipeline.register_files([path]))
    assert loaded.error is None


def day(number: int) -> str:
    return f"2025-03-{number:02}"


def delta(number: int) -> str:
    return f"DLTINS_202503{number:02}_01of01"


def full(number: int, part: int = 1, of: int = 1) -> str:
    return f"FULINS_E_202503{number:02}_{part:02}of{of:02}"


def cancelled(number: int) -> str:
    return f"FULCAN_202503{number:02}_01of01"


def counts(run: Run) -> dict[str, int]:
    names = ("new", "changed", "ended", "dropped", "late", "unchanged", "rejected")
    return {name: getattr(run, name) for name in names if getattr(run, name)}
