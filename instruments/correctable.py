"""The fields of listings, legal entities and venues that can be corrected, and their values as texts.

Some fields cannot be corrected, because other answers are derived from them and would contradict the
correction. Of a listing: dates (status and reportability), the relevant venue (the reference listing),
underlyings, and the technical fields. Of an entity: its LEI and its last update, by which records are merged.
Of a venue: its MICs and its kind, the LEI of its operator (which tells operators from issuers, together with
the published category), and the days by which lists are merged.
"""

import dataclasses
import datetime as dt
import enum
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cached_property
from operator import itemgetter
from typing import Any

from instruments import lei
from instruments.entities.fields import ENTITY_FIELDS
from instruments.fields import LEI, Field, Type
from instruments.listings.fields import FIELDS
from marketdata.common.errors import InvalidQuery
from marketdata.common.fields import exact_text
from marketdata.common.labels import label_field
from marketdata.common.plain import to_plain
from marketdata.common.suggestions import list_known, suggest


class CorrectionSubject(enum.StrEnum):
    """The kind of record that a correction is about, with the column of its code."""

    INSTRUMENT = "instrument"
    ENTITY = "entity"
    VENUE = "venue"

    @property
    def key(self) -> str:
        return {"instrument": "isin", "entity": "lei", "venue": "mic"}[self.value]

    @property
    def publisher(self) -> str:
        """The publisher of its values, as the subject of a sentence."""
        names = {"instrument": "The register", "entity": "GLEIF", "venue": "The list of venues"}
        return names[self.value]


# Columns of `Instrument` that come from the reference listing.
IN_INSTRUMENT = ("full_name", "short_name", "cfi_code", "notional_currency", "issuer_lei")
_TYPES = (Type.TEXT, Type.CODE, Type.BOOLEAN, Type.DECIMAL)
_LEFT_OUT = re.compile(
    "isin|mic|underlying_.*|(interest|first_leg|other_leg)_rate_isin|inconsistent|competent_authority"
    "|never_published|relevant_venue|technical_record_id"
)
CORRECTABLE: dict[str, Field] = {
    field.column: field
    for field in FIELDS
    if field.type in _TYPES and not _LEFT_OUT.fullmatch(field.column)
}
# GLEIF's codes have no pattern where they are loaded, as its lists grow.
_WORD, _COUNTRY = "[A-Z_]{1,50}", "[A-Z]{2}"
_ENTITY_PATTERNS = {
    "legal_address_country": _COUNTRY,
    "headquarters_country": _COUNTRY,
    "legal_address_region": "[A-Z]{2}-[A-Z0-9]{1,3}",
    "headquarters_region": "[A-Z]{2}-[A-Z0-9]{1,3}",
    "jurisdiction": "[A-Z]{2}(-[A-Z0-9]{1,3})?",
    "category": _WORD,
    "sub_category": _WORD,
    "legal_form": "[A-Z0-9]{4}",
    "associated_lei": LEI,
    "entity_status": "ACTIVE|INACTIVE",
    "expiration_reason": _WORD,
    "registration_status": _WORD,
    "managing_lou": LEI,
}


def _with_pattern(field: Field) -> Field:
    pattern = _ENTITY_PATTERNS.get(field.column)
    if pattern is None:
        return field
    return dataclasses.replace(
        field, type=Type.CODE, pattern=pattern, has_check_digits=pattern == LEI
    )


ENTITY_CORRECTABLE: dict[str, Field] = {
    field.column: _with_pattern(field)
    for field in ENTITY_FIELDS
    if field.column not in ("lei", "last_updated_at")
}
VENUE_CORRECTABLE: dict[str, Field] = {
    field.column: field
    for field in (
        Field("name", "", Type.TEXT, 350, required=True),
        Field("legal_entity_name", "", Type.TEXT, 350),
        Field("category", "", Type.CODE, 4, "[A-Z]{4}"),
        Field("acronym", "", Type.TEXT, 100),
        Field("country", "", Type.CODE, 2, _COUNTRY, required=True),
        Field("city", "", Type.TEXT, 100),
        Field("website", "", Type.TEXT, 350),
        Field("status", "", Type.CODE, 10, "ACTIVE|UPDATED|EXPIRED", required=True),
    )
}
FIELDS_BY_SUBJECT: Mapping[str, dict[str, Field]] = {
    CorrectionSubject.INSTRUMENT: CORRECTABLE,
    CorrectionSubject.ENTITY: ENTITY_CORRECTABLE,
    CorrectionSubject.VENUE: VENUE_CORRECTABLE,
}
ALL_FIELDS = sorted({name for fields in FIELDS_BY_SUBJECT.values() for name in fields})
# Choices of forms, by what they are about.
GROUPED_FIELDS = [
    (
        f"Of an {subject}" if subject[0] in "aei" else f"Of a {subject}",
        sorted(((name, label_field(name)) for name in fields), key=itemgetter(1)),
    )
    for subject, fields in FIELDS_BY_SUBJECT.items()
]
# As `ListingRecord` declares decimals.
_WHOLE_DIGITS, _DECIMAL_PLACES = 18, 17
_INSTRUMENT = CorrectionSubject.INSTRUMENT
_FORM = "/corrections/propose/"
_OF_LISTINGS = {field.column for field in FIELDS}
_NAMED = {*ALL_FIELDS, *_OF_LISTINGS}


