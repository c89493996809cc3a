"""Ask every GET address of the OpenAPI schema, the pages and the admin's lists once, on grown data.

`make bench-requests` prints those that take longest for an anonymous reader, a viewer and an admin, and then
compares a list and one instrument with a plain view (`speed.py`). `python -m tests.benchmarks.costs --folder
FOLDER` asks FOLDER/marketdata.sqlite3, to which it adds users and sessions: best a copy.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import measure, speed
from tests.benchmarks.grown import filled_folder

_SHOWN = 10
_AIM = 1_000  # milliseconds that no page may take: all that do are shown


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of one request, in milliseconds; `cpu` is the processor time of the second one."""

    reader: str
    path: str
    status: int
    first: float
    again: float
    cpu: float
    statements: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=115_000, help="100,000 instruments")
    parser.add_argument(
        "--only", choices=["api", "pages", "admin"], default="", help="ask these addresses only"
    )
    parser.add_argument(
        "--folder", type=Path, help="a folder with a filled database, which is kept"
    )
    options = parser.parse_args()
    console = Console(width=140)
    with filled_folder(options.folder, options.records, console) as folder:
        _print_costs(folder, console, options.only)


def _print_costs(folder: Path, console: Console, only: str) -> None:
    out = measure.printed("tests.benchmarks.costs", "ask", only, folder=folder)
    answer = json.loads(out)
    counts = f"{answer['instruments']:,} instruments, {answer['listings']:,} listings"
    costs = [Cost(**cost) for cost in answer["costs"]]
    for reader in dict.fromkeys(cost.reader for cost in costs):
        asked = [cost for cost in costs if cost.reader == reader]
        slow = sum(max(cost.first, cost.again) > _AIM for cost in asked)
        table = Table("address", "status", title=f"{reader}: {len(asked)} addresses, {counts}")
        for column in ("first, ms", "again, ms", "CPU, ms", "statements"):
            table.add_column(column, justify="right")
        asked.sort(key=lambda cost: max(cost.first, cost.again), reverse=True)
        for cost in asked[: max(_SHOWN, slow)]:
            times = (f"{number:,.0f}" for number in (cost.first, cost.again, cost.cpu))
            table.add_row(cost.path, str(cost.status), *times, str(cost.statements))
        console.print(table)
        console.print(f"{slow} of {len(asked)} addresses took more than {_AIM / 1000:.0f} s")
    if not only:
        speed.print_speeds(folder, console)


def ask_all(only: str) -> None:
    """Print the costs as JSON, from a process of its own with the database in the environment.

    `only` is a kind of addresses, "" for all.
    """
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
        _ask(client, reader, "/health/")  # what the first request of a process loads
        paths = _find_paths(only, reader)
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

    times, cpu = [], 0.0
    for _ in range(2):
        statements, started, used = 0, time.perf_counter(), time.process_time()
        with connection.execute_wrapper(count):
            response = client.get(path)
            if response.streaming:
                next(iter(response.streaming_content), b"")  # the first part of an export
            response.close()  # frees the slot of a costly request
        times.append((time.perf_counter() - started) * 1000)
        cpu = (time.process_time() - used) * 1000
    first, again = times
    return Cost(reader, path, response.status_code, first, again, cpu, statements)


def _find_paths(only: str, reader: str) -> Iterator[str]:
    from tests.benchmarks import addresses

    keys = addresses.find_keys()
    if only in ("", "api"):
        yield from addresses.find_api(keys)
    if only in ("", "pages"):
        yield from addresses.find_pages(keys)
        if reader == "admin":
            yield from addresses.find_pages_of_users(keys)
    if only in ("", "admin") and reader == "admin":
        yield from addresses.find_admin(keys)


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["ask"]:
        os.environ |= {"ANONYMOUS_READ": "true", "HTTPS": "false", "ALLOWED_HOSTS": "localhost"}
        import_module("marketdata.wsgi")  # as a server loads it
        ask_all(sys.argv[2])
    else:
        main()
