"""The layout of GLEIF's ISIN-LEI file for staging: pairs of an LEI and an ISIN."""

import dataclasses

import pyarrow as pa

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch
from instruments import fields
from instruments.staging.layout import Groups, Layout

ISIN_LEI_FIELDS = (
    dataclasses.replace(
        fields.lei("lei", "LEI", required=True, has_check_digits=True), hashed=False
    ),
    dataclasses.replace(fields.isin("isin", "ISIN"), required=True, hashed=False),
)


def _no_rows(batch: Batch) -> tuple[str, pa.RecordBatch]:
    raise AssertionError(f"records of this layout have no groups, and {batch.group!r} was read")


ISINLEI = Layout(
    mapping=Mapping.of_kind(
        "ISINLEI", {"pair": ""}, tuple(field.path for field in ISIN_LEI_FIELDS)
    ),
    fields=ISIN_LEI_FIELDS,
    derived={},
    derive=lambda checked, day: {},
    refuse=lambda checked: (),
    groups=Groups(
        schema="",
        refuse=lambda batch: (),
        stage=_no_rows,
        columns=lambda batch: (),
        repeated="SELECT 0 AS position, '' AS path, '' AS value WHERE 0",
        bring_in=lambda connection: None,
        left_out_wrongly=lambda connection: False,
    ),
    index="CREATE INDEX record_isin ON record (isin, position, lei)",
)