class CorrectableRow:
    """A row whose values can be replaced in memory by corrected ones."""

    @cached_property
    def published_values(self) -> dict[str, Any]:
        """The published values of the columns that have a corrected one."""
        return {}

    @cached_property
    def applied_corrections(self) -> list[Any]:
        """The corrections whose values it has."""
        return []


def to_text(value: Any) -> str:
    """Return a value of a record as the text that corrections compare; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return str(to_plain(value))
    return exact_text(value) if isinstance(value, Decimal) else str(value)


def to_value(column: str, text: str, subject: str = _INSTRUMENT) -> Any:
    """Return the value of a record that `to_text` gives this text for; None for ""."""
    if text == "":
        return None
    type_ = FIELDS_BY_SUBJECT[subject][column].type
    if type_ is Type.BOOLEAN:
        return text == "true"
    if type_ is Type.DATETIME:
        return dt.datetime.fromisoformat(text)
    return Decimal(text) if type_ is Type.DECIMAL else text


def check_field(column: str, subject: str = _INSTRUMENT) -> Field:
    """Return the field with this column. Raises InvalidQuery if it cannot be corrected."""
    fields = FIELDS_BY_SUBJECT[subject]
    if column not in fields:
        name = label_field(column) if column in _NAMED else repr(column)
        if subject == _INSTRUMENT and column in _OF_LISTINGS:
            advice = "Other answers follow from it. Add a note to the instrument."
        else:
            advice = f"{suggest(column, fields)} {list_known(fields, 'field', _FORM)}".lstrip()
        raise InvalidQuery("field", f"{name} ({subject}) cannot be corrected. {advice}")
    return fields[column]


def check_value(
    column: str, text: str, *, subject: str = _INSTRUMENT, parameter: str = "value"
) -> str:
    """Return a text in the form of `to_text`. Raises InvalidQuery if it is no value of the field."""
    field, name = check_field(column, subject), label_field(column)
    text = text.strip()
    if text == "":
        if field.required and subject != _INSTRUMENT:
            raise InvalidQuery(parameter, f"{name} must have a value.")
        return ""
    if field.type in _CHECKS:
        return _CHECKS[field.type](name, text, parameter=parameter)
    if field.type is Type.CODE:
        text = text.upper()
        if not re.fullmatch(field.pattern, text):
            raise InvalidQuery(parameter, f"{text!r} is not a value of {name}.")
        if field.has_check_digits and not lei.is_valid(text):
            raise InvalidQuery(parameter, f"{text!r}: the check digits of the LEI are wrong.")
    if len(text) > field.max_length:
        raise InvalidQuery(
            parameter, f"{name} has at most {field.max_length} letters; these are {len(text)}."
        )
    return text


def _check_boolean(name: str, text: str, *, parameter: str) -> str:
    if text.lower() not in ("true", "false"):
        raise InvalidQuery(parameter, f"{text!r} is not a value of {name}: true or false.")
    return text.lower()


def _check_time(name: str, text: str, *, parameter: str) -> str:
    try:
        time = dt.datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=dt.UTC)
        return to_text(time.astimezone(dt.UTC))
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is not a value of {name}: a time, as 2026-11-27T08:00:00Z."
        raise InvalidQuery(parameter, message) from error


def _check_decimal(name: str, text: str, *, parameter: str) -> str:
    try:
        number = Decimal(text)
        is_finite = number.is_finite()
    except InvalidOperation:
        is_finite = False
    if not is_finite:
        raise InvalidQuery(parameter, f"{text!r} is not a value of {name}: a decimal number.")
    plain = exact_text(number)
    whole, _, fraction = plain.lstrip("-").partition(".")
    if len(fraction) > _DECIMAL_PLACES or len(whole) > _WHOLE_DIGITS:
        raise InvalidQuery(parameter, f"{text!r} has more digits than {name} can hold.")
    return plain


_CHECKS = {
    Type.BOOLEAN: _check_boolean,
    Type.DECIMAL: _check_decimal,
    Type.DATETIME: _check_time,
}
