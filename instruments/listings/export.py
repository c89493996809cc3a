"""The rows of an export: instruments, listings or all records of listings, with fields by choice.

Rows are read in pages by key, not by one open cursor: only one page is in memory, on any database, and
a slow reader holds no lock. `instruments.listings.export_files` writes them.
"""

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from django.db import models

from instruments.corrected_records import correct
from instruments.listings.corrections import correct_records, describe_applied
from instruments.listings.descriptions import RECORD_COLUMNS, describe_instruments
from instruments.models import (
    Instrument,
    InstrumentQuerySet,
    LegalEntity,
    Listing,
    ListingVersion,
)
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery
from marketdata.common.fields import ExactDecimalField
from marketdata.common.suggestions import list_known, suggest

PAGE_SIZE = 10_000
# The columns of an export without a choice of fields.
COLUMNS = (
    *("isin", "full_name", "short_name", "cfi_code", "notional_currency", "issuer_lei"),
    *("operator_lei", "status", "effective_status", "mic", "register", "listing_count"),
    *("eu_listings", "uk_listings", "corrected"),
)
# Columns of the issuer's legal entity (GLEIF), and the field that each is read from.
_OF_ISSUERS = {"issuer_name": "legal_name", "issuer_country": "legal_address_country"}
_NUMBERS = {"listing_count", "eu_listings", "uk_listings"}
# Columns of files, read with the record, and the field that each is read from.
_FILES = {"source_file": "source_file__name", "dropped_by": "dropped_by__name"}
_OF_LISTINGS = (*RECORD_COLUMNS, *_FILES)
_OF_VERSIONS = (
    *(name for name in RECORD_COLUMNS if name != "valid_from"),
    *("valid_from", "valid_to", "source_file"),
)
# All fields of each kind of row. Instruments have those of the reference listing, too.
FIELDS: dict[str, tuple[str, ...]] = {
    "instruments": (
        *(*COLUMNS, "category", *_OF_ISSUERS),
        *(name for name in _OF_LISTINGS if name not in COLUMNS),
    ),
    "listings": _OF_LISTINGS,
    "versions": _OF_VERSIONS,
}
# 18 digits before the point and 17 after it, as in RTS 23.
_DECIMAL = pa.decimal128(35, 17)
_TYPES: list[tuple[type[models.Field[Any, Any]], pa.DataType]] = [
    (ExactDecimalField, _DECIMAL),
    (models.DateTimeField, pa.timestamp("us", "UTC")),
    (models.DateField, pa.date32()),
    (models.BooleanField, pa.bool_()),
    (models.PositiveIntegerField, pa.int32()),
]

Rows = list[tuple[Any, ...]]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The kind of the rows of an export (a key of FIELDS), and their columns.

    `types` are the Arrow types of the columns; without them the columns are fields, with theirs.
    """

    rows: str = "instruments"
    columns: tuple[str, ...] = COLUMNS
    types: tuple[pa.DataType, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of Parquet files."""
        types = self.types or tuple(map(get_type, self.columns))
        return pa.schema(list(zip(self.columns, types, strict=True)))


DEFAULT = Layout()


def describe_unknown_field(name: str, rows: str) -> str:
    """Return the message for a field that rows of this kind do not have."""
    advice = f"{suggest(name, FIELDS[rows])} {list_known(FIELDS[rows], 'field')}".lstrip()
    return f"{rows} have no field {name[:100]!r}. {advice}"


def choose(rows: str = "instruments", fields: str = "") -> Layout:
    """Return the layout for names of fields, separated by commas; "all" for all of them.

    Without names, instruments have COLUMNS and other rows every field. Raises InvalidQuery.
    """
    known = FIELDS[rows]
    names = tuple(dict.fromkeys(name.strip().lower() for name in fields.split(",") if name.strip()))
    if not names:
        return DEFAULT if rows == DEFAULT.rows else Layout(rows, known)
    if names == ("all",):
        return Layout(rows, known)
    for name in names:
        if name not in known:
            raise InvalidQuery("fields", describe_unknown_field(name, rows))
    return Layout(rows, names)


@functools.cache
def get_type(name: str) -> pa.DataType:
    """Return the Arrow type of a field."""
    if name in _NUMBERS:
        return pa.int32()
    if name == "valid_to":
        return pa.date32()
    if name in RECORD_COLUMNS:
        field = Listing._meta.get_field(name)
        return next((type_ for kind, type_ in _TYPES if isinstance(field, kind)), pa.string())
    return pa.string()


def has_more(instruments: InstrumentQuerySet, limit: int) -> bool:
    """Return True if there are more than so many instruments."""
    return instruments.order_by().values("pk")[limit : limit + 1].exists()


def has_more_rows(instruments: InstrumentQuerySet, layout: Layout, limit: int) -> bool:
    """Return True if an export would have more than so many rows."""
    if has_more(instruments, limit):
        return True
    if layout.rows == DEFAULT.rows:
        return False
    isins = instruments.order_by().values("pk")
    tables = (Listing, ListingVersion) if layout.rows == "versions" else (Listing,)
    rows = 0
    for table in tables:
        records: Any = table._default_manager.filter(isin__in=isins).order_by()
        rows += records.values("pk")[: limit + 1].count()
    return rows > limit


