"""The layouts of ISO 10383 lists: CSV or XML, with 17 columns or the 13 used until 2022.

The CSV as published is encoded in Windows-1252, copies often in UTF-8. The XML is an export of the same
table: one child of the root for each row, with names of columns as elements (`OPERATING_x0020_MIC`).
The 13 columns include the name of the country, which is ignored because its code is there too, `O` and `S`
for the kind of MIC, and months instead of dates (`JUNE 2005`).
"""

import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Mapping

from lxml import etree

from instruments.venues.errors import BadVenueList
from marketdata.common.numbers import format_count

# The columns of both layouts, each with its field of `Venue`; "" is ignored.
_FIELDS = {
    "MIC": "mic",
    "OPERATING MIC": "operating_mic",
    "OPRT/SGMT": "kind",
    "O/S": "kind",
    "MARKET NAME-INSTITUTION DESCRIPTION": "name",
    "NAME-INSTITUTION DESCRIPTION": "name",
    "LEGAL ENTITY NAME": "legal_entity_name",
    "LEI": "lei",
    "MARKET CATEGORY CODE": "category",
    "ACRONYM": "acronym",
    "ISO COUNTRY CODE (ISO 3166)": "country",
    "CITY": "city",
    "WEBSITE": "website",
    "STATUS": "status",
    "STATUS DATE": "updated_on",
    "CREATION DATE": "created_on",
    "LAST UPDATE DATE": "updated_on",
    "LAST VALIDATION DATE": "validated_on",
    "EXPIRY DATE": "expires_on",
    "COMMENTS": "comments",
    "COUNTRY": "",
}
_NEEDED = {"mic", "operating_mic", "kind", "name", "country", "status"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a list: its place in the file, and its texts by field, without spaces around them.

    `problem` is the reason why the fields cannot be told apart; "" where they can.
    """

    place: str
    texts: Mapping[str, str]
    problem: str = ""


def rows(content: bytes, *, name: str) -> Iterator[Row]:
    """Yield the rows of a list that is called `name` in errors. Raises BadVenueList."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _xml(content, name)
    return _csv(_text(content, name), name)


def _text(content: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadVenueList(f"{name}: neither UTF-8 nor Windows-1252")


def _csv(text: str, name: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().upper() for column in next(reader, [])]
        fields = [_field(column, name) for column in header]
        if missing := _missing(set(fields)):
            raise BadVenueList(f"{name}: not an ISO 10383 list: {missing}")
        for row in reader:
            if not any(row):
                continue
            if len(row) != len(fields):
                problem = f"has {format_count(len(row), 'field')}, the header {len(fields)}"
                yield Row(f"line {reader.line_num}", {}, problem)
                continue
            texts = {f: text.strip() for f, text in zip(fields, row, strict=True) if f}
            yield Row(f"line {reader.line_num}", texts)
    except csv.Error as error:
        raise BadVenueList(f"{name}: line {reader.line_num}: {error}") from error


def _xml(content: bytes, name: str) -> Iterator[Row]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise BadVenueList(f"{name}: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadVenueList(f"{name}: the XML has a document type declaration")
    for number, element in enumerate(root.iterchildren(etree.Element), start=1):
        texts = {}
        for child in element.iterchildren(etree.Element):
            if field := _field(_unescaped(etree.QName(child).localname), name):
                texts[field] = (child.text or "").strip()
        yield Row(f"row {number}", texts, _missing(set(texts)))


def _unescaped(tag: str) -> str:
    """Return the name of a column: the export writes `OPRT/SGMT` as `OPRT_x002F_SGMT`."""
    column = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), tag)
    return column.replace("_", " ").upper()


def _field(column: str, name: str) -> str:
    if column not in _FIELDS:
        raise BadVenueList(f"{name}: {column!r} is not a column of an ISO 10383 list")
    return _FIELDS[column]


def _missing(fields: set[str]) -> str:
    """Return the required columns that are missing, in words; "" where none is."""
    missing = sorted(_NEEDED - fields)
    return f"lacks the columns {', '.join(missing)}" if missing else ""
