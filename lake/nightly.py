"""The nightly publication: the work of the task."""

import datetime as dt
from collections.abc import Iterator

from django.utils import timezone

from lake import history, location, publishing
from lake.publication import Published
from lake.tables import ALL_TABLES

# Sunday: everything is read again, which finds what the changes feed does not tell.
_FULL_ON = 6


def publish() -> Iterator[Published]:
    """Publish all tables once a day, and delete files that no kept version needs.

    Yield nothing where all tables have been published today.
    """
    today = timezone.now().date()
    last = location.read_published()
    if last and dt.datetime.fromisoformat(last["published_at"]).date() == today:
        return
    yield from publishing.publish(full=today.weekday() == _FULL_ON)
    for table in ALL_TABLES:
        history.vacuum(table)