def read_pages(
    instruments: InstrumentQuerySet,
    layout: Layout = DEFAULT,
    *,
    after: str = "",
    size: int = PAGE_SIZE,
    with_corrections: bool = True,
) -> Iterator[Rows]:
    """Yield the rows of all instruments after an ISIN, in the order of ISINs, in pages.

    A page has the rows of `size` instruments. Values are those of Python: decimals, days and times.
    Corrections apply to instruments and their issuers; listings and records are as published.
    """
    while page := list(instruments.after(after)[:size]):
        yield read_rows(page, layout, with_corrections=with_corrections)
        after = page[-1].isin


def read_rows(page: Sequence[Instrument], layout: Layout, *, with_corrections: bool) -> Rows:
    """Return the rows of some instruments, in the order of these."""
    if layout.rows == DEFAULT.rows:
        return _read_instruments(page, layout.columns, with_corrections=with_corrections)
    read = _READERS[layout.rows]
    isins = [row.isin for row in page]
    if isins == sorted(isins):
        return read(page, layout.columns)
    places = {isin: place for place, isin in enumerate(isins)}
    rows = sorted(read(page, ("isin", *layout.columns)), key=lambda row: places[row[0]])
    return [row[1:] for row in rows]


def _read_instruments(
    page: Sequence[Instrument], columns: Sequence[str], *, with_corrections: bool
) -> Rows:
    """Return columns of instruments, of their issuers, and of their reference listings.

    `corrected` has the corrected columns with the published values, as JSON; "" for none.
    """
    summaries = describe_instruments(page, with_corrections=with_corrections)
    if any(name in _OF_ISSUERS for name in columns):
        issuers = _read_issuers(summaries, with_corrections=with_corrections)
        unknown = dict.fromkeys(_OF_ISSUERS)
        summaries = [{**row, **issuers.get(row["issuer_lei"], unknown)} for row in summaries]
    others = {*COLUMNS, "category", *_OF_ISSUERS}
    of_record = [name for name in columns if name not in others]
    if of_record:
        records = _read_references(page, of_record)
        if with_corrections:
            applied = correct_records(page, records)
            for row in summaries:
                row["corrections"] += map(describe_applied, applied.get(row["isin"], ()))
        absent = dict.fromkeys(of_record)
        summaries = [{**row, **records.get(row["isin"], absent)} for row in summaries]
    for row in summaries:
        published = {applied["field"]: applied["published"] for applied in row["corrections"]}
        row["corrected"] = json.dumps(published, ensure_ascii=False) if published else ""
    return [tuple(row[name] for name in columns) for row in summaries]


def _read_references(page: Sequence[Instrument], columns: list[str]) -> dict[str, dict[str, Any]]:
    """Return columns of the reference listings of instruments, by ISIN."""
    references = {(row.isin, row.mic, row.register): row.isin for row in page}
    records = {}
    key = ("isin", "mic", "register")
    for values in _read_records(Listing, page, (*key, *columns)):
        if isin := references.get(values[: len(key)]):
            records[isin] = dict(zip(columns, values[len(key) :], strict=True))
    return records


def _read_issuers(
    rows: Iterable[dict[str, Any]], *, with_corrections: bool
) -> dict[str, dict[str, Any]]:
    """Return the columns of the legal entities that issued some instruments, by LEI."""
    leis = sorted({row["issuer_lei"] for row in rows if row["issuer_lei"]})
    entities: list[LegalEntity] = []
    for batch in in_batches(leis):
        entities += LegalEntity.objects.filter(lei__in=batch)
    if with_corrections:
        correct(entities)
    return {
        entity.lei: {name: getattr(entity, field) for name, field in _OF_ISSUERS.items()}
        for entity in entities
    }


def _read_listings(page: Sequence[Instrument], columns: Sequence[str]) -> Rows:
    return list(_read_records(Listing, page, columns))


def _read_versions(page: Sequence[Instrument], columns: Sequence[str]) -> Rows:
    """Return the current and the superseded records; the former are valid without an end."""
    order = ("isin", "mic", "register", "valid_from")
    with_end = [*columns, *order]
    newest = [name for name in with_end if name != "valid_to"]
    superseded = list(_read_records(ListingVersion, page, with_end))
    current = []
    for values in _read_records(Listing, page, newest):
        by_name = {**dict(zip(newest, values, strict=True)), "valid_to": None}
        current.append(tuple(by_name[name] for name in with_end))
    # Superseded ones first, because a record may have replaced another one from its first day.
    rows = sorted([*superseded, *current], key=lambda row: row[-len(order) :])
    return [row[: len(columns)] for row in rows]


_READERS = {
    "listings": _read_listings,
    "versions": _read_versions,
}


def _read_records(
    table: Any, page: Iterable[Instrument], columns: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the records of the instruments of a page; one query per 500 instruments."""
    fields = [_FILES.get(name, name) for name in columns]
    order = ("isin", "mic", "register", "valid_from", "pk")
    isins = [row.isin for row in page]
    # Sorted, so that the parts are in the order of ISINs, too.
    for batch in in_batches(sorted(isins)):
        records = table.objects.filter(isin__in=batch)
        # Equal names of columns must not meet in one statement.
        distinct = list(dict.fromkeys(fields))
        places = [distinct.index(field) for field in fields]
        for values in records.order_by(*order).values_list(*distinct):
            yield tuple(values[place] for place in places)
