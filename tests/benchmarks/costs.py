"""Ask every GET address of the OpenAPI schema, the pages and the admin's lists once, on grown data.

`make bench-requests` prints the ten that take longest for an anonymous reader, a viewer and an admin,
and then compares a list and one instrument with a plain view (`speed.py`).
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import measure, speed
from tests.benchmarks.generator import grow
from tests.benchmarks.loading import DAY, SOURCES

_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of one request; `first` and `again` are milliseconds."""

    reader: str
    path: str
    status: int
    first: float
    again: float
    statements: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=115_000, help="100,000 instruments")
    parser.add_argument(
        "--folder", type=Path, help="a folder with a filled database, which is kept"
    )
    options = parser.parse_args()
    console = Console(width=140)
    if options.folder:
        _print_costs(options.folder, console)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
        paths = grow(sources, records=options.records, folder=folder / "files", day=DAY)
        measure.run("migrate", "tests.benchmarks.step", "migrate", folder=folder)
        load = ("tests.benchmarks.step", "load", *map(str, paths))
        console.print(f"Loading {options.records:,} records ...")
        measure.run("load", *load, folder=folder)
        _print_costs(folder, console)


def _print_costs(folder: Path, console: Console) -> None:
    answer = json.loads(measure.printed("tests.benchmarks.costs", "ask", folder=folder))
    counts = f"{answer['instruments']:,} instruments, {answer['listings']:,} listings"
    costs = [Cost(**cost) for cost in answer["costs"]]
    for reader in dict.fromkeys(cost.reader for cost in costs):
        asked = [cost for cost in costs if cost.reader == reader]
        table = Table("address", "status", title=f"{reader}: {len(asked)} addresses, {counts}")
        for column in ("first, ms", "again, ms", "statements"):
            table.add_column(column, justify="right")
        for cost in sorted(asked, key=lambda cost: cost.again, reverse=True)[:_SHOWN]:
            numbers = (f"{cost.first:,.0f}", f"{cost.again:,.0f}", str(cost.statements))
            table.add_row(cost.path, str(cost.status), *numbers)
        console.print(table)
    speed.print_speeds(folder, console)


def ask_all() -> None:
    """Print the costs as JSON, from a process of its own with the database in the environment."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    from accounts import users
    from instruments.models import Instrument, Listing

    settings.RATELIMIT_ENABLE = False
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    costs: list[dict[str, Any]] = []
    for reader in ("anonymous", "viewer", "admin"):
        client = Client(headers={"host": "localhost"})
        if reader != "anonymous":
            name = f"bench-{reader}"
            user, _ = get_user_model().objects.get_or_create(username=name)
            users.set_roles(user, [reader])
            client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        paths = _find_paths(is_admin=reader == "admin")
        costs += [dataclasses.asdict(_ask(client, reader, path)) for path in paths]
    counts = {"instruments": Instrument.objects.count(), "listings": Listing.objects.count()}
    print(json.dumps({"costs": costs, **counts}))


def _ask(client: Any, reader: str, path: str) -> Cost:
    from django.db import connection

    statements = 0

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*arguments)

    times = []
    for _ in range(2):
        statements, started = 0, time.perf_counter()
        with connection.execute_wrapper(count):
            response = client.get(path)
            if response.streaming:
                next(iter(response.streaming_content), b"")  # the first part of an export
        times.append((time.perf_counter() - started) * 1000)
    first, again = times
    return Cost(reader, path, response.status_code, first, again, statements)


def _find_paths(*, is_admin: bool) -> Iterator[str]:
    """Yield all addresses, with the keys of rows in the middle of their tables."""
    from django.contrib import admin
    from django.urls import reverse
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)
    keys = _find_keys()
    for path, operations in schema["paths"].items():
        if "get" in operations:
            kind = path.split("/")[3] if path.count("/") > 3 else ""
            yield path.format_map(defaultdict(int, {**keys, "id": keys.get(kind, 1)}))
    middle = keys["isin"]
    yield from (
        "/api/schema/",
        "/api/v1/instruments/?q=bank",
        "/api/v1/instruments/?category=D&currency=EUR&status=active",
        f"/api/v1/instruments/?cursor={middle}&per_page=100",
        "/api/v1/instruments/changes/?expand=record",
        "/api/v1/instruments/changes/?expand=record&limit=1000",
        "/",
        "/?q=bank",
        f"/instruments/{middle}/",
    )
    if is_admin:
        for model in admin.site._registry:
            yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield "/admin/"


def _find_keys() -> dict[str, Any]:
    from esma_files.models import EsmaFile, RejectedRecord, Run
    from instruments.models import Instrument, ListedVenue, Reconciliation

    isins = Instrument.objects.order_by("pk").values_list("pk", flat=True)
    newest_rejected = RejectedRecord.objects.order_by("-pk").first()
    newest_reconciliation = Reconciliation.objects.order_by("-pk").first()
    return {
        "isin": isins[50_000:50_001].first() or isins.first(),
        "name": EsmaFile.objects.order_by("pk").values_list("name", flat=True).first(),
        "mic": ListedVenue.objects.order_by("-listings").values_list("pk", flat=True).first(),
        "code": "ES",
        "lei": Instrument.objects.exclude(issuer_lei="").values_list("issuer_lei", flat=True)[0],
        "register": "ESMA",
        "username": "bench-viewer",
        "prefix": "0" * 12,
        "runs": Run.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "rejects": newest_rejected.pk if newest_rejected else 1,
        "reconciliations": newest_reconciliation.pk if newest_reconciliation else 1,
    }


if __name__ == "__main__":
    import sys

    if sys.argv[1:] == ["ask"]:
        os.environ |= {"ANONYMOUS_READ": "true", "HTTPS": "false", "ALLOWED_HOSTS": "localhost"}
        import_module("marketdata.wsgi")  # as a server loads it
        ask_all()
    else:
        main()
