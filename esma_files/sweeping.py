"""Finding, and removing, what steps that were killed have left behind."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.files.storage import storages

from esma_files.datasets import CONTAINERS
from esma_files.models import EsmaFile
from esma_files.retention import remove_bytes

if TYPE_CHECKING:  # slow to import, and only needed where it is configured
    from esma_files.storage.blob import BlobStorage
    from esma_files.storage.local import LocalStorage

_DAY_SECONDS = 24 * 3600


def sweep() -> list[str]:
    """Finish deletions, and remove bytes that no row points to; returns what was removed.

    What is younger than a day is left: it may belong to a step that is still at work.
    """
    removed = []
    for file in EsmaFile.objects.filter(state=EsmaFile.State.DELETED).exclude(content=""):
        remove_bytes(file)
        removed.append(file.stored_name)
    removed += _leftovers(Path(settings.DOWNLOAD_DIR))
    return removed


def orphans() -> list[str]:
    """Files in the storage for new files that no row points to.

    They are reported and left: with another database in front of the same storage, all would be.
    """
    storage = storages[settings.FILES_LOCATION]
    known = set(EsmaFile.objects.exclude(content="").values_list("content", flat=True))
    known |= set(EsmaFile.objects.exclude(original="").values_list("original", flat=True))
    found = cast("BlobStorage | LocalStorage", storage)
    containers = sorted(set(CONTAINERS.values()))
    return [name for each in containers for name in found.names(each) if name not in known]


def _leftovers(folder: Path) -> list[str]:
    """Parts and copies of steps that were killed, and are not being continued."""
    oldest = time.time() - _DAY_SECONDS
    old = [p for p in folder.glob("*") if p.is_file() and p.stat().st_mtime < oldest]
    for path in old:
        path.unlink(missing_ok=True)
    return [path.name for path in old]
