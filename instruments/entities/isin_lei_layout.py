"""The layout of GLEIF's ISIN-LEI file for staging: pairs of an LEI and an ISIN."""

import dataclasses

from esma_files.parsing.mapping import Mapping
from instruments import fields
from instruments.staging.layout import NO_GROUPS, Layout

ISIN_LEI_FIELDS = (
    dataclasses.replace(
        fields.lei("lei", "LEI", required=True, has_check_digits=True), hashed=False
    ),
    dataclasses.replace(fields.isin("isin", "ISIN"), required=True, hashed=False),
)


ISINLEI = Layout(
    mapping=Mapping.of_kind(
        "ISINLEI", {"pair": ""}, tuple(field.path for field in ISIN_LEI_FIELDS)
    ),
    fields=ISIN_LEI_FIELDS,
    derived={},
    derive=lambda checked, day: {},
    refuse=lambda checked: (),
    groups=NO_GROUPS,
    index="CREATE INDEX record_isin ON record (isin, position, lei)",
)
