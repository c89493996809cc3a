"""The speed of a database's answers: `python -m tests.benchmarks.questions`, which prints JSON."""

import json
import os
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

LIST = "/api/v1/instruments/"
# Words that are common and rare, codes that go together and codes that do not.
QUESTIONS = (
    "",
    "q=call",
    "q=vontobel+call",
    "q=dax",
    "q=bank",
    "q=cap",
    "q=s%26p",
    "q=1194",
    "q=unicredit+bonus",
    "q=call&category=E",
    "q=call&category=R&currency=EUR",
    "q=swap&type=equity",
    "q=bank&mic=FRAB",
    "q=call&mic=XSTO",
    "q=bank&status=terminated",
    "q=bank&attribute=voting",
    "category=R",
    "category=I&currency=USD",
    "category=D&currency=EUR&status=active",
    "currency=NOK",
    "currency=NOK&category=O",
    "status=active",
    "status=terminated",
    "status=cancelled",
    "type=equity",
    "type=structured_product&currency=CHF",
    "attribute=voting",
    "attribute=form:+bearer&category=D",
    "cfi=***X**",
    "cfi=RF*T**",
    "mic=FRAB",
    "mic=XSTO",
    "mic=FRAB&category=E",
    "mic=XSTO&currency=EUR",
    "mic=XSTO&status=terminated",
    "register=FCA",
    "issuer=529900HNOAA1KXQJUQ27",
    "issuer=529900HNOAA1KXQJUQ27&category=D&mic=FRAB",
    "q=DE00",
    "cursor=",
    "cursor=XS0000000009&per_page=100",
    "cursor=DE0000000003&q=call",
)


def main() -> None:
    from django.conf import settings
    from django.db import connection
    from django.test import Client, override_settings

    from instruments.models import Instrument

    settings.RATELIMIT_ENABLE = False
    client = Client(headers={"host": "localhost"})
    seconds: list[float] = []

    def time_it(execute: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            seconds.append(time.perf_counter() - started)

    def ask(path: str) -> dict[str, Any]:
        for _ in range(2):
            seconds.clear()
            started = time.perf_counter()
            with connection.execute_wrapper(time_it):
                response = client.get(path)
            took = time.perf_counter() - started
        answer = response.json()
        if response.status_code != 200:
            raise SystemExit(f"{path}: {answer}")
        return {
            "question": path.removeprefix(LIST),
            "seconds": took,
            "to_first_row": sum(seconds),
            "statements": len(seconds),
            "total": answer.get("pagination", {}).get("total") or 0,
        }

    some = Instrument.objects.order_by("pk").values_list("pk", flat=True)[1000]
    no_answers = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    # What is asked for the second time would be answered from the cache.
    with override_settings(CACHES={**settings.CACHES, "answers": no_answers}):
        print(json.dumps([ask(f"{LIST}{some}/"), *(ask(f"{LIST}?{text}") for text in QUESTIONS)]))


if __name__ == "__main__":
    os.environ |= {"ANONYMOUS_READ": "true", "HTTPS": "false", "ALLOWED_HOSTS": "localhost"}
    import_module("marketdata.wsgi")  # as a server loads it
    main()
