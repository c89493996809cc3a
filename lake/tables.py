"""The tables of the lake."""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection, models
from django.db.models import TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from instruments.models import (
    Correction,
    DataSubject,
    EntityAddress,
    EntityAuthority,
    EntityBic,
    EntityEvent,
    EntityName,
    EntityRelationship,
    EntitySuccessor,
    Figi,
    Instrument,
    LegalEntity,
    Listing,
    ListingVersion,
    MappedIssuer,
    ReportingException,
    SubclassTransparency,
    TransparencyResult,
    Underlying,
    Venue,
    VolumeCap,
    VolumeCapSuspension,
    VolumeCapVenue,
)
from lake.columns import Column, columns_of
from lake.errors import NoSuchTable
from lake.packing import Packs

# Surrogate keys and hashes mean nothing outside the database.
_INTERNAL = ("id", "fingerprint", "result_key", "published_again")
# Rows of one slice: what is written again when one row of it changes. Few files are read faster.
_SLICE_ROWS = 500_000
# Rows that are read at a time: to read more at a time is not faster, and takes memory.
_BATCH_ROWS = 25_000
_KEYS = 20_000
NO_VALUE = "none"
_RECENT = "_recent"
REMOVED, DATA_VERSION = "removed", "data_version"
# The first value of the key, and the one to stop before; None is the end.
Bounds = tuple[str, str | None]


@dataclasses.dataclass(frozen=True)
class Partition:
    """A column that rows are separated by, each value in files of its own."""

    name: str
    source: str
    comment: str
    derive: Callable[[pa.Array], pa.Array]

    def get_values(self, rows: pa.Table) -> pa.ChunkedArray:
        """Return the value of each row of a table of the lake."""
        values = self.derive(rows.column(self.source)).fill_null(NO_VALUE)
        return pc.if_else(pc.equal(values, ""), NO_VALUE, values)

    @property
    def arrow_field(self) -> pa.Field:
        return pa.field(self.name, pa.string(), metadata={"comment": self.comment})


def _first_letter(codes: pa.Array) -> pa.Array:
    return pc.utf8_slice_codeunits(codes, 0, 1)


def _month(days: pa.Array) -> pa.Array:
    return pc.utf8_slice_codeunits(days.cast(pa.string()), 0, len("2025-08"))


_CATEGORY = Partition(
    "category", "cfi_code", "first letter of the CFI code (ISO 10962), or none", _first_letter
)
_MONTH = Partition("month", "valid_from", "month of valid_from, as 2025-08", _month)


@dataclasses.dataclass(frozen=True)
class LakeTable:
    """A table of the lake, and where its rows are in the database.

    Rows are in the order of `key` and then `order`, and cut into slices between two values of `key`.
    `isin_lookup` is the ISIN of rows of which the changes feed says when they may have changed: the table has
    a second one with `recent` rows, unless the lake has fewer listings than `recent_from`. Other tables are
    read if the data of their `subject` have another version than before; always, if it is None.
    """

    name: str
    model: type[models.Model]
    description: str
    key: str
    order: tuple[str, ...] = ()
    partition: Partition | None = None
    slice_rows: int = _SLICE_ROWS
    batch_rows: int = _BATCH_ROWS
    keys_at_a_time: int = _KEYS  # of which rows are read from SQLite
    isin_lookup: str | None = None
    recent_from: int = 100_000
    subject: DataSubject | None = None
    left_out: tuple[str, ...] = _INTERNAL
    joined: tuple[Column, ...] = ()
    sparse: tuple[tuple[str, ...], ...] = ()  # beginnings of the names of columns: see packing.py

    @functools.cached_property
    def packs(self) -> Packs:
        """The columns as they are read from SQLite."""
        return Packs.of(self.columns, self.sparse)

    @functools.cached_property
    def columns(self) -> tuple[Column, ...]:
        return (*self.joined, *columns_of(self.model, left_out=self.left_out))

    @property
    def key_column(self) -> str:
        """The name of the key in the lake."""
        return next(column.name for column in self.columns if column.lookup == self.key)

    @property
    def key_schema(self) -> pa.Schema:
        """The column of the key."""
        return pa.schema([self.schema.field(self.key_column)])

    @property
    def schema(self) -> pa.Schema:
        """The columns that are read from the database."""
        return pa.schema([column.arrow_field for column in self.columns])

    @property
    def full_schema(self) -> pa.Schema:
        """The columns with the partition, which is a part of the names of files."""
        return (
            self.schema
            if self.partition is None
            else self.schema.append(self.partition.arrow_field)
        )

    @property
    def file_schema(self) -> pa.Schema:
        """The columns that files have."""
        return self.schema

    @functools.cached_property
    def recent(self) -> "RecentTable | None":
        """The table with the rows that have changed since this one was written; None if there is none."""
        if self.isin_lookup is None:
            return None
        return RecentTable(
            name=f"{self.name}{_RECENT}",
            model=self.model,
            description=f"Rows of the ISINs that have changed since the table {self.name} was written.",
            key=self.isin_lookup,
            order=self.order,
            batch_rows=self.batch_rows,
            keys_at_a_time=self.keys_at_a_time,
            left_out=self.left_out,
            joined=self.joined,
            sparse=self.sparse,
            base_partition=self.partition,
        )

    def query(
        self, start: str, stop: str | None, *, packed: bool = False
    ) -> "models.QuerySet[Any, Any]":
        """Return the rows from one value of the key up to another, in order; None is the end."""
        return self._select(self._between(start, stop), packed=packed)

    def query_key(self, start: str, stop: str | None) -> "models.QuerySet[Any, Any]":
        """Return the keys of these rows, in order, for which an index is enough."""
        rows = self.model._base_manager.filter(**self._between(start, stop))
        return rows.order_by(self.key).values_list(self.key)

    def _between(self, start: str, stop: str | None) -> dict[str, Any]:
        condition = {f"{self.key}__gte": start} if start else {}
        if stop is not None:
            condition[f"{self.key}__lt"] = stop
        return condition

    def query_keys(
        self, keys: Sequence[str], *, packed: bool = False
    ) -> "models.QuerySet[Any, Any]":
        """Return the rows with one of some values of the key, in order.

        SQLite takes them as one parameter: to read thousands of parameters costs more than to find the rows.
        """
        if connection.vendor == "sqlite":
            listed = RawSQL("SELECT value FROM json_each(%s)", [json.dumps(keys)])
            return self._select({f"{self.key}__in": listed}, packed=packed)
        return self._select({f"{self.key}__in": keys}, packed=packed)

    def _select(self, condition: dict[str, Any], *, packed: bool) -> "models.QuerySet[Any, Any]":
        rows = self.model._base_manager.filter(**condition).order_by(self.key, *self.order)
        columns = self.packs.plain if packed else self.columns
        packs = self.packs.expressions if packed else {}
        texts = {f"{c.name}_text": Cast(c.lookup, TextField()) for c in columns if c.is_json}
        names = (f"{c.name}_text" if c.is_json else c.lookup for c in columns)
        answer: models.QuerySet[Any, Any] = rows.annotate(**texts, **packs).values_list(
            *names, *packs
        )
        return answer


