"""Commands that answer questions about instruments."""

from typing import Any

from django.core.management.base import BaseCommand

from instruments import interrupted


class AnsweringCommand(BaseCommand):
    """A command that answers from the tables, without what an interrupted load has left in them."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        interrupted.undo_at_start()
        return super().execute(*args, **options)
