"""Output profiles: columns by choice, inherited and in versions, for lists and exports."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Event
from instruments.listings.export import FIELDS
from instruments.models import Instrument, OutputProfile
from instruments.profiles import saving, shapes
from instruments.profiles.admin import ProfileForm
from instruments.profiles.formats import get_formatter
from marketdata.common.errors import InvalidQuery, WrongState
from tests.accounts.clients import make_user

BOND, ROOT = "DE000A1R07V3", "/api/v1"
VENDOR = {
    "title": "The layout of a vendor",
    "columns": [
        {"name": "ID", "field": "isin"},
        {"name": "Maturity", "field": "maturity_date", "format": "DD.MM.YYYY"},
        {"name": "Coupon", "field": "fixed_rate", "format": "0.000"},
        {"name": "Source", "value": "MarketData & co."},
    ],
}
CHILD = {
    "parent": "vendor",
    "omitted": ["Source"],
    "columns": [{"name": "Maturity", "field": "maturity_date", "format": "YYYYMMDD"}, "cfi_code"],
}
needs_instruments = pytest.mark.usefixtures("real_instruments")


@pytest.fixture
def analyst(db: None) -> Client:
    client = Client()
    client.force_login(make_user("ana", "analyst"))
    return client


def put(client: Client, name: str, body: Any) -> Any:
    return client.put(f"{ROOT}/profiles/{name}/", json.dumps(body), "application/json")


@needs_instruments
def test_lists_and_exports_have_the_columns_of_a_profile(analyst: Client) -> None:
    saved = put(analyst, "vendor", VENDOR)
    assert saved.status_code == 201, saved.content
    assert saved.json()["version"] == 1
    assert put(analyst, "child", CHILD).json()["parent"] == "vendor@1"
    bond = Instrument.objects.get(pk=BOND)
    query = {"isin": BOND}

    page = analyst.get(f"{ROOT}/profiles/vendor/rows/", query).json()
    child = analyst.get(f"{ROOT}/profiles/child/rows/", query).json()["results"]
    exported = analyst.get(f"{ROOT}/instruments/export/", {**query, "profile": "vendor"})
    texts = {
        form: analyst.get(f"{ROOT}/profiles/vendor/rows/", {**query, "file": form}).content
        for form in ("csv", "xml")
    }

    row = {"ID": BOND, "Maturity": "15.01.2021", "Coupon": "1.625", "Source": "MarketData & co."}
    assert page["results"] == [row]
    assert page["pagination"]["total"] == 1
    day = row["Maturity"]
    compact = f"{day[6:]}{day[3:5]}{day[:2]}"
    assert child == [
        {"ID": BOND, "Maturity": compact, "Coupon": row["Coupon"], "cfi_code": bond.cfi_code}
    ]
    text = b"".join(exported).decode()
    assert list(csv.DictReader(io.StringIO(text))) == [row]
    assert texts["csv"].decode() == text
    element = ET.fromstring(texts["xml"])[0]
    assert {cell.tag: cell.text for cell in element} == row
    assert element.tag == "instrument"


@needs_instruments
@pytest.mark.parametrize("rows", ["listings", "versions"])
def test_a_profile_of_listings_has_a_row_for_each(analyst: Client, rows: str) -> None:
    body = {"rows": rows, "columns": ["isin", "mic", {"name": "from", "field": "valid_from"}]}
    assert put(analyst, "places", body).status_code == 201

    page = analyst.get(f"{ROOT}/profiles/places/rows/", {"isin": BOND}).json()["results"]
    query = {"isin": BOND, "profile": "places", "file": "json"}
    exported = json.loads(b"".join(analyst.get(f"{ROOT}/instruments/export/", query)))

    assert page == exported
    assert len(page) > 1
    assert list(page[0]) == ["isin", "mic", "from"]


@needs_instruments
def test_pages_of_rows_lead_through_the_whole_list(analyst: Client) -> None:
    put(analyst, "vendor", VENDOR)
    address, isins = f"{ROOT}/profiles/vendor/rows/?category=D&per_page=7", []
    while address:
        answer = analyst.get(address).json()
        isins += [row["ID"] for row in answer["results"]]
        address = answer["pagination"]["next"]

    debt = Instrument.objects.filter(cfi_code__startswith="D")
    assert isins == sorted(debt.values_list("pk", flat=True))
    page = analyst.get(f"{ROOT}/profiles/vendor/rows/?category=D&per_page=7&file=csv")
    assert 'rel="next"' in page.headers["Link"]


@needs_instruments
@pytest.mark.parametrize("kind", ["instruments", "listings", "versions"])
@pytest.mark.parametrize("ordering", ["-isin", "-maturity_date"])
def test_rows_are_in_the_order_of_the_list(analyst: Client, kind: str, ordering: str) -> None:
    put(analyst, "codes", {"rows": kind, "columns": [{"name": "Code", "field": "isin"}]})
    query = {"category": "D", "ordering": ordering, "per_page": "100"}
    listed = analyst.get(f"{ROOT}/instruments/", query).json()["results"]

    address, codes = f"{ROOT}/profiles/codes/rows/?category=D&ordering={ordering}&per_page=7", []
    while address:
        answer = analyst.get(address).json()
        codes += [row["Code"] for row in answer["results"]]
        address = answer["pagination"]["next"]

    assert len(listed) > 14
    assert list(dict.fromkeys(codes)) == [row["isin"] for row in listed]
    refused = analyst.get(f"{ROOT}/profiles/codes/rows/", {"ordering": "name"})
    assert "Choose one of: isin, -isin" in refused.json()["errors"]["ordering"][0]


def test_a_change_is_a_new_version_and_old_ones_stay(analyst: Client) -> None:
    put(analyst, "vendor", VENDOR)
    put(analyst, "child", CHILD)
    second = put(analyst, "vendor", {"columns": ["isin"]})

    assert second.headers["Location"].endswith("/profiles/vendor@2/")
    columns = analyst.get(f"{ROOT}/profiles/vendor/").json()["all_columns"]
    assert columns == [{"name": "isin", "field": "isin"}]
    first = analyst.get(f"{ROOT}/profiles/vendor@1/").json()
    assert first["columns"] == VENDOR["columns"]
    child = analyst.get(f"{ROOT}/profiles/child/").json()
    assert [column["name"] for column in child["all_columns"]] == [
        *("ID", "Maturity", "Coupon", "cfi_code")
    ]
    listed = analyst.get(f"{ROOT}/profiles/").json()["results"]
    assert [(row["name"], row["version"]) for row in listed] == [("child", 1), ("vendor", 2)]
    assert Event.objects.filter(action="profile.save").count() == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"columns": []}, "1 to 200 columns"),
        ({"columns": ["isn"]}, "Did you mean 'isin'?"),
        ({"rows": "listings", "columns": ["listing_count"]}, "listings have no field"),
        ({"columns": ["isin", "isin"]}, "Two columns have the name 'isin'"),
        ({"columns": [{"name": "a b", "field": "isin"}]}, "'a b'"),
        ({"columns": [{"name": "a"}]}, "either `field` or `value`"),
        ({"columns": [{"name": "a", "value": "b\u0000"}]}, "printable"),
        ({"columns": [{"name": "a", "value": "b", "format": "upper"}]}, "no format"),
        ({"columns": [{"name": "a", "field": "isin", "format": "0.00"}]}, "upper, lower"),
        ({"columns": [{"name": "a", "field": "fixed_rate", "format": "%s"}]}, "decimal places"),
        ({"columns": [{"name": "a", "field": "listing_count", "format": "0"}]}, "Whole numbers"),
        ({"columns": [{"field": "isin", "color": "red"}]}, "Unknown key 'color'"),
        ({"columns": ["isin", 7]}, "columns.1: A column is the name of a field, or an object"),
        ({"columns": ["isin"], "rows": "bonds"}, "not a valid choice"),
        ({"columns": ["isin"], "parent": "nobody"}, "There is no profile nobody"),
        ({"columns": ["isin"], "omitted": ["a"]}, "no column 'a'"),
        ({"columns": ["isin"], "colour": "red"}, "Unknown field 'colour'"),
    ],
)
def test_a_profile_is_checked_when_it_is_saved(
    analyst: Client, body: dict[str, Any], message: str
) -> None:
    response = put(analyst, "vendor", body)

    assert response.status_code == 400, response.content
    assert message in response.json()["detail"]
    assert not OutputProfile.objects.exists()


def test_profiles_belong_to_their_users(analyst: Client) -> None:
    put(analyst, "vendor", VENDOR)
    put(analyst, "child", CHILD)
    clients = {}
    for role in ("viewer", "analyst", "curator"):
        clients[role] = Client()
        clients[role].force_login(make_user(f"other-{role}", role))

    assert clients["viewer"].get(f"{ROOT}/profiles/vendor/").status_code == 200
    assert put(clients["viewer"], "mine", VENDOR).status_code == 403
    assert put(clients["analyst"], "vendor", VENDOR).status_code == 403
    assert clients["analyst"].delete(f"{ROOT}/profiles/vendor/").status_code == 403
    assert put(clients["curator"], "vendor", VENDOR).status_code == 201
    assert set(OutputProfile.objects.values_list("created_by", flat=True)) == {"ana"}
    conflict = analyst.delete(f"{ROOT}/profiles/vendor/")
    assert conflict.status_code == 409
    assert "child@1 inherits from vendor" in conflict.json()["detail"]
    assert analyst.delete(f"{ROOT}/profiles/child/").status_code == 204
    assert analyst.delete(f"{ROOT}/profiles/vendor/").status_code == 204
    assert not OutputProfile.objects.exists()


def test_inheritance_has_no_circle_and_a_greatest_depth(db: None) -> None:
    saving.save("p0", {"columns": ["isin"]}, by="ana")
    for number in range(1, shapes.MAX_DEPTH):
        saving.save(f"p{number}", {"parent": f"p{number - 1}"}, by="ana")

    with pytest.raises(InvalidQuery, match="inherit from each other"):
        saving.save("deep", {"parent": f"p{shapes.MAX_DEPTH - 1}"}, by="ana")
    with pytest.raises(InvalidQuery, match="inherit from itself"):
        saving.save("p0", {"parent": "p1"}, by="ana")
    with pytest.raises(InvalidQuery, match="rows of instruments"):
        saving.save("q", {"parent": "p0", "rows": "listings"}, by="ana")
    with pytest.raises(WrongState, match="p1@1 inherits"):
        saving.delete("p0", by="ana")


@needs_instruments
def test_the_commands_save_a_profile_and_export_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, parquet = tmp_path / "vendor.json", tmp_path / "bonds.parquet"
    layout.write_text(json.dumps(VENDOR))

    call_command("profiles", "save", "vendor", layout)
    call_command("export", str(parquet), "--profile", "vendor", "--isin", BOND)
    call_command("profiles", "list", "--format", "json")

    assert '"profile": "vendor@1"' in capsys.readouterr().out
    table = pq.read_table(parquet)
    assert table.column_names == ["ID", "Maturity", "Coupon", "Source"]
    assert table.schema.field("Maturity").type == pa.string()
    with pytest.raises(CommandError, match="pass it alone"):
        call_command("export", str(parquet), "--profile", "vendor", "--fields", "isin")
    with pytest.raises(CommandError, match="There is no profile other"):
        call_command("export", str(parquet), "--profile", "other")
    call_command("profiles", "delete", "vendor")
    assert not OutputProfile.objects.exists()


@pytest.mark.usefixtures("db")
def test_the_admin_saves_and_deletes_profiles(admin_client: Client) -> None:
    form = {"name": "vendor", "columns": json.dumps(VENDOR["columns"]), "omitted": "[]"}

    wrong = admin_client.post(
        "/admin/instruments/outputprofile/add/", {**form, "columns": '["isn"]'}
    )
    assert b"Did you mean" in wrong.content
    checked = type("CheckedForm", (ProfileForm,), {"author": {"by": "admin"}})(form)
    assert checked.is_valid()
    assert not OutputProfile.objects.exists()  # a form that is only checked saves nothing
    admin_client.post("/admin/instruments/outputprofile/add/", form)
    profile = OutputProfile.objects.get()
    assert (str(profile), profile.columns) == ("vendor@1", VENDOR["columns"])
    shown = admin_client.get("/admin/instruments/outputprofile/").content.decode()
    assert "vendor" in shown
    page = admin_client.get(f"/admin/instruments/outputprofile/{profile.pk}/change/")
    assert "DD.MM.YYYY" in page.content.decode()
    admin_client.post(f"/admin/instruments/outputprofile/{profile.pk}/delete/", {"post": "yes"})
    assert not OutputProfile.objects.exists()


@pytest.mark.usefixtures("db")
def test_the_admin_shows_a_problem_at_its_field() -> None:
    form = {"name": "vendor", "columns": '["isin"]', "omitted": "[]", "inherits_from": "nobody"}
    checked = type("CheckedForm", (ProfileForm,), {"author": {"by": "admin"}})

    assert "nobody" in checked(form).errors["inherits_from"][0]
    unclear = {**form, "inherits_from": "", "columns": '["isin", {"x": "y"}]'}
    columns = checked(unclear).errors["columns"]
    assert columns[0].startswith("columns.1: ")


@given(st.decimals(-(10**18), 10**18, places=17), st.integers(0, 17))
def test_decimals_are_rounded_to_their_places(value: Decimal, places: int) -> None:
    format_ = f"0.{'0' * places}" if places else "0"
    text = get_formatter(format_, "fixed_rate", pa.decimal128(35, 17))(value)

    assert abs(Decimal(text) - value) * 2 <= Decimal(1).scaleb(-places)
    assert len(text.partition(".")[2]) == places


@given(st.dates())
def test_days_keep_four_digits_of_the_year(day: dt.date) -> None:
    text = get_formatter("YYYYMMDD", "maturity_date", pa.date32())(day)

    assert text == day.isoformat().replace("-", "")


def test_every_field_can_be_a_column() -> None:
    for rows, fields in FIELDS.items():
        columns = shapes.parse_columns(list(fields))
        assert shapes.Shape(rows, columns).target.columns == fields
