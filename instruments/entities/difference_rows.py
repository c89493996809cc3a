"""The rows of exports of issuer differences, which `instruments.listings.export_files` writes."""

from collections.abc import Iterator
from typing import Any

from instruments.entities.descriptions import describe_issuer_difference
from instruments.listings.export import PAGE_SIZE, Layout, Rows
from instruments.models import InstrumentQuerySet

LAYOUT = Layout(
    "issuer_differences",
    (
        *("isin", "full_name", "cfi_code", "status", "comparison"),
        *("published_lei", "published_name", "gleif_lei", "gleif_name"),
    ),
)


def read_pages(differences: InstrumentQuerySet) -> Iterator[Rows]:
    """Yield the rows of `select_differences` in pages, in the order of ISINs.

    Pages are read by key, so a slow reader holds no lock.
    """
    after = ""
    while page := list(differences.after(after)[:PAGE_SIZE]):
        rows: list[dict[str, Any]] = list(map(describe_issuer_difference, page))
        yield [tuple(row[name] for name in LAYOUT.columns) for row in rows]
        after = page[-1].isin
