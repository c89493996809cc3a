"""The columns of a table of the lake: name, place in the database, Arrow type and comment."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import models

from esma_files.models import EsmaFile
from instruments.entities.fields import ENTITY_FIELDS
from instruments.entities.level_2_fields import EXCEPTION_FIELDS, RELATIONSHIP_FIELDS
from instruments.fields import Field
from instruments.listings import fields as listing_fields
from instruments.models import Instrument, Listing, ListingVersion
from instruments.transparency.fields import FIELDS_OF
from instruments.volume_cap import fields as volume_cap_fields

# Fields of RTS 23 (Commission Delegated Regulation (EU) 2017/585, Annex, Table 3) by column.
RTS_23 = {
    "isin": "1, Instrument identification code",
    "full_name": "2, Instrument full name",
    "cfi_code": "3, Instrument classification",
    "commodity_derivative": "4, Commodities or emission allowance derivative indicator",
    "issuer_lei": "5, Issuer or operator of the trading venue identifier",
    "mic": "6, Trading venue",
    "short_name": "7, Financial instrument short name",
    "issuer_requested": "8, Request for admission to trading by issuer",
    "admission_approved_at": "9, Date of approval of the admission to trading",
    "admission_requested_at": "10, Date of request for admission to trading",
    "first_trade_at": "11, Date of admission to trading or date of first trade",
    "terminated_at": "12, Termination date",
    "notional_currency": "13, Notional currency 1",
    "total_issued_nominal": "14, Total issued nominal amount",
    "maturity_date": "15, Maturity date",
    "nominal_value_per_unit_currency": "16, Currency of nominal value",
    "nominal_value_per_unit": "17, Nominal value per unit/minimum traded value",
    "fixed_rate": "18, Fixed rate",
    "floating_rate_isin": "19, Identifier of the index/benchmark of a floating rate bond",
    "floating_rate_name": "20, Name of the index/benchmark of a floating rate bond",
    "floating_rate_index": "20, Name of the index/benchmark of a floating rate bond",
    "floating_rate_term_value": "21, Term of the index/benchmark of a floating rate bond",
    "floating_rate_term_unit": "21, Term of the index/benchmark of a floating rate bond",
    "floating_rate_spread": "22, Base point spread of the index/benchmark of a floating rate bond",
    "seniority": "23, Seniority of the bond",
    "expiry_date": "24, Expiry date",
    "price_multiplier": "25, Price multiplier",
    "underlying_isin": "26, Underlying instrument code",
    "underlying_index_isin": "26, Underlying instrument code",
    "underlying_basket": "26 and 27, Underlying instrument code, Underlying issuer",
    "underlying_lei": "27, Underlying issuer",
    "underlying_index_name": "28, Underlying index name",
    "underlying_index_code": "28, Underlying index name",
    "underlying_index_term_value": "29, Term of the underlying index",
    "underlying_index_term_unit": "29, Term of the underlying index",
    "option_type": "30, Option type",
    "strike_amount": "31, Strike price",
    "strike_percentage": "31, Strike price",
    "strike_yield": "31, Strike price",
    "strike_basis_points": "31, Strike price",
    "strike_pending": "31, Strike price",
    "strike_currency": "32, Strike price currency",
    "exercise_style": "33, Option exercise style",
    "delivery_type": "34, Delivery type",
    "commodity_base_product": "35, Base product",
    "commodity_sub_product": "36, Sub product",
    "commodity_additional_sub_product": "37, Further sub product",
    "commodity_transaction_type": "38, Transaction type",
    "commodity_final_price_type": "39, Final price type",
    "interest_rate_isin": "40, Reference rate",
    "interest_rate_index": "40, Reference rate",
    "interest_rate_name": "40, Reference rate",
    "interest_rate_term_value": "41, IR Term of contract",
    "interest_rate_term_unit": "41, IR Term of contract",
    "other_leg_currency": "42, Notional currency 2",
    "first_leg_fixed_rate": "43, Fixed rate of leg 1",
    "other_leg_fixed_rate": "44, Fixed rate of leg 2",
    "other_leg_rate_isin": "45, Floating rate of leg 2",
    "other_leg_rate_index": "45, Floating rate of leg 2",
    "other_leg_rate_name": "45, Floating rate of leg 2",
    "other_leg_rate_term_value": "46, IR Term of contract of leg 2",
    "other_leg_rate_term_unit": "46, IR Term of contract of leg 2",
    "fx_other_currency": "47, Notional currency 2",
    "fx_type": "48, FX Type",
}
_TYPES = {
    "BooleanField": pa.bool_(),
    "DateField": pa.date32(),
    "DateTimeField": pa.timestamp("us", "UTC"),
    "PositiveIntegerField": pa.int64(),
    "PositiveSmallIntegerField": pa.int64(),
    "BigIntegerField": pa.int64(),
    "BigAutoField": pa.int64(),
    "CharField": pa.string(),
    "TextField": pa.string(),
    "JSONField": pa.string(),  # as text
}


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the lake. `lookup` is its name in a query of Django."""

    name: str
    lookup: str
    type: pa.DataType
    comment: str
    is_json: bool = False

    @property
    def arrow_field(self) -> pa.Field:
        return pa.field(
            self.name, self.type, metadata={"comment": self.comment} if self.comment else None
        )


