"""The layout of GLEIF's BIC-LEI file for staging: pairs of an LEI and a BIC."""

import dataclasses

from esma_files.parsing.mapping import Mapping
from instruments import fields
from instruments.fields import BIC, Field, Type
from instruments.staging.layout import NO_GROUPS, Layout

BIC_LEI_FIELDS = (
    dataclasses.replace(
        fields.lei("lei", "LEI", required=True, has_check_digits=True), hashed=False
    ),
    Field("bic", "BIC", Type.CODE, 11, BIC, required=True, hashed=False),
)


BICLEI = Layout(
    mapping=Mapping.of_kind("BICLEI", {"pair": ""}, tuple(field.path for field in BIC_LEI_FIELDS)),
    fields=BIC_LEI_FIELDS,
    derived={},
    derive=lambda checked, day: {},
    refuse=lambda checked: (),
    groups=NO_GROUPS,
    index="CREATE INDEX record_bic ON record (bic, lei, position)",
)
