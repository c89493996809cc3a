"""The tables of volume cap results: a row for each ISIN and period, and one for each of its venues."""

from instruments.models import VolumeCap, VolumeCapVenue
from instruments.published_results.merge import ResultTable
from instruments.volume_cap.fields import FIELDS, VENUE_FIELDS

TABLES = (
    ResultTable(
        VolumeCap,
        "isin",
        frozenset(field.column for field in FIELDS),
        venue_table=VolumeCapVenue._meta.db_table,
        venue_columns=tuple(field.column for field in VENUE_FIELDS),
    ),
)
