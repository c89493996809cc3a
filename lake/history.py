"""The versions of a table of the lake, and the data version that each belongs to."""

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from django.conf import settings

from lake import location
from lake.errors import NotPublished
from lake.tables import LakeTable

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclasses.dataclass(frozen=True)
class Version:
    """A version of a table, the data version that it holds, and when it was published."""

    version: int
    data_version: int
    published_at: dt.datetime


def open_published(table: LakeTable) -> "DeltaTable":
    """Return a table at its newest version. Raises NotPublished."""
    delta = location.open_table(table)
    if delta is None:
        raise NotPublished(table.name)
    return delta


def get_versions(table: LakeTable) -> list[Version]:
    """Return the versions of a table that its log has, the newest first. Raises NotPublished."""
    return [
        Version(
            int(commit["version"]),
            int(commit["dataVersion"]),
            dt.datetime.fromtimestamp(commit["timestamp"] / 1000, dt.UTC),
        )
        for commit in open_published(table).history()
        if "dataVersion" in commit
    ]


def get_version_at(table: LakeTable, data_version: int) -> Version:
    """Return the newest version with this data version or an earlier one. Raises NotPublished."""
    for version in get_versions(table):
        if version.data_version <= data_version:
            return version
    raise NotPublished(table.name, data_version)


def describe(table: LakeTable) -> dict[str, Any]:
    """Return what a table holds, as plain values. Raises NotPublished."""
    delta = open_published(table)
    actions = delta.get_add_actions(flatten=True)
    sizes, rows = (actions.column(name).to_pylist() for name in ("size_bytes", "num_records"))
    newest = next(iter(get_versions(table)), None)
    return {
        "table": table.name,
        "rows": sum(rows),
        "files": len(sizes),
        "bytes": sum(sizes),
        "version": delta.version(),
        "data_version": newest.data_version if newest else None,
        "published_at": newest.published_at.isoformat() if newest else None,
        "uri": location.get_uri(table),
    }


def vacuum(table: LakeTable, *, dry_run: bool = False) -> list[str]:
    """Delete the files that no version of the last LAKE_KEEP_DAYS days needs. Return their names.

    Raises NotPublished.
    """
    names: list[str] = open_published(table).vacuum(
        retention_hours=settings.LAKE_KEEP_DAYS * 24,
        dry_run=dry_run,
        enforce_retention_duration=False,
        full=True,
    )
    return names
