"""Tables imported from CSV and XLSX files: tried first, then committed, with the fate of every row."""

import base64
import contextlib
import datetime as dt
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Event
from curation.importing import batches, files
from curation.importing.resources import ADDITION, TABLES
from curation.models import ImportBatch, WatchList
from curation.tasks import delete_old_imports
from instruments.models import Correction, Scope, Venue
from instruments.venues import load as venue_lists
from marketdata.common.errors import InvalidQuery, NotPermitted, WrongState
from tests.accounts.clients import client_of_new_user, make_user
from tests.curation.test_admin import sign_in
from tests.curation.test_problems import make_venue, record
from tests.instruments.listings.merging import VOLVO, Write, full, load
from tests.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "register,isin,mic,field,value,reason\n"
GOOD = f"ESMA,{VOLVO},,full_name,AB Volvo,Legal name\n"
BAD = "ESMA,SE0000115447,,full_name,AB Volvo,Legal name\n"


@pytest.fixture
def volvo(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA"), record(VOLVO, "BBBB"))


def make_xlsx(*rows: list[Any]) -> bytes:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def fates(batch: ImportBatch) -> list[str]:
    return [row["outcome"] for row in batch.report]


@pytest.mark.usefixtures("volvo")
def test_a_try_changes_nothing_and_a_commit_imports_the_valid_rows() -> None:
    content = f"{HEADER}{GOOD}{BAD}{GOOD}".encode()

    batch = batches.try_import("corrections", content, name="table.csv", by="ann")

    assert fates(batch) == ["new", "invalid", "invalid"]
    assert batch.report[0]["changes"] == {"full_name": ["VOLVO AB", "AB Volvo"]}
    assert "the check digit is 7" in batch.report[1]["problems"][0]
    assert "of the same value is proposed" in batch.report[2]["problems"][0]
    assert not Correction.objects.exists()
    assert not Event.objects.filter(action__startswith="cur").exists()

    batches.commit(batch, by="carl")

    assert fates(batch) == ["new", "invalid", "invalid"]
    correction = Correction.objects.get()
    assert (correction.state, correction.value, correction.proposed_by) == (
        "proposed",
        "AB Volvo",
        "carl",
    )
    assert Event.objects.filter(action="curation.imported", new__new=1).count() == 1
    assert Event.objects.get(action="correction.proposed").actor == "carl"
    with pytest.raises(WrongState, match="committed already"):
        batches.commit(batch, by="carl")


@pytest.mark.usefixtures("volvo")
def test_an_xlsx_file_is_the_same_as_a_csv_file(tmp_path: Path) -> None:
    header = [*HEADER.strip().split(","), "valid_to"]
    row: list[Any] = ["ESMA", VOLVO, None, "full_name", "AB Volvo", "Legal name"]
    path = tmp_path / "table.xlsx"
    path.write_bytes(make_xlsx(header, [*row, "2199-12-31"]))

    out = io.StringIO()
    call_command("curation_tables", "import", "corrections", str(path), stdout=out)
    assert "Nothing was changed." in out.getvalue()
    call_command(
        "curation_tables",
        "import",
        "corrections",
        str(path),
        "--commit",
        "--format=json",
        stdout=out,
    )

    assert Correction.objects.filter(valid_to="2199-12-31").count() == 1
    for ending in ("csv", "xlsx"):
        exported = tmp_path / f"out.{ending}"
        call_command("curation_tables", "export", "corrections", str(exported), stdout=out)
        [read] = files.read_table(exported.read_bytes(), name=exported.name)
        assert (read["isin"], read["value"], read["state"]) == (VOLVO, "AB Volvo", "proposed")
    events = Event.objects.filter(action="curation.exported")
    assert [event.new for event in events.order_by("pk")] == [
        {"kind": "corrections", "file": "csv"},
        {"kind": "corrections", "file": "xlsx"},
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no row"),
        (b"register,isin\n", "no row below"),
        (b"register,register\na,b\n", "a name of its own"),
        (b"a,b\n1,2,3\n", "more cells than the first row"),
        (b"\xff\xfe\x00", "it is not text in UTF-8"),
        (b"PK\x03\x04 no zip", "cannot be read"),
        (b"x" * (files.MAX_BYTES + 1), "more than 700,000"),
        (b"a\n" + b"1\n" * 1_001, "more than 1,000 rows"),
        (b"a\n" + b"1" * 5_001, "a cell of more than 5,000"),
    ],
)
def test_a_file_that_is_no_table_or_too_large_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        files.read_table(content, name="table")


