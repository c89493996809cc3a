"""manage.py index_names"""

from typing import Any

from django.db import transaction

from audit.commands import RecordedCommand
from instruments.entities import load
from instruments.listings.load import search_index
from instruments.models import Instrument, LegalEntity


class Command(RecordedCommand):
    help = (
        "Rebuild the indexes of names and codes. Loads keep them; this is for tables that were filled by"
        " other means. Takes a minute or two for nine million instruments; writers wait, readers do not."
    )

    def handle(self, **options: Any) -> None:
        with transaction.atomic():
            search_index.rebuild()
            load.rebuild_index()
        self.stdout.write(
            f"The names and codes of {Instrument.objects.count():,} instruments, and the names of"
            f" {LegalEntity.objects.count():,} legal entities."
        )