@dataclasses.dataclass(frozen=True)
class RecentTable(LakeTable):
    """Rows of the ISINs that have changed since the table beside it was written.

    All rows of an ISIN replace those of the table, and those of a higher `data_version` replace the ones of a
    lower. An ISIN that has no rows any more has one with `removed`, in which all other columns are empty.
    """

    base_partition: Partition | None = None

    @property
    def full_schema(self) -> pa.Schema:
        schema = self.schema
        if self.base_partition is not None:
            schema = schema.append(self.base_partition.arrow_field)
        removed = {"comment": "the ISIN has no rows any more; the other columns are empty"}
        version = {"comment": "the data version at which the rows of the ISIN were read"}
        return schema.append(pa.field(REMOVED, pa.bool_(), metadata=removed)).append(
            pa.field(DATA_VERSION, pa.int64(), metadata=version)
        )

    @property
    def file_schema(self) -> pa.Schema:
        return self.full_schema


# Columns of few categories, or that registers seldom fill: of a million listings, one in ten at most has one.
_SPARSE = (
    ("floating_rate_", "seniority"),
    ("underlying_index_", "underlying_lei"),
    ("strike_sign", "strike_percentage", "strike_yield", "strike_basis_points", "strike_pending"),
    (
        *("commodity_product", "commodity_base_", "commodity_sub_", "commodity_additional_"),
        *("commodity_transaction_", "commodity_final_"),
    ),
    ("interest_rate_",),
    ("first_leg_", "other_leg_"),
    (
        *("known_from", "inconsistent", "last_updated_at", "submitted_at", "published_on"),
        *("published_to", "never_published", "technical_record_id"),
    ),
)
_LISTING_ORDER = ("mic", "register")
_RESULT_ORDER = ("result_key", "fingerprint", "register")
_LEI = ("entity_id", ("pk",))

