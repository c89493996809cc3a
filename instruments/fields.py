"""The parts of a table of fields: one element or attribute, its column, and the type of its text.

`instruments/listings/fields.py` (FIRDS), `instruments/transparency/fields.py` (FITRS),
`instruments/volume_cap/fields.py` and `instruments/entities/fields.py` (GLEIF) are such tables.
"""

import dataclasses
import enum


class Type(enum.Enum):
    """The type that the text of an element is read as."""

    TEXT = "text"
    CODE = "code"  # text that must match a pattern
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "date and time"
    DECIMAL = "decimal"


@dataclasses.dataclass(frozen=True)
class Field:
    """One element or attribute of a record, and the column that holds it."""

    column: str
    path: str
    type: Type = Type.TEXT
    max_length: int = 0  # characters, of TEXT and CODE
    pattern: str = ""  # of CODE
    required: bool = False  # a record without it is rejected
    hashed: bool = True  # part of the fingerprint: two records that differ in it are different
    has_check_digits: bool = False  # of an LEI: a record with wrong ones is rejected


ISIN = "[A-Z]{2}[A-Z0-9]{9}[0-9]"
# ISO 17442: the check digits of an LEI are 02 to 98.
LEI = "[A-Z0-9]{18}(0[2-9]|[1-8][0-9]|9[0-8])"
MIC = "[A-Z0-9]{4}"
CURRENCY = "[A-Z]{3}"
# ISO 9362: business party prefix, country, party suffix, and a branch if any.
BIC = "[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?"
# Patterns in words, for the reasons why records are rejected.
FORMS = {
    ISIN: "an ISIN has two capital letters, nine capital letters or digits, and a digit",
    LEI: "an LEI has 18 capital letters or digits, and check digits from 02 to 98",
    MIC: "a MIC has four capital letters or digits",
    CURRENCY: "a currency code has three capital letters",
    BIC: "a BIC has 8 or 11 capital letters or digits, with the letters of a country from the fifth",
}
# A four-letter code of an ISO 20022 external list: the lists grow, so they are not checked.
CODE4 = "[A-Z0-9]{4}"


def isin(column: str, path: str) -> Field:
    return Field(column, path, Type.CODE, 12, ISIN)


def lei(column: str, path: str, *, required: bool = False, has_check_digits: bool = False) -> Field:
    return Field(
        column, path, Type.CODE, 20, LEI, required=required, has_check_digits=has_check_digits
    )


def mic(column: str, path: str) -> Field:
    return Field(column, path, Type.CODE, 4, MIC)


def currency(column: str, path: str) -> Field:
    return Field(column, path, Type.CODE, 3, CURRENCY)


def code4(column: str, path: str) -> Field:
    return Field(column, path, Type.CODE, 4, CODE4)


def dated(type_: Type, **columns: str) -> list[Field]:
    return [Field(column, path, type_) for column, path in columns.items()]


def period(column: str, path: str) -> list[Field]:
    """A period in one of its four forms: a day, from, to, or from and to."""
    columns = {"on": "Dt", "from": "FrDt", "to": "ToDt"}
    columns |= {"period_from": "FrDtToDt/FrDt", "period_to": "FrDtToDt/ToDt"}
    return [
        Field(f"{column}_{name}", f"{path}/{leaf}", Type.DATE) for name, leaf in columns.items()
    ]
