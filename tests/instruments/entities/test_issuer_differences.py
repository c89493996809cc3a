"""Issuers by GLEIF's ISIN-LEI file, compared with those of FIRDS: by API, page, command and file."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from instruments import tasks
from instruments.entities.mapped_issuers import select_differences
from instruments.models import Instrument, MappedIssuer, Venue
from tests import golden_copy, isin_lei
from tests.golden_copy import load, message, record
from tests.instruments.listings.test_plans import planned

pytestmark = pytest.mark.django_db(transaction=True)
DENTSU = "213800FERQ5LE3H7WJ58"


@pytest.fixture
def compared(real_instruments: None, tmp_path: Path) -> dict[str, Instrument]:
    """Instruments by the comparison that a loaded ISIN-LEI file leads to."""
    published = Instrument.objects.exclude(issuer_lei="")
    same, different, operator = published.filter(cfi_code__startswith="E").order_by("isin")[:3]
    future = published.filter(cfi_code__startswith="F").order_by("isin")[0]
    unpublished = Instrument.objects.filter(cfi_code__startswith="D").order_by("isin")[0]
    Instrument.objects.filter(pk=unpublished.pk).update(issuer_lei="")
    for row, category in ((operator, "MLTF"), (different, "SINT")):
        mic = f"XX{category[:2]}"
        Venue.objects.create(
            mic=mic, operating_mic=mic, name="A", category=category, lei=row.issuer_lei
        )
    content = {
        same.isin: same.issuer_lei,
        **{row.isin: DENTSU for row in (different, operator, future, unpublished)},
        "AT0000A00000": DENTSU,
    }
    path = isin_lei.put(tmp_path, isin_lei.table(content.items()))
    copy = golden_copy.put(
        tmp_path,
        golden_copy.name(),
        message(record(DENTSU, "Dentsu"), record(different.issuer_lei, "Published")),
    )
    load(path, copy)
    return {
        "same": same,
        "different": different,
        "operator": operator,
        "future": future,
        "not_published": unpublished,
    }


@pytest.mark.usefixtures("anonymous_reading")
def test_an_instrument_shows_the_issuer_by_gleif(
    client: Client, compared: dict[str, Instrument]
) -> None:
    answers = {
        name: client.get(f"/api/v1/instruments/{row.isin}/").json()["issuer_by_gleif"]
        for name, row in compared.items()
    }

    assert {name: answer["comparison"] for name, answer in answers.items()} == {
        "same": "same",
        "different": "different",
        "operator": "venue_operator",
        "future": "venue_operator",
        "not_published": "not_published",
    }
    assert answers["different"] == {
        "lei": DENTSU,
        "legal_name": "Dentsu",
        "comparison": "different",
        "note": "FIRDS publishes another LEI as that of the issuer.",
        "source_file": f"{isin_lei.name()}.zip",
        "published_on": "2026-08-10",
    }
    assert (answers["same"]["legal_name"], answers["same"]["note"]) == (None, None)
    other = Instrument.objects.exclude(pk__in=[row.pk for row in compared.values()])[0]
    assert client.get(f"/api/v1/instruments/{other.isin}/").json()["issuer_by_gleif"] is None

    page = client.get(f"/instruments/{compared['different'].isin}/").content.decode()
    assert "as the issuer of this ISIN. FIRDS publishes another LEI" in page
    assert (
        "as the issuer of this ISIN"
        not in client.get(f"/instruments/{compared['same'].isin}/").content.decode()
    )


@pytest.mark.usefixtures("anonymous_reading")
def test_a_newer_file_changes_the_answer_about_an_instrument(
    client: Client, compared: dict[str, Instrument], tmp_path: Path
) -> None:
    row = compared["different"]

    def issuer() -> Any:
        return client.get(f"/api/v1/instruments/{row.isin}/").json()["issuer_by_gleif"]

    assert issuer()["comparison"] == "different"
    agreeing = isin_lei.table([(row.isin, row.issuer_lei)])
    load(isin_lei.put(tmp_path, agreeing, day="20260811"))
    assert (issuer()["lei"], issuer()["comparison"]) == (row.issuer_lei, "same")


@pytest.mark.usefixtures("anonymous_reading")
def test_differences_are_listed_and_counted(
    client: Client, compared: dict[str, Instrument]
) -> None:
    def listed(**parameters: str) -> list[tuple[str, str]]:
        answer = client.get("/api/v1/issuer-differences/", parameters)
        assert answer.status_code == 200, answer.content
        return [(row["isin"], row["comparison"]) for row in answer.json()["results"]]

    different, operator = compared["different"].isin, compared["operator"].isin
    future = compared["future"].isin
    operators = [(isin, "venue_operator") for isin in sorted([operator, future])]
    assert listed() == sorted([(different, "different"), *operators])
    assert listed(comparison="different") == [(different, "different")]
    assert listed(comparison="venue_operator") == operators
    assert listed(category="F") == [(future, "venue_operator")]
    assert listed(issuer=compared["different"].issuer_lei) == [(different, "different")]
    assert listed(q=different) == [(different, "different")]
    first = client.get("/api/v1/issuer-differences/?per_page=1&cursor=").json()
    assert (
        client.get(first["pagination"]["next"]).json()["results"][0]["isin"]
        == sorted([different, operator, future])[1]
    )
    [row] = client.get("/api/v1/issuer-differences/?comparison=different").json()["results"]
    assert (row["published_name"], row["gleif_name"]) == ("Published", "Dentsu")
    assert row["published_lei"] == compared["different"].issuer_lei
    assert row["gleif_lei"] == DENTSU
    assert client.get("/api/v1/issuer-differences/?comparison=same").status_code == 400

    tasks.recount_coverage()

    coverage = {
        (row["category"], row["source"]): row["covered"]
        for row in client.get("/api/v1/stats/").json()["coverage"]
    }
    assert coverage["E", "isin_lei"] == 3
    assert coverage["E", "issuer_difference"] == 1
    assert (coverage["F", "isin_lei"], coverage["F", "issuer_difference"]) == (1, 0)


def test_the_command_lists_differences(compared: dict[str, Instrument]) -> None:
    def run(*options: str) -> str:
        out = io.StringIO()
        call_command("entities", "differences", *options, stdout=out)
        return out.getvalue()

    text = run("--comparison", "different")
    assert compared["different"].isin in text
    assert compared["future"].isin not in text
    rows = json.loads(run("--format", "json", "--limit", "2"))
    assert len(rows) == 2
    MappedIssuer.objects.all().delete()
    assert run() == "FIRDS and GLEIF agree about the issuers of all instruments loaded.\n"


def test_the_command_exports_differences(compared: dict[str, Instrument], tmp_path: Path) -> None:
    path = tmp_path / "differences.csv"
    call_command("entities", "differences", "--output", str(path), stdout=io.StringIO())
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    names = ("different", "operator", "future")
    assert [row["isin"] for row in rows] == sorted(compared[name].isin for name in names)
    assert Event.objects.get(action="instruments.exported").object_id == str(path)[:200]

    with pytest.raises(CommandError, match=r"must end in csv, "):
        call_command("entities", "differences", "--output", str(tmp_path / "differences.txt"))
    with pytest.raises(CommandError, match="there is no"):
        call_command("entities", "differences", "--output", str(tmp_path / "none" / "a.csv"))
    assert [file.name for file in tmp_path.glob("differences*")] == ["differences.csv"]


def test_differences_are_exported_by_permitted_users(
    client: Client, compared: dict[str, Instrument], admin_user: User, settings: Any
) -> None:
    address = "/api/v1/issuer-differences/export/"
    assert client.get(address).status_code == 401
    client.force_login(admin_user)

    answer = client.get(address, {"comparison": "different"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith(
        'attachment; filename="issuer-differences-'
    )
    [row] = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["isin"], row["gleif_lei"], row["gleif_name"], row["published_name"]) == (
        compared["different"].isin,
        DENTSU,
        "Dentsu",
        "Published",
    )
    lines = client.get(address, {"category": "f", "file": "ndjson"}).getvalue().splitlines()
    assert [json.loads(line)["comparison"] for line in lines] == ["venue_operator"]
    table = pq.read_table(io.BytesIO(client.get(address, {"file": "parquet"}).getvalue()))
    assert table.num_rows == 3
    event = Event.objects.filter(action="instruments.exported").latest("pk")
    assert (event.object_id, event.new) == ("issuer_differences", {"file": "parquet"})

    assert client.get(address, {"file": "pdf"}).status_code == 400
    settings.EXPORT_MAX_ROWS = 2
    assert client.get(address).status_code == 200  # the administrator may export any number
    admin_user.is_superuser = False
    admin_user.save()
    permissions = Permission.objects.filter(codename="export_instrument")
    admin_user.user_permissions.set(permissions)
    refused = client.get(address)
    assert (refused.status_code, "EXPORT_MAX_ROWS=2" in refused.json()["detail"]) == (403, True)


@pytest.mark.usefixtures("anonymous_reading")
def test_differences_have_a_page_with_filters_and_counts(
    client: Client, compared: dict[str, Instrument], admin_user: User
) -> None:
    def read(status: int = 200, **parameters: str) -> str:
        answer = client.get("/entities/differences/", parameters)
        assert answer.status_code == status
        return answer.content.decode()

    assert 'href="/entities/differences/"' in client.get("/entities/").content.decode()
    different, operator = compared["different"].isin, compared["operator"].isin
    page = read()
    assert "3 differences" in page
    assert "Export all of them" not in page
    assert "by category" not in page
    for text in (different, operator, DENTSU, "Dentsu", "Published"):
        assert text in page
    page = read(comparison="different", category="E")
    assert "1 difference<" in page
    assert f"/instruments/{operator}/" not in page
    assert f"/instruments/{operator}/" in read(q=operator)
    assert "No difference matches." in read(issuer=DENTSU)
    assert "&#x27;other&#x27; is none of different, venue_operator." in read(
        400, comparison="other"
    )

    tasks.recount_coverage()
    client.force_login(admin_user)
    page = read(category="F")
    assert "by category" in page
    assert "33.3 %" in page  # one of three shares that GLEIF's file has
    assert 'href="/api/v1/issuer-differences/export/?category=F&file=xlsx"' in page.replace(
        "&amp;", "&"
    )

    MappedIssuer.objects.all().delete()
    assert "No ISIN-LEI file of GLEIF has been loaded yet" in read()


@pytest.mark.usefixtures("anonymous_reading")
def test_a_dossier_names_the_file_or_says_that_it_has_nothing(
    client: Client, compared: dict[str, Instrument]
) -> None:
    isin = compared["different"].isin
    dossier = client.get(f"/api/v1/instruments/{isin}/dossier/").json()
    assert dossier["issuer"]["by_gleif"]["lei"] == DENTSU
    assert f"{isin_lei.name()}.zip" in [source["name"] for source in dossier["issuer"]["sources"]]

    other = Instrument.objects.exclude(pk__in=[row.pk for row in compared.values()])[0]
    dossier = client.get(f"/api/v1/instruments/{other.isin}/dossier/").json()
    assert dossier["issuer"]["by_gleif"] is None
    assert {
        "source": "gleif_isin_lei",
        "reason": "The files until 2026-08-10 have no LEI of this ISIN.",
    } in dossier["nothing_from"]


@pytest.mark.sqlite
@pytest.mark.usefixtures("real_instruments")
def test_instruments_behind_the_last_mapped_one_are_not_read() -> None:
    """All of them are behind it where no ISIN-LEI file is loaded."""
    with planned() as plans:
        assert list(select_differences()[:20]) == []
        assert list(select_differences().after("DE000A1R07V3")[:20]) == []

    lines = [line for _, line in plans if "instruments_instrument USING INDEX" in line]
    assert len(lines) == 2
    assert all("isin<?" in line and line.startswith("SEARCH") for line in lines), lines
