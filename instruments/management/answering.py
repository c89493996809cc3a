"""Commands that answer questions about instruments."""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand

from instruments import interrupted
from instruments.listings.lookup import LookupResult


class AnsweringCommand(BaseCommand):
    """A command that answers from the tables, without what an interrupted load has left in them."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        interrupted.undo_at_start()
        return super().execute(*args, **options)

    def warn_of_missing(self, results: Iterable[LookupResult]) -> None:
        """Write the outcome for each ISIN of a list that was not found to the error output."""
        for result in results:
            if result.reason:
                self.stderr.write(f"{result.isin}: {result.status}. {result.reason}")
