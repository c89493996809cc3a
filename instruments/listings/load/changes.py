"""Numbers for what changes listings: who writes to them takes one, and puts it into the rows written.

A reader who has seen all rows up to a number must never find another one below it later. So numbers
are given in the order of commits: the first change set is a row to lock, and who has taken a number
holds it to the end of the transaction. On SQLite there is one writer anyway.
"""

from django.utils import timezone

from instruments.models import ChangeSet, Listing


def begin() -> int:
    """The number for the listings that this transaction is going to write."""
    sets = ChangeSet.objects
    sets.get_or_create(number=ChangeSet.FIRST, defaults={"made_at": timezone.now()})
    sets.select_for_update().get(number=ChangeSet.FIRST)
    return sets.latest("number").number + 1


def end(number: int) -> None:
    """Note the change set, where a listing has its number; the last thing that a transaction does."""
    if not Listing.objects.filter(change=number).exists():
        return
    # Never before the last one: the clocks of two machines may differ.
    made_at = max(timezone.now(), ChangeSet.objects.latest("number").made_at)
    ChangeSet.objects.create(number=number, made_at=made_at)


def begin_anew() -> None:
    """Refuse the cursors given so far: the feed cannot tell of listings that have been deleted."""
    ChangeSet.objects.filter(number=ChangeSet.FIRST).update(made_at=timezone.now())
