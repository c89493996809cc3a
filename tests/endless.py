"""Statements that take longer than the time of a request."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

_ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


@contextlib.contextmanager
def endless_before(is_chosen: Callable[[str], bool]) -> Iterator[None]:
    """Let SQLite work before the first statement that is chosen by its SQL, until the time limit stops it."""
    is_stopped = False

    def work(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        nonlocal is_stopped
        if not is_stopped and is_chosen(sql):
            is_stopped = True
            with connection.cursor() as cursor:
                cursor.execute(_ENDLESS)
        return execute(sql, *arguments)

    with connection.execute_wrapper(work):
        yield
    assert is_stopped