def columns_of(model: type[models.Model], *, left_out: Iterable[str] = ()) -> tuple[Column, ...]:
    """Return the columns of a model, in its order: a reference to a file is the name of the file."""
    paths = _paths(model)
    names = RTS_23 if model in _OF_RTS_23 else {}
    return tuple(
        _column(field, paths, names)
        for field in model._meta.concrete_fields
        if field.name not in {*left_out}
    )


def _column(field: Any, paths: dict[str, str], names: dict[str, str]) -> Column:
    if field.is_relation:
        if field.related_model is EsmaFile:
            comment = "name of the file that published the record"
            if field.name != "source_file":
                comment = f"name of the file: {field.name}"
            return Column(field.name, f"{field.name}__name", pa.string(), comment)
        target = field.target_field
        type_ = _TYPES[target.get_internal_type()]
        return Column(_reference_name(field), field.attname, type_, _comment(field, paths, names))
    return Column(
        field.name,
        field.name,
        _type(field),
        _comment(field, paths, names),
        is_json=isinstance(field, models.JSONField),
    )


def _reference_name(field: Any) -> str:
    """Return the name of the key that a column refers to, as `isin`; the column's own for numbers."""
    if field.target_field.get_internal_type() == "CharField":
        return str(field.target_field.name)
    return str(field.attname)


def _type(field: Any) -> pa.DataType:
    if isinstance(field, models.DecimalField):
        return pa.decimal128(field.max_digits, field.decimal_places)
    return _TYPES[field.get_internal_type()]


def _comment(field: Any, paths: dict[str, str], names: dict[str, str]) -> str:
    """Return the publisher's name of a column, and what the model says about it."""
    parts = []
    if field.name in names:
        parts.append(f"RTS 23 field {names[field.name]}")
    if path := paths.get(field.name):
        parts.append(f"element {path}")
    if field.help_text:
        parts.append(str(field.help_text))
    return "; ".join(parts)


_LISTING_PATHS = {
    **{field.column: field.path for field in listing_fields.FIELDS},
    "underlying_basket": listing_fields.BASKET.path,
    **{
        column: f"{listing_fields.COMMODITY.path}/*/{element}"
        for column, element in listing_fields.COMMODITY_LEVELS.items()
    },
}
_OF_RTS_23 = (Instrument, Listing, ListingVersion)


def _paths(model: type[models.Model]) -> dict[str, str]:
    """Return the element of a published record for each column that has one."""

    def of(fields: Iterable[Field]) -> dict[str, str]:
        return {field.column: field.path for field in fields}

    results = of(field for fields in FIELDS_OF.values() for field in fields)
    known: dict[str, dict[str, str]] = {
        "Instrument": _LISTING_PATHS,
        "Listing": _LISTING_PATHS,
        "ListingVersion": _LISTING_PATHS,
        "TransparencyResult": results,
        "SubclassTransparency": results,
        "VolumeCap": of(volume_cap_fields.FIELDS),
        "VolumeCapVenue": of(volume_cap_fields.VENUE_FIELDS),
        "LegalEntity": of(ENTITY_FIELDS),
        "EntityRelationship": of(RELATIONSHIP_FIELDS),
        "ReportingException": of(EXCEPTION_FIELDS),
    }
    return known.get(model.__name__, {})


def cast(column: Any, type_: pa.DataType) -> Any:
    """Convert a column from the type that SQLite stores."""
    if column.type == type_:
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), type_)
    if pa.types.is_timestamp(type_):
        return pc.assume_timezone(column.cast(pa.timestamp("us")), "UTC")
    return column.cast(type_)
