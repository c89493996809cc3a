"""Clean-up of bytes that interrupted steps left behind."""

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
    """Finish interrupted deletions and remove temporary files; return the names removed.

    Temporary files younger than a day are left: a step may still be using them.
    """
    removed = []
    for file in EsmaFile.objects.filter(state=EsmaFile.State.DELETED).exclude(content=""):
        remove_bytes(file)
        removed.append(file.stored_name)
    removed += _remove_old_files(Path(settings.DOWNLOAD_DIR))
    return removed


def orphans() -> list[str]:
    """Return the names of files in the storage for new files that no row refers to.

    Orphans are reported and never deleted: another database may use the same storage.
    """
    storage = cast("BlobStorage | LocalStorage", storages[settings.FILES_LOCATION])
    known = set(EsmaFile.objects.exclude(content="").values_list("content", flat=True))
    known |= set(EsmaFile.objects.exclude(original="").values_list("original", flat=True))
    return [
        name for container in CONTAINERS for name in storage.names(container) if name not in known
    ]


def _remove_old_files(folder: Path) -> list[str]:
    """Remove files of interrupted downloads that have not been written to for a day."""
    oldest_kept = time.time() - _DAY_SECONDS
    old_files = [
        path for path in folder.glob("*") if path.is_file() and path.stat().st_mtime < oldest_kept
    ]
    for path in old_files:
        path.unlink(missing_ok=True)
    return [path.name for path in old_files]
