"""Reconciliations, and their form in the API and the commands: dictionaries of plain values."""

from typing import Any

from django.db.models import Prefetch, QuerySet

from instruments.models import Difference, FullFile, Reconciliation
from marketdata.common.errors import NotInDatabase
from marketdata.common.plain import describe_columns

COUNTS = ("listed", "same", "missed", "different", "late", "extra")
COLUMNS = (
    *("id", "register", "category", "published_on", "parts", "files", "compared", "completed_at"),
    *COUNTS,
    "by_field",
)
DIFFERENCE_COLUMNS = ("kind", "isin", "mic", "changes")


def with_files() -> QuerySet[Reconciliation]:
    """Return all reconciliations with their files, but without the bitmaps of the files."""
    files = FullFile.objects.select_related("file").defer("listings")
    return Reconciliation.objects.prefetch_related(Prefetch("files", files))


def get_reconciliation(pk: int | str) -> Reconciliation:
    """Return a reconciliation with its files. Raises NotInDatabase."""
    reconciliation = with_files().filter(pk=pk).first()
    if reconciliation is None:
        raise NotInDatabase(f"There is no reconciliation {pk}.")
    return reconciliation


def describe_reconciliation(reconciliation: Reconciliation) -> dict[str, Any]:
    """Return the numbers of a full set, and the names of the parts that have been loaded."""
    values = describe_columns(reconciliation, (name for name in COLUMNS if name != "files"))
    return {**values, "files": sorted(part.file.name for part in reconciliation.files.all())}


def describe_difference(difference: Difference) -> dict[str, Any]:
    """Return a listing on which a full set and the listings before it disagree."""
    return describe_columns(difference, DIFFERENCE_COLUMNS)
