"""Processor time of a list and of one instrument, beside a plain ModelViewSet with the same JSON.

`make bench-requests` prints it. Both answer in one process, without a server. The service is asked through
all of its middleware, with an API key or token and limits; the plain view does nothing but answer.
"""

import dataclasses
import functools
import io
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import measure

_BATCHES, _BATCH = 40, 5
_ROWS = 50
_LISTINGS = (1, 7)  # of the bonds that are asked for, so that databases of any size can be compared


@dataclasses.dataclass(frozen=True)
class Speed:
    """Milliseconds of processor time for one request, the best of some batches."""

    what: str
    plain: float
    new: float
    kept: float
    unchanged: float


def print_speeds(folder: Path, console: Console) -> None:
    """Measure on the database of a folder, and print each time and how many times faster it is."""
    speeds = json.loads(measure.printed("tests.benchmarks.speed", folder=folder))
    table = Table(
        "answer", title="ms of processor time, and times faster than a plain ModelViewSet"
    )
    for column in ("plain view", "new answer", "kept answer", "304"):
        table.add_column(column, justify="right")
    for speed in (Speed(**values) for values in speeds):
        cells = [
            f"{milliseconds:.2f} ({speed.plain / milliseconds:.1f})"
            for milliseconds in (speed.new, speed.kept, speed.unchanged)
        ]
        table.add_row(speed.what, f"{speed.plain:.2f}", *cells)
    console.print(table)


def measure_all() -> None:
    """Print the speeds as JSON, from a process of its own with the database in the environment."""
    import django

    django.setup()
    from django.core.cache import caches
    from django.test import RequestFactory

    from instruments.models import Instrument
    from marketdata.wsgi import application
    from tests.benchmarks.plain_api import PlainViewSet

    factory = RequestFactory(headers={"host": "localhost"})
    with_key, with_token = f"Api-Key {create_key()}", f"Bearer {_create_token()}"
    bonds = Instrument.objects.filter(cfi_code__startswith="DB").order_by("isin")
    plain_detail = PlainViewSet.as_view({"get": "retrieve"})
    plain_list = PlainViewSet.as_view({"get": "list"})
    requests: list[tuple[str, str, str, Any, dict[str, str]]] = [
        (f"list of {_ROWS}", with_key, f"?per_page={_ROWS}", plain_list, {})
    ]
    for count, sign_in in itertools.product(_LISTINGS, (with_key, with_token)):
        isin = bonds.filter(listing_count=count).values_list("isin", flat=True)[0]
        what = f"{isin}, {count} listing{'s' * (count > 1)}, {sign_in.partition(' ')[0]}"
        requests.append((what, sign_in, f"{isin}/", plain_detail, {"pk": isin}))
    speeds = []
    for what, sign_in, path, plain_view, arguments in requests:
        address = f"/api/v1/instruments/{path}"

        def ask(
            tag: str = "", address: str = address, sign_in: str = sign_in
        ) -> tuple[dict[str, str], bytes]:
            headers = {"HTTP_AUTHORIZATION": sign_in, "HTTP_IF_NONE_MATCH": tag}
            return ask_service(application, address, headers)

        def ask_anew(ask: Callable[[], Any] = ask) -> None:
            caches["answers"].clear()
            ask()

        def ask_plain(
            view: Any = plain_view, arguments: Any = arguments, address: str = address
        ) -> bytes:
            content: bytes = view(factory.get(address), **arguments).render().content
            return content

        headers, content = ask()
        _check_equal(content, ask_plain())
        tag = headers["ETag"]
        kinds = (ask_plain, ask_anew, ask, functools.partial(ask, tag))
        speeds.append(dataclasses.asdict(Speed(what, *_measure(kinds))))
    print(json.dumps(speeds))


def create_key() -> str:
    from django.contrib.auth import get_user_model

    from accounts import api_keys, users

    user, _ = get_user_model().objects.get_or_create(username="bench-key")
    users.set_roles(user, ["viewer"])
    user.api_keys.all().delete()  # of earlier runs on the same database
    permissions = ["instruments.view_instrument"]
    return api_keys.create(user, name="bench", permissions=permissions, days=1)[1]


def _create_token() -> str:
    from django.contrib.auth import get_user_model

    from accounts import tokens

    return tokens.issue(get_user_model().objects.get(username="bench-key"))["access"]


def ask_service(
    application: Any, address: str, headers: dict[str, str]
) -> tuple[dict[str, str], bytes]:
    """Call the service as a server does."""
    path, _, query = address.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        **headers,
    }
    got: dict[str, str] = {}
    response = application(environ, lambda status, headers, *rest: got.update(headers))
    content = b"".join(response)
    response.close()
    return got, content


def _check_equal(own: bytes, plain: bytes) -> None:
    """Stop unless both answers have the same rows, or the same instrument."""
    answers = [json.loads(content) for content in (own, plain)]
    first, second = (answer.get("results", answer) for answer in answers)
    if first != second:
        raise SystemExit("The plain view answers something else.")


def _measure(functions: Sequence[Callable[[], Any]]) -> list[float]:
    """Return the milliseconds of each function. They take turns, so that a busy machine slows them all."""
    best = [math.inf] * len(functions)
    for _ in range(_BATCHES):
        for number, function in enumerate(functions):
            function()
            started = time.process_time()
            for _ in range(_BATCH):
                function()
            spent = (time.process_time() - started) / _BATCH * 1_000
            best[number] = min(best[number], spent)
    return best


if __name__ == "__main__":
    rates = "1000000/m,10000000/h"  # two, as a client has by default
    os.environ |= {"LIMIT_KEY": rates, "LIMIT_CLIENT": rates}
    os.environ |= {"HTTPS": "false", "ALLOWED_HOSTS": "localhost"}
    measure_all()
