"""A list in pieces of the order of its keys, so that an answer can say how far it came.

Where many rows meet one filter and few of them another, all of the many are read, which takes seconds with
ten millions.

The querysets of such lists have the methods `after(cursor)` and `up_to(cursor)`, which return the rows on
either side of a cursor, `get_cursor(row)`, and `find_end(cursor, size)`: the cursor so many rows of the whole
table after another one, None where the table ends before or where the list has another order.
"""

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from marketdata.web import time_limits

# Rows with their cursors.
Pairs = list[tuple[str, Any]]
# A list in parts, each with what its cursors begin with: nothing for the first one.
Parts = list[tuple[str, Any]]
# The part of the time of an answer in which a page is read as short lists are, before pieces are: an index of
# one filter is often faster than going through all rows.
WHOLE = 1 / 2
_SECONDS_PER_PIECE = 2
_FIRST_PIECE = 100_000  # rows of the table
_SECONDS_FOR_REST = 2  # of the time of a request, for all else that the answer has


def get_seconds_left() -> float:
    """Return the seconds that the request which is being answered has for a list."""
    left = time_limits.remaining_seconds()
    seconds = settings.REQUEST_TIMEOUT_SECONDS if left is None else left
    return float(max(0, seconds - _SECONDS_FOR_REST))


def read_for(
    seconds: float, parts: Parts, after: str, rows: int, size: int = _FIRST_PIECE
) -> tuple[Pairs, str]:
    """Return so many rows after a cursor with one more, or fewer if the time is over.

    The text is the cursor up to which the list was searched, "" up to its end. Raises TimeLimitExceeded if
    the time was not enough for a piece.
    """
    pairs: Pairs = []
    searched_to = ""
    try:
        with time_limits.limit_part(seconds):
            for cursor, piece in cut(parts, after, rows, size):
                searched_to = cursor
                pairs += piece
                if len(pairs) > rows:
                    break
    except time_limits.TimeLimitExceeded:
        if not searched_to:
            raise
    return pairs[: rows + 1], searched_to


def cut(
    parts: Parts, after: str, rows: int, size: int = _FIRST_PIECE
) -> Iterator[tuple[str, Pairs]]:
    """Yield the first rows of each piece of a list after a cursor, at most `rows` and one more.

    A piece has `size` rows of the table, and the next one twice as many if that took little time.
    Each comes with the cursor that was searched to, which is "" at the end of the list.
    """
    place = next(
        i for i, (prefix, _) in reversed(list(enumerate(parts))) if after.startswith(prefix)
    )
    start: str | None = after.removeprefix(parts[place][0])
    for prefix, rows_of_part in parts[place:]:
        is_last = prefix == parts[-1][0]
        while start is not None:
            began = time.monotonic()
            end = rows_of_part.find_end(start, size)
            piece = rows_of_part.after(start)
            piece = piece if end is None else piece.up_to(end)
            first = with_cursors(piece[: rows + 1])
            pairs = [(f"{prefix}{cursor}", row) for cursor, row in first]
            if end is not None:
                yield f"{prefix}{end}", pairs
            else:
                yield "" if is_last else parts[-1][0], pairs
            start = end
            if time.monotonic() - began < _SECONDS_PER_PIECE:
                size *= 2
        start = ""


def with_cursors(rows: Any) -> Pairs:
    return [(rows.get_cursor(row), row) for row in rows]