def rezip(content: bytes, change: Any) -> bytes:
    """Return a zip with the parts that `change` makes of each name and content."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target.getvalue()


def test_an_xlsx_file_that_unpacks_to_much_or_defines_entities_is_refused() -> None:
    content = make_xlsx(["a"], ["1"])
    bomb = rezip(content, lambda name, xml: xml + b" " * 5_000_000)
    entities = rezip(
        content, lambda name, xml: xml.replace(b"<worksheet", b"<!DOCTYPE x><worksheet")
    )

    assert files.read_table(content, name="table") == [{"a": "1"}]
    assert len(bomb) < files.MAX_BYTES
    with pytest.raises(InvalidQuery, match="it unpacks to"):
        files.read_table(bomb, name="table")
    with pytest.raises(InvalidQuery, match="is not that of a spreadsheet"):
        files.read_table(entities, name="table")


@pytest.mark.parametrize(
    ("part", "place", "tag"),
    [
        ("xl/styles.xml", b"</cellXfs>", b"<xf/>"),
        ("xl/workbook.xml", b"</sheets>", b"<sheet/>"),
        ("xl/worksheets/sheet1.xml", b"</row>", b"<c/>"),
    ],
)
def test_an_xlsx_file_of_too_many_tags_is_refused(part: str, place: bytes, tag: bytes) -> None:
    """A file of 33 KB with 3.8 million formats of cells took a minute and 2 GB."""
    number = 500_001 if "sheet1" in part else 50_001
    content = make_xlsx(["a"], ["1"])
    many = rezip(
        content,
        lambda name, xml: xml.replace(place, tag * number + place, 1) if name == part else xml,
    )

    assert len(many) < 20_000
    with pytest.raises(InvalidQuery, match=rf"its part '{part}' has 5\d\d?,\d\d\d tags, more than"):
        files.read_table(many, name="table")


def test_the_largest_table_is_read() -> None:
    header = [f"c{column}" for column in range(50)]
    rows = [[f"{row} {column}" for column in range(50)] for row in range(files.MAX_ROWS)]

    content = files.write_table(header, rows, format_="xlsx")

    assert len(files.read_table(content, name="table")) == files.MAX_ROWS


def test_a_table_with_other_columns_is_refused() -> None:
    for content, problem in (
        (b"register,isin,feld\nESMA,x,y\n", "Unknown column 'feld'"),
        (b"register,isin\nESMA,x\n", "The column 'field' is missing"),
    ):
        with pytest.raises(InvalidQuery, match=problem):
            batches.try_import("corrections", content, name="table", by="ann")


def test_a_venue_is_added_until_the_list_has_it(tmp_path: Path) -> None:
    make_venue("XSTO")
    table = (
        "mic,name,country,lei,comments\n"
        "QQQQ,A NEW VENUE,se,,Seen in the prospectus\n"
        "XSTO,NASDAQ,SE,,No\nQQ,X,SE,,No\nQQQR,X,SE,123,No\nQQQS,X,SE,,\n"
    )

    batch = batches.try_import("venues", table.encode(), name="venues.csv", by="carl")
    batches.commit(batch, by="carl")

    assert fates(batch) == ["new", "invalid", "invalid", "invalid", "invalid"]
    assert [row["problems"][0].partition(":")[0] for row in batch.report[1:]] == [
        "mic",
        "mic",
        "lei",
        "comments",
    ]
    venue = Venue.objects.get(pk="QQQQ")
    assert venue.comments == f"{ADDITION}Seen in the prospectus"
    assert (venue.kind, venue.country) == ("OPRT", "SE")
    exported = batches.export_table("venues", "csv")
    again = batches.try_import("venues", exported, name="venues.csv", by="carl")
    assert fates(again) == ["skip"]
    changed = exported.replace(b"A NEW VENUE", b"A RENAMED VENUE")
    renamed = batches.try_import("venues", changed, name="venues.csv", by="carl")
    assert renamed.report[0]["changes"] == {"name": ["A NEW VENUE", "A RENAMED VENUE"]}

    listed = venue_lists.BUNDLED.read_text(encoding="latin-1").splitlines()
    row = next(line for line in listed if "XSTO" in line[:6]).replace("XSTO", "QQQQ")
    venue_lists.load("\n".join([listed[0], row]).encode("latin-1"), name="list")
    assert not Venue.objects.get(pk="QQQQ").comments.startswith(ADDITION)
    assert batches.export_table("venues", "csv").count(b"\n") == 1


def test_a_scope_is_set_by_a_table() -> None:
    table = (
        b"register,categories,authorities,venues,isins\nESMA,E D,SE,,\nFCA,,,,\nX,,,,\nESMA,9,,,\n"
    )

    batch = batches.try_import("scope", table, name="scope.csv", by="carl")
    assert not Scope.objects.exists()
    batches.commit(batch, by="carl")

    assert fates(batch) == ["update", "skip", "invalid", "invalid"]
    assert batch.report[0]["changes"] == {"categories": ["", "D E"], "authorities": ["", "SE"]}
    assert Scope.objects.get().categories == ["D", "E"]
    assert b"ESMA,D E,SE,," in batches.export_table("scope", "csv")


def test_the_own_watch_lists_are_imported(make_zip: Write) -> None:
    load(make_zip, full(2), record(VOLVO, "AAAA"))
    table = f"name,isins,filter,by_mail\nMine,{VOLVO},,true\nBonds,,category=D,\nNo,,,\n".encode()

    batch = batches.try_import("lists", table, name="lists.csv", by="ann")
    batches.commit(batch, by="ann")

    assert fates(batch) == ["new", "new", "invalid"]
    assert WatchList.objects.get(name="Mine").isins == [VOLVO]
    exported = batches.export_table("lists", "csv", by="ann")
    assert fates(batches.try_import("lists", exported, name="x", by="ann")) == ["skip", "skip"]
    assert fates(batches.try_import("lists", exported, name="x", by="carl")) == ["new", "new"]
    assert batches.export_table("lists", "csv", by="carl").count(b"\n") == 1


def test_every_table_is_a_choice() -> None:
    assert [kind for kind, _ in ImportBatch.KINDS] == list(TABLES)


@pytest.mark.usefixtures("volvo")
def test_the_api_tries_and_commits_what_the_roles_permit() -> None:
    ann = client_of_new_user("ann", "analyst")
    body = {"kind": "corrections", "file_name": "table.csv", "content": HEADER + GOOD + BAD}

    tried = ann("post", "/curation/imports/", body)

    assert tried.status_code == 201, tried.content
    number = tried.json()["number"]
    assert tried.json()["counts"] == {"new": 1, "invalid": 1}
    assert ann("get", f"/curation/imports/{number}/").json() == tried.json()
    committed = ann("post", f"/curation/imports/{number}/commit/").json()
    assert committed["committed_by"] == "ann"
    assert Correction.objects.get().proposed_by == "ann"
    assert ann("post", f"/curation/imports/{number}/commit/").status_code == 409
    encoded = base64.b64encode(make_xlsx(["register"], ["ESMA"])).decode()
    refused = ann("post", "/curation/imports/", {"kind": "scope", "content_base64": encoded})
    assert refused.status_code == 403
    assert ann("post", "/curation/imports/", {"kind": "scope"}).status_code == 400
    exported = ann("get", "/curation/exports/corrections/", {"file": "xlsx"})
    [row] = files.read_table(exported.content, name="out.xlsx")
    assert row["value"] == "AB Volvo"
    assert ann("get", "/curation/exports/nothing/").status_code == 404
    viewer = client_of_new_user("vera")
    assert viewer("post", "/curation/imports/", body).status_code == 403
    assert viewer("get", f"/curation/imports/{number}/").status_code == 403


@pytest.mark.usefixtures("volvo")
def test_an_import_in_the_admin_is_tried_and_committed() -> None:
    client = sign_in("carl")
    page = "/admin/curation/importbatch/"

    def send(content: bytes) -> Any:
        file = SimpleUploadedFile("table.csv", content)
        return client.post(f"{page}add/", {"kind": "corrections", "file": file}, follow=True)

    assert "no row below" in send(b"register\n").content.decode()
    tried = send(f"{HEADER}{GOOD}{BAD}".encode()).content.decode()
    assert "1 new, 1 invalid" in tried
    assert "VOLVO AB → AB Volvo" in tried
    assert not Correction.objects.exists()
    number = ImportBatch.objects.get().pk
    committed = client.post(f"{page}{number}/commit/", follow=True).content.decode()
    assert "Committed: 1 new, 1 invalid." in committed
    assert Correction.objects.get().proposed_by == "carl"
    assert "1 new, 1 invalid" in client.get(page).content.decode()
    exported = client.get(f"{page}export/corrections/csv/").content.decode()
    assert "AB Volvo" in exported
    assert json.loads(json.dumps(ImportBatch.objects.get().rows))[0]["isin"] == VOLVO


def test_imports_of_watch_lists_are_those_of_their_owners_in_the_admin() -> None:
    """The name of a file may tell as much as its rows."""
    page = "/admin/curation/importbatch/"
    owner, other = sign_in("carl"), sign_in("cora")
    table = f"name,isins\nMine,{VOLVO}\n".encode()
    own = batches.try_import("lists", table, name="takeover.csv", by="carl")
    batches.try_import("corrections", f"{HEADER}{BAD}".encode(), name="shared.csv", by="carl")

    for client, is_shown in ((owner, True), (other, False)):
        shown = client.get(page).content.decode()
        assert ("takeover.csv" in shown) is is_shown
        assert "shared.csv" in shown
        record = client.get(f"{page}{own.pk}/change/")
        assert (record.status_code == 200) is is_shown
    other.post(f"{page}{own.pk}/commit/")
    assert not WatchList.objects.exists()


def test_a_table_is_imported_by_those_who_may() -> None:
    analyst = make_user("ann", "analyst")

    with pytest.raises(NotPermitted, match="scopes"):
        batches.try_import("scope", b"register\nESMA\n", name="x", by="ann", user=analyst)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [("A1048576", "more than 1,000 rows"), ("XFD2", "column XFD"), ("ZZ2", "more than 50 columns")],
)
def test_a_cell_far_away_is_refused_at_no_cost(cell: str, problem: str) -> None:
    """The rows and columns before it are not made up: a file of 5 KB took seconds, and longer."""
    book = openpyxl.Workbook()
    book.active["A1"], book.active[cell] = "isin", "x"
    content = io.BytesIO()
    book.save(content)

    with pytest.raises(InvalidQuery, match=problem):
        files.read_table(content.getvalue(), name="far.xlsx")


@pytest.mark.slow
@examples(500)
@given(st.data())
def test_a_damaged_workbook_is_refused_or_read(data: st.DataObject) -> None:
    with zipfile.ZipFile(io.BytesIO(make_xlsx(["isin", "mic"], ["SE0000115446", 1.5]))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(sorted(parts)))
    begin = data.draw(st.integers(0, len(parts[name])))
    end = begin + data.draw(st.integers(0, 12))
    text = data.draw(st.sampled_from([b"", b"0", b"<", b">", b"\xff", b' t="d"', b"NaN", b"1e400"]))
    parts[name] = parts[name][:begin] + text + parts[name][end:]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for part, xml in parts.items():
            archive.writestr(part, xml)

    with contextlib.suppress(InvalidQuery):
        assert files.read_table(content.getvalue(), name="damaged.xlsx")


def test_old_imports_are_deleted_by_night(settings: Any) -> None:
    content = b"register,categories\nESMA,D\n"
    old = batches.try_import("scope", content, name="old.csv", by="ann")
    new = batches.try_import("scope", content, name="new.csv", by="ann")
    ImportBatch.objects.filter(pk=old.pk).update(
        created_at=timezone.now() - dt.timedelta(days=settings.IMPORTS_KEEP_DAYS + 1)
    )

    delete_old_imports()

    assert list(ImportBatch.objects.values_list("pk", flat=True)) == [new.pk]


def test_the_newest_imports_of_a_user_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImportBatch, "KEPT_OF_USER", 2)
    content = b"register,categories\nESMA,D\n"
    other = batches.try_import("scope", content, name="other.csv", by="carl")
    made = [batches.try_import("scope", content, name="a.csv", by="ann").pk for _ in range(4)]

    assert set(ImportBatch.objects.values_list("pk", flat=True)) == {other.pk, *made[-2:]}
