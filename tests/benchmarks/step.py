"""One step of the benchmark, in its own process: `python -m tests.benchmarks.step WHAT PATH...`."""

import contextlib
import json
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import django
import psutil

_SAMPLE_SECONDS = 0.2


def parse(paths: list[Path]) -> int:
    """Zip to record batches, and nothing with them."""
    from django.conf import settings

    from esma_files.parsing.reader import EsmaReader, Limits
    from instruments.layouts import layout_of

    limits = Limits(settings.ARCHIVE_MAX_BYTES, settings.ARCHIVE_MAX_RATIO)
    records = 0
    for path in paths:
        mapping = layout_of(path.name).mapping
        with path.open("rb") as source:
            reader = EsmaReader(source, name=path.name, mapping=mapping, limits=limits)
            for _ in reader:
                pass
        records += reader.records
    return records


def load(paths: list[Path]) -> int:
    """Load files as `manage.py load` does."""
    from instruments import pipeline

    records = 0
    for loaded in pipeline.load(pipeline.register_files(paths)):
        if loaded.error or loaded.run is None:
            raise SystemExit(str(loaded.error))
        records += loaded.run.read
        _say(ready_at=time.monotonic())
    return records


def baseline(paths: list[Path]) -> int:
    """lxml and bulk_create."""
    from esma_files import store
    from tests.benchmarks import baseline

    return sum(baseline.load(path, store.store_file(path)) for path in paths)


def plain_results(paths: list[Path]) -> int:
    """lxml and bulk_create, for FITRS."""
    from esma_files import store
    from tests.benchmarks import results

    return sum(results.load(path, store.store_file(path)) for path in paths)


def plain_entities(paths: list[Path]) -> int:
    """lxml and bulk_create, for legal entities."""
    from esma_files import store
    from tests.benchmarks import entities

    return sum(entities.load_plainly(path, store.store_file(path)) for path in paths)


def migrate(paths: list[Path]) -> int:
    """An empty database."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return 0


def correct(paths: list[Path]) -> int:
    """Approve 10,000 corrections of names, for instruments of a database in which they are loaded."""
    from django.utils import timezone

    from instruments.models import Correction, CorrectionState

    number = 10_000
    query = "SELECT isin, mic, register, full_name FROM instruments_instrument ORDER BY isin"
    with contextlib.closing(sqlite3.connect(paths[0])) as connection:
        rows = connection.execute(query).fetchall()
    Correction.objects.bulk_create(
        Correction(
            register=register,
            isin=isin,
            mic=mic,
            field="full_name",
            expected=name,
            value=f"CORRECTED {name}"[:350],
            reason="Benchmark",
            state=CorrectionState.APPROVED,
            approved_at=timezone.now(),
        )
        for isin, mic, register, name in rows[:: max(len(rows) // number, 1)][:number]
    )
    return Correction.objects.count()


def start(paths: list[Path]) -> int:
    """Start Django, and end."""
    return 0


def publish(paths: list[Path]) -> int:
    """Publish the lake, as `manage.py lake publish` does."""
    from lake import publishing

    with _peak_reported():
        return sum(item.rows for item in publishing.publish())


@contextlib.contextmanager
def _peak_reported() -> Iterator[None]:
    """Report the greatest memory that this process and its children had together."""
    is_over, greatest = threading.Event(), 0

    def watch() -> None:
        nonlocal greatest
        own = psutil.Process()
        while not is_over.wait(_SAMPLE_SECONDS):
            together = own.memory_info().rss
            for child in own.children():
                with contextlib.suppress(psutil.Error):
                    together += child.memory_info().rss
            greatest = max(greatest, together)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()
        _say(peak_bytes=greatest)


class _WithoutPandas(PathFinder):
    """Finds no pandas, which tests need and an installation has not: pyarrow would import it.

    To say so in `sys.modules` is not enough: pyarrow would take the empty entry for the module.
    """

    @classmethod
    def find_spec(cls, name: str, *arguments: Any) -> ModuleSpec | None:
        return None if name == "pandas" else super().find_spec(name, *arguments)


def _say(**what: float) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.meta_path[sys.meta_path.index(PathFinder)] = _WithoutPandas
    django.setup()
    steps = (parse, load, baseline, plain_results, plain_entities, migrate, correct, start, publish)
    step = {step.__name__: step for step in steps}[sys.argv[1]]
    _say(records=step([Path(argument) for argument in sys.argv[2:]]))
