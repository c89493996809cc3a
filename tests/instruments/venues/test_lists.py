"""Lists of venues: every layout, what is wrong with some, and what loading them comes to."""

import csv
import datetime as dt
import io
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from lxml import etree

from instruments.models import Venue
from instruments.venues import load
from instruments.venues.errors import BadVenueList

pytestmark = pytest.mark.django_db

PUBLISHED = list(csv.DictReader(io.StringIO(load.BUNDLED.read_text(encoding="utf-8"))))
COLUMNS = {
    "MIC": "mic",
    "OPERATING MIC": "operating_mic",
    "OPRT/SGMT": "kind",
    "MARKET NAME-INSTITUTION DESCRIPTION": "name",
    "LEGAL ENTITY NAME": "legal_entity_name",
    "LEI": "lei",
    "MARKET CATEGORY CODE": "category",
    "ACRONYM": "acronym",
    "ISO COUNTRY CODE (ISO 3166)": "country",
    "CITY": "city",
    "WEBSITE": "website",
    "STATUS": "status",
    "CREATION DATE": "created_on",
    "LAST UPDATE DATE": "updated_on",
    "LAST VALIDATION DATE": "validated_on",
    "EXPIRY DATE": "expires_on",
    "COMMENTS": "comments",
}
OLD_HEADER = (
    "COUNTRY,ISO COUNTRY CODE (ISO 3166),MIC,OPERATING MIC,O/S,NAME-INSTITUTION DESCRIPTION,"
    "ACRONYM,CITY,WEBSITE,STATUS DATE,STATUS,CREATION DATE,COMMENTS\r\n"
)
OLD_ROWS = (
    'GERMANY,DE,XETR,XETR,O,XETRA,,FRANKFURT,WWW.XETRA.COM,BEFORE JUNE 2005,ACTIVE,JUNE 2005,"A, B"\r\n'
    "ÅLAND ISLANDS,AX,OLD1,XETR,S,GONE MARKET,,MARIEHAMN,,MAY 2017,DELETED,MARCH 2013,\r\n"
)


