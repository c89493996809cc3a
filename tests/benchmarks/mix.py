"""`make bench`: the statements that a mix of requests sends to the database, with and without kept answers.

It is a day of some clients. They ask for few instruments often and for many now and then (the frequencies are
as one divided by the rank), and for lists, and send back the ETag of what they have. The files of ESMA and
those of the FCA change the data meanwhile, once each.
"""

import argparse
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks import measure
from tests.benchmarks.grown import filled_folder

_REQUESTS, _CHANGES = 6_000, 2
_INSTRUMENTS = 1_000  # that are asked for
# What is asked, and how often in a hundred requests.
_KINDS = {"{isin}/": 50, "{isin}/listings/": 12, "{isin}/reportable/": 8, "{isin}/history/": 5}
_LISTS = (
    *("?category=D&status=active", "?category=E&mic=XPAR", "?q=bank", "?currency=EUR&per_page=100"),
    *("?category=D&maturity_after=2030-01-01", "?status=active&ordering=-maturity_date", "?q=note"),
)
_PAGES = 5
_SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=115_000, help="100,000 instruments")
    parser.add_argument("--folder", type=Path, help="a folder with a filled database")
    options = parser.parse_args()
    console = Console(width=110)
    with filled_folder(options.folder, options.records, console) as folder:
        counts = {
            kept: json.loads(measure.printed("tests.benchmarks.mix", kept, folder=folder))
            for kept in ("without", "with")
        }
    for kept, count in counts.items():
        console.print(
            f"{_REQUESTS:,} requests, {_CHANGES} changes of the data, {kept} kept answers:"
            f" {count['statements']:,} statements, {count['cpu']:.1f} s of processor time,"
            f" answers {count['statuses']}"
        )
    fewer = 1 - counts["with"]["statements"] / counts["without"]["statements"]
    console.print(f"{fewer:.0%} fewer statements; the aim is 70 %.")


def ask_all(*, is_kept: bool) -> None:
    """Ask for everything, and print the number of statements and of answers by status as JSON."""
    import time

    import django

    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test import override_settings

    from instruments.data_versions import DataSubject
    from instruments.models import DataVersion
    from marketdata.wsgi import application
    from tests.benchmarks.speed import ask_service, create_key

    key, statements, statuses = create_key(), 0, Counter[int]()
    tags: dict[str, str] = {}

    def count(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(sql, parameters, many, context)

    caches = dict(settings.CACHES)
    if not is_kept:
        caches["answers"] = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    started = time.process_time()
    with override_settings(CACHES=caches), connection.execute_wrapper(count):
        for number, address in enumerate(_addresses()):
            if number % (_REQUESTS // _CHANGES) == _REQUESTS // _CHANGES - 1:
                DataVersion.objects.renew(DataSubject.LISTINGS)
            headers = {"HTTP_AUTHORIZATION": f"Api-Key {key}"}
            if tag := tags.get(address):
                headers["HTTP_IF_NONE_MATCH"] = tag
            got, content = ask_service(application, address, headers)
            tags[address] = got.get("ETag", "")
            statuses[200 if content else 304] += 1
    cpu = time.process_time() - started
    print(json.dumps({"statements": statements, "cpu": cpu, "statuses": dict(statuses)}))


def _addresses() -> Iterator[str]:
    """Yield the addresses of the mix in a random order, the same in each run."""
    from instruments.models import Instrument

    source = random.Random(_SEED)
    isins = list(Instrument.objects.order_by("isin").values_list("isin", flat=True)[:200_000])
    asked = source.sample(isins, min(_INSTRUMENTS, len(isins)))
    ranks = [1 / rank for rank in range(1, len(asked) + 1)]
    kinds = [*_KINDS, ""]
    shares = [*_KINDS.values(), 100 - sum(_KINDS.values())]
    for kind in source.choices(kinds, shares, k=_REQUESTS):
        if kind:
            [isin] = source.choices(asked, ranks)
            yield f"/api/v1/instruments/{kind.format(isin=isin)}"
        else:
            page = min(int(source.expovariate(1)) + 1, _PAGES)
            yield f"/api/v1/instruments/{source.choice(_LISTS)}&page={page}"


if __name__ == "__main__":
    if sys.argv[1:] in (["with"], ["without"]):
        rates = "1000000/m,10000000/h"
        os.environ |= {"LIMIT_KEY": rates, "HTTPS": "false", "ALLOWED_HOSTS": "localhost"}
        ask_all(is_kept=sys.argv[1] == "with")
    else:
        main()
