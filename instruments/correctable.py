"""The fields of a listing that can be corrected, and their values as texts.

Some fields cannot be corrected, because other answers are derived from them and would contradict the
correction: dates (status and reportability), the relevant venue (the reference listing), underlyings, and the
technical fields.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from instruments import lei
from instruments.fields import Field, Type
from instruments.listings.fields import FIELDS
from marketdata.common.errors import InvalidQuery
from marketdata.common.fields import exact_text

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
# As `ListingRecord` declares decimals.
_WHOLE_DIGITS, _DECIMAL_PLACES = 18, 17


def to_text(value: Any) -> str:
    """Return a value of a listing as the text that corrections compare; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return exact_text(value) if isinstance(value, Decimal) else str(value)


def to_value(column: str, text: str) -> Any:
    """Return the value of a listing that `to_text` gives this text for."""
    if text == "":
        return None
    type_ = CORRECTABLE[column].type
    if type_ is Type.BOOLEAN:
        return text == "true"
    return Decimal(text) if type_ is Type.DECIMAL else text


def check_field(column: str) -> Field:
    """Return the field with this column. Raises InvalidQuery if it cannot be corrected."""
    if column not in CORRECTABLE:
        raise InvalidQuery(
            "field", f"{column!r} cannot be corrected. Fields: {', '.join(CORRECTABLE)}."
        )
    return CORRECTABLE[column]


def check_value(column: str, text: str, *, parameter: str = "value") -> str:
    """Return a text in the form of `to_text`. Raises InvalidQuery if it is no value of the field."""
    field = check_field(column)
    text = text.strip()
    if text == "":
        return ""
    if field.type is Type.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise InvalidQuery(parameter, f"{text!r} is not a value of {column}: true or false.")
        return text.lower()
    if field.type is Type.DECIMAL:
        return _check_decimal(column, text, parameter=parameter)
    if field.type is Type.CODE:
        text = text.upper()
        if not re.fullmatch(field.pattern, text):
            raise InvalidQuery(parameter, f"{text!r} is not a value of {column}.")
        if field.has_check_digits and not lei.is_valid(text):
            raise InvalidQuery(parameter, f"{text!r}: the check digits of the LEI are wrong.")
    if len(text) > field.max_length:
        raise InvalidQuery(
            parameter, f"{column} has at most {field.max_length} letters; these are {len(text)}."
        )
    return text


def _check_decimal(column: str, text: str, *, parameter: str) -> str:
    try:
        number = Decimal(text)
        is_finite = number.is_finite()
    except InvalidOperation:
        is_finite = False
    if not is_finite:
        raise InvalidQuery(parameter, f"{text!r} is not a value of {column}: a decimal number.")
    plain = exact_text(number)
    whole, _, fraction = plain.lstrip("-").partition(".")
    if len(fraction) > _DECIMAL_PLACES or len(whole) > _WHOLE_DIGITS:
        raise InvalidQuery(parameter, f"{text!r} has more digits than {column} can hold.")
    return plain
