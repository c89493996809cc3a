"""The load gate: hold a full file that would change far more listings than usual.

The file is merged first and its counts are compared with the thresholds of the settings. Where they are
exceeded, the caller rolls the merge back, so what the gate reports is exact. A curator releases the file
(`files release`), and its next load is not held.
"""

from django.conf import settings

from esma_files.models import EsmaFile
from instruments.listings.load.merge import Counts
from instruments.models import Listing, Reconciliation, Register, Status
from marketdata.common.errors import PermanentError


class Held(PermanentError):
    """A full file that exceeds the thresholds. `report` describes its effect, one line each."""

    def __init__(self, problem: str, report: list[str]) -> None:
        super().__init__(problem)
        self.report = report


def check(file: EsmaFile, counts: Counts) -> Counts:
    """Return the counts, or raise Held if a merged full file exceeds the thresholds.

    The caller rolls back its transaction then.

    `counts` are those of the whole file. The listings that it ends, drops or changes are compared with the
    listings of its category that were active before it.
    """
    kind = file.file_kind
    percent = settings.LOAD_GATE_PERCENTS.get(file.category, settings.LOAD_GATE_PERCENT)
    affected = counts.changed + counts.ended + counts.dropped
    is_watched = kind.is_full and kind.holds_listings and not file.is_released
    if not (is_watched and percent and affected >= settings.LOAD_GATE_RECORDS):
        return counts
    register = Register.of_dataset(file.dataset)
    of_category = Listing.objects.filter(register=register, cfi_code__startswith=file.category)
    active = of_category.filter(status=Status.ACTIVE).count()
    before = active - counts.new + counts.ended + counts.dropped
    if before <= 0 or 100 * affected <= percent * before:
        return counts
    problem = (
        f"Held by the load gate: it would change {counts.changed:,}, end {counts.ended:,} and drop"
        f" {counts.dropped:,} of {before:,} active listings of category {file.category}, together"
        f" {100 * affected / before:.0f} % and more than {percent} %. Check the file, and"
        " release or remove it: on its page, in the admin, or by `manage.py files release` or `files remove`."
    )
    raise Held(problem, _describe(file))


def _describe(file: EsmaFile) -> list[str]:
    """Return the reconciliation of the full set as it would be with this file."""
    reconciliation = Reconciliation.objects.filter(files__file=file).first()
    if reconciliation is None:
        return []
    counts = ", ".join(
        f"{getattr(reconciliation, name):,} {name}"
        for name in ("listed", "same", "missed", "different", "late", "extra")
    )
    lines = [f"Reconciliation with this file: {counts}."]
    if reconciliation.by_field:
        columns = sorted(reconciliation.by_field.items(), key=lambda item: -item[1])
        lines.append("Differences: " + ", ".join(f"{name} {n:,}" for name, n in columns) + ".")
    return lines
