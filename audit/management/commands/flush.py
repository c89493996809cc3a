"""manage.py flush"""

from typing import Any

from django.core.management.commands import flush

from audit import append_only


class Command(flush.Command):
    """Django's command, which could not empty the audit trail otherwise."""

    def handle(self, **options: Any) -> None:
        with append_only.lifted(options["database"]):
            super().handle(**options)
