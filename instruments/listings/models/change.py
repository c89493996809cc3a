"""The order in which this database learned of its listings."""

from django.db import models
from django.utils import timezone


class ChangeSetQuerySet(models.QuerySet["ChangeSet"]):
    """Numbers for transactions that write listings.

    A reader who has seen all rows up to a number must never find another one below it later. So numbers are
    given in the order of commits: the first change set is a row to lock, and a transaction that has taken a
    number holds that lock to its end. On SQLite there is one writer anyway.
    """

    def begin(self) -> int:
        """Return the number for the listings that this transaction is going to write."""
        first = self.model.FIRST
        self.get_or_create(number=first, defaults={"made_at": timezone.now()})
        self.select_for_update().get(number=first)
        return int(self.latest("number").number) + 1

    def finish(
        self, number: int, *, is_correction: bool = False, wrote_versions: bool = False
    ) -> None:
        """Save the change set, if anything was written: the last step of a transaction.

        `wrote_versions` tells that versions were written; a listing that was written or withdrawn has its
        number. So two states of the listings and their versions never have the same number.
        """
        change = ChangeSet(number=number)
        is_empty = not (change.listings.exists() or change.withdrawn_listings.exists())
        if is_empty and not wrote_versions:
            return
        # Never before the last one: the clocks of two machines may differ.
        made_at = max(timezone.now(), self.latest("number").made_at)
        self.create(number=number, made_at=made_at, is_correction=is_correction)

    def invalidate_cursors(self) -> None:
        """Have all cursors of the changes feed refused: it cannot show that listings were deleted."""
        self.filter(number=self.model.FIRST).update(made_at=timezone.now())


class ChangeSet(models.Model):
    """The listings that one load, or another step, has written in one transaction.

    Number 0 is older than all others, and its time identifies this database in cursors.
    """

    FIRST = 0

    number = models.BigIntegerField(primary_key=True)
    made_at = models.DateTimeField(help_text="just before it was committed")
    is_correction = models.BooleanField(
        default=False, help_text="a correction was applied or lifted: no record has changed"
    )

    objects = ChangeSetQuerySet.as_manager()

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number}, {self.made_at:%Y-%m-%d %H:%M}"