TABLES = (
    LakeTable(
        "instruments",
        Instrument,
        "One row an ISIN, with the attributes of its authoritative listing.",
        key="isin",
        partition=_CATEGORY,
        isin_lookup="isin",
    ),
    LakeTable(
        "listings",
        Listing,
        "The newest record of each instrument on each venue in each register (FIRDS, RTS 23).",
        key="isin",
        order=_LISTING_ORDER,
        partition=_CATEGORY,
        isin_lookup="isin",
        sparse=_SPARSE,
    ),
    LakeTable(
        "listing_versions",
        ListingVersion,
        "Earlier records of listings, with the days between which each was the valid one.",
        key="isin",
        order=(*_LISTING_ORDER, "valid_from", "pk"),
        partition=_MONTH,
        isin_lookup="isin",
        sparse=_SPARSE,
    ),
    LakeTable(
        "underlyings",
        Underlying,
        "Codes of underlyings, ISINs or LEIs, and the instruments that are derived from them.",
        key="code",
        isin_lookup="instrument_id",
        order=("instrument_id",),
        keys_at_a_time=500_000,  # all rows are read for those of some ISINs, for which there is no index
    ),
    LakeTable(
        "transparency_results",
        TransparencyResult,
        "Transparency results by ISIN (FITRS): liquidity, thresholds, statistics.",
        key="isin",
        subject=DataSubject.RESULTS,
        order=_RESULT_ORDER,
    ),
    LakeTable(
        "subclass_results",
        SubclassTransparency,
        "Transparency results of sub-classes of non-equity instruments (FITRS).",
        key="asset_class",
        subject=DataSubject.RESULTS,
        order=_RESULT_ORDER,
    ),
    LakeTable(
        "volume_caps",
        VolumeCap,
        "Shares of trading under waivers by ISIN (volume cap results).",
        key="isin",
        subject=DataSubject.RESULTS,
        order=_RESULT_ORDER,
        left_out=_INTERNAL[1:],  # its venues refer to `id`
    ),
    LakeTable(
        "volume_cap_venues",
        VolumeCapVenue,
        "The shares of venues in volume cap results; volume_cap_id refers to volume_caps.",
        key="volume_cap__isin",
        subject=DataSubject.RESULTS,
        order=("volume_cap_id", "mic", "pk"),
        joined=(Column("isin", "volume_cap__isin", pa.string(), "ISIN of the result"),),
    ),
    LakeTable(
        "volume_cap_suspensions",
        VolumeCapSuspension,
        "Suspensions of waivers under the single volume cap.",
        key="isin",
        subject=DataSubject.RESULTS,
        order=("suspended_from",),
    ),
    LakeTable(
        "venues",
        Venue,
        "The ISO 10383 list of market identifier codes.",
        key="mic",
        subject=DataSubject.VENUES,
    ),
    LakeTable(
        "entities",
        LegalEntity,
        "Legal entities (GLEIF level 1).",
        key="lei",
        subject=DataSubject.ENTITIES,
    ),
    LakeTable(
        "entity_names",
        EntityName,
        "Names besides the legal ones.",
        *_LEI,
        subject=DataSubject.ENTITIES,
    ),
    LakeTable(
        "entity_addresses", EntityAddress, "Further addresses.", *_LEI, subject=DataSubject.ENTITIES
    ),
    LakeTable(
        "entity_events",
        EntityEvent,
        "Legal entity events, as mergers.",
        *_LEI,
        subject=DataSubject.ENTITIES,
    ),
    LakeTable(
        "entity_authorities",
        EntityAuthority,
        "Further validation authorities.",
        *_LEI,
        subject=DataSubject.ENTITIES,
    ),
    LakeTable(
        "entity_successors",
        EntitySuccessor,
        "Successors of entities.",
        *_LEI,
        subject=DataSubject.ENTITIES,
    ),
    LakeTable(
        "entity_bics",
        EntityBic,
        "BICs of entities, by GLEIF's BIC-LEI file.",
        *_LEI,
        subject=DataSubject.ENTITIES,
    ),
    LakeTable(
        "entity_relationships",
        EntityRelationship,
        "Relationships of entities (GLEIF level 2): the end is the parent of the start.",
        key="start_lei",
        subject=DataSubject.ENTITIES,
        order=("type", "end_lei"),
    ),
    LakeTable(
        "reporting_exceptions",
        ReportingException,
        "Reasons for which an entity reports no parent (GLEIF level 2).",
        key="lei",
        subject=DataSubject.ENTITIES,
        order=("category",),
    ),
    LakeTable(
        "mapped_issuers",
        MappedIssuer,
        "Issuers of ISINs by GLEIF's ISIN-LEI file.",
        key="isin",
        subject=DataSubject.ENTITIES,
        left_out=("mapped_lei",),
        joined=(Column("lei", "mapped_lei__lei", pa.string(), "LEI of the issuer"),),
    ),
    LakeTable(
        "corrections",
        Correction,
        "Values that are served in place of published ones, in any state.",
        key="isin",
        order=("pk",),
        left_out=("proposed_by", "approved_by"),  # names of people
    ),
    LakeTable(
        "figis",
        Figi,
        "FIGIs by ISIN (OpenFIGI).",
        key="isin",
        subject=DataSubject.FIGIS,
        order=("figi",),
    ),
)
# All tables of the lake, those with recent rows after the ones they belong to.
ALL_TABLES = tuple(part for table in TABLES for part in (table, table.recent) if part is not None)
_BY_NAME = {table.name: table for table in ALL_TABLES}


def get_table(name: str) -> LakeTable:
    """Return the table of a name. Raises NoSuchTable."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise NoSuchTable(name, sorted(_BY_NAME)) from None