def as_csv(rows: list[dict[str, str]], encoding: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def as_xml(rows: list[dict[str, str]]) -> bytes:
    """As the database of ISO's registrar exports it."""

    def escaped(name: str) -> str:
        return re.sub(r"[^A-Z0-9a-z-]", lambda match: f"_x{ord(match[0]):04X}_", name)

    root = etree.Element("dataroot", generated="2025-08-11T09:00:00")
    for row in rows:
        element = etree.SubElement(root, "ISO10383_MIC")
        for name, text in row.items():
            if text:
                etree.SubElement(element, escaped(name)).text = text
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def stored() -> list[Any]:
    return list(Venue.objects.order_by("pk").values())


def test_every_column_of_the_bundled_list_is_in_the_table() -> None:
    counts = load.load(load.BUNDLED.read_bytes(), name="bundled")

    assert (counts.read, counts.new, counts.problems) == (len(PUBLISHED), len(PUBLISHED), [])
    rows = Venue.objects.in_bulk()
    for published in PUBLISHED:
        row = rows[published["MIC"]]
        for column, field in COLUMNS.items():
            value = getattr(row, field)
            text = f"{value:%Y%m%d}" if isinstance(value, dt.date) else value or ""
            assert text == published[column].strip(), (published["MIC"], column)
    assert Counter(row.status for row in rows.values())["EXPIRED"] == 511


def test_every_layout_comes_to_the_same_rows() -> None:
    rows = [row for row in PUBLISHED if "É" in row["CITY"] or row["MIC"] in ("XETR", "XPAR")]
    rows += random.Random(4).sample(PUBLISHED, 100)
    rows = list({row["MIC"]: row for row in rows}.values())
    accented = {**rows[0], "COMMENTS": "SOCIÉTÉ “X” €"}
    rows[0] = accented
    states = []
    for content in (
        as_csv(rows, "utf-8"),
        as_csv(rows, "utf-8-sig"),
        as_csv(rows, "cp1252"),
        as_xml(rows),
    ):
        Venue.objects.all().delete()
        counts = load.load(content, name="list")
        assert (counts.new, counts.problems) == (len(rows), [])
        states.append(stored())

    assert states[0] == states[1] == states[2] == states[3]
    assert Venue.objects.get(pk=accented["MIC"]).comments == accented["COMMENTS"]


def test_lists_of_thirteen_columns_are_read_and_their_months_kept() -> None:
    for encoding in ("utf-8", "cp1252"):
        Venue.objects.all().delete()
        counts = load.load((OLD_HEADER + OLD_ROWS).encode(encoding), name="old")

        assert (counts.new, counts.problems) == (2, [])
        venue = Venue.objects.get(pk="OLD1")
        assert (venue.kind, venue.operating_mic, venue.country) == ("SGMT", "XETR", "AX")
        assert (venue.status, venue.created_on, venue.updated_on) == ("DELETED", None, None)
        assert venue.months == "created: MARCH 2013; updated: MAY 2017"
        assert (
            Venue.objects.get(pk="XETR").months == "created: JUNE 2005; updated: BEFORE JUNE 2005"
        )


def test_a_list_loaded_twice_changes_nothing_and_an_older_one_adds_only() -> None:
    content = load.BUNDLED.read_bytes()
    load.load(content, name="new")
    before = stored()

    again = load.load(content, name="new")
    older = load.load((OLD_HEADER + OLD_ROWS).encode(), name="old")

    assert (again.unchanged, again.new, again.changed) == (len(PUBLISHED), 0, 0)
    assert (older.new, older.older, older.changed) == (1, 1, 0)
    assert [row for row in stored() if row["mic"] != "OLD1"] == before


def test_a_row_validated_earlier_does_not_replace_a_newer_one() -> None:
    """A list of last month may have the newer date of update, and yet be the older list."""
    newer = {**PUBLISHED[0], "LAST UPDATE DATE": "20240101", "LAST VALIDATION DATE": "20250811"}
    older = {
        **newer,
        "LAST VALIDATION DATE": "20240301",
        "LAST UPDATE DATE": "20240301",
        "CITY": "OLD",
    }
    load.load(as_csv([newer], "utf-8"), name="newer")

    counts = load.load(as_csv([older], "utf-8"), name="older")

    assert (counts.older, counts.changed) == (1, 0)
    assert Venue.objects.get().city == newer["CITY"]


def test_months_as_spreadsheets_write_them_are_read() -> None:
    content = OLD_HEADER + OLD_ROWS.replace("MAY 2017", "Nov-16").replace("MARCH 2013", "Mar-13")

    counts = load.load(content.encode(), name="old")

    assert (counts.new, counts.problems) == (2, [])
    assert Venue.objects.get(pk="OLD1").months == "created: Mar-13; updated: Nov-16"
    later = content.replace("Nov-16", "Dec-16").replace("GONE", "LATER")
    earlier = content.replace("Nov-16", "Oct-16").replace("GONE", "EARLIER")
    assert load.load(later.encode(), name="later").changed == 1
    assert load.load(earlier.encode(), name="earlier").older == 1
    assert Venue.objects.get(pk="OLD1").name == "LATER MARKET"


def test_a_list_of_which_most_rows_cannot_be_read_is_refused_whole() -> None:
    rows = [{**row, "CREATION DATE": "13/25/2016"} for row in PUBLISHED[:50]]

    with pytest.raises(BadVenueList, match="50 of 51 rows cannot be read"):
        load.load(as_csv([*rows, PUBLISHED[50]], "utf-8"), name="list")

    assert not Venue.objects.exists()


def test_a_newer_row_replaces_an_older_one_and_a_missing_one_stays() -> None:
    load.load((OLD_HEADER + OLD_ROWS).encode(), name="old")

    counts = load.load(load.BUNDLED.read_bytes(), name="new")

    assert (counts.changed, counts.new) == (1, len(PUBLISHED) - 1)
    assert Venue.objects.get(pk="XETR").created_on is not None
    assert Venue.objects.filter(pk="OLD1").exists()


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("MIC", "XETRA", "mic: 'XETRA' does not match"),
        ("MIC", "", "mic: '' does not match"),
        ("LEI", "529900T8BM49AURSDO56", "is not a LEI"),
        ("ISO COUNTRY CODE (ISO 3166)", "Germany", "country: 'Germany'"),
        ("STATUS", "MAYBE", "status: 'MAYBE'"),
        ("OPRT/SGMT", "X", "kind: 'X'"),
        ("CREATION DATE", "20250230", "created_on: '20250230' is not a date"),
        ("CREATION DATE", "20250228x", "created_on: '20250228x' is not a date"),
        ("ACRONYM", "A" * 101, "acronym: longer than 100"),
    ],
)
def test_a_bad_row_is_left_out_and_named(column: str, text: str, message: str) -> None:
    rows = [{**PUBLISHED[0]}, {**PUBLISHED[1], column: text}, {**PUBLISHED[2]}]

    counts = load.load(as_csv(rows, "utf-8"), name="list")

    [problem] = counts.problems
    assert problem.startswith("line 3: ")
    assert message in problem
    assert (counts.read, counts.new) == (3, 2)


def test_a_row_of_another_length_is_left_out_and_the_rest_is_loaded() -> None:
    content = as_csv(PUBLISHED[:2], "utf-8") + b'"XXXX","too","short"\r\n'

    counts = load.load(content, name="list")

    assert (counts.new, counts.problems) == (2, ["line 4: has 3 fields, the header 17"])


def test_a_mic_twice_is_a_problem_of_the_second() -> None:
    counts = load.load(as_csv([PUBLISHED[0], PUBLISHED[0]], "utf-8"), name="list")

    assert counts.problems == [f"line 3: mic: {PUBLISHED[0]['MIC']} occurs twice"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks the columns country"),
        (b"a,b\r\n1,2\r\n", "'A' is not a column of an ISO 10383 list"),
        (OLD_HEADER.encode(), "contains no venue"),
        (OLD_HEADER.encode() + b"only,three,fields\r\n", "line 2: has 3 fields, the header 13"),
        (OLD_HEADER.encode() + b'"open', "line 2"),
        (OLD_HEADER.encode() + b"\x81\x8d,", "neither UTF-8 nor Windows-1252"),
        (b"<dataroot><row><MIC>XETR</MIC></row>", "list: "),
        (b"<dataroot><row><MIC>XETR</MIC></row></dataroot>", "row 1: lacks the columns country"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x><r><MIC>&a;</MIC></r></x>', "document type"),
        (b"<html><body><p>Sorry</p></body></html>", "'P' is not a column of an ISO 10383 list"),
    ],
)
def test_a_file_that_is_not_a_list_is_refused_whole(content: bytes, message: str) -> None:
    with pytest.raises(BadVenueList, match=re.escape(message)):
        load.load(content, name="list")

    assert not Venue.objects.exists()


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no such file"):
        call_command("load_venues", tmp_path / "nothing.csv")
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(load.MAX_BYTES + 1)
    with pytest.raises(CommandError, match="larger than"):
        call_command("load_venues", large)
