"""GLEIF's list of files is read, and its files are fetched and loaded, from a real server that misbehaves."""

import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from esma_files import registers, steps
from esma_files.errors import UnknownAnswer
from esma_files.models import EsmaFile
from instruments.models import EntityRelationship, LegalEntity, MappedIssuer
from marketdata.common.errors import Refused, Unavailable
from tests import golden_copy, isin_lei, register
from tests.conftest import DATA
from tests.golden_copy import message, name, record
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO = "549300HGV012CNC8JD22"
PUBLISHES = "/publishes"


MAPPING, BICS = "/isin-lei/latest", "/bic-lei/latest"


@pytest.fixture
def gleif(settings: LazySettings) -> Iterator[FakeRegister]:
    stamina.set_testing(True, attempts=3)
    with register.running() as running:
        settings.GLEIF_GOLDEN_COPY_URL = f"{running.url}{PUBLISHES}"
        settings.GLEIF_ISIN_LEI_URL = f"{running.url}{MAPPING}"
        settings.GLEIF_BIC_LEI_URL = f"{running.url}{BICS}"
        settings.DOWNLOAD_HOSTS = [running.url]
        settings.HTTP_TIMEOUT_SECONDS = 2
        yield running
    stamina.set_testing(False)


def publish(server: FakeRegister, folder: Path, days: dict[str, dict[str, bytes]]) -> None:
    """List publications by day and hour, the newest first, with files by their content in names."""
    publications = []
    for moment, files in sorted(days.items(), reverse=True):
        publication: dict[str, Any] = {"publish_date": moment}
        for subject in ("lei2", "rr", "repex"):
            formats = {}
            for content in ("golden-copy", "last-day"):
                stem = f"{moment}-gleif-goldencopy-{subject}-{content}"
                path = f"/storage/{stem}.xml.zip"
                if xml := files.get(f"{subject}-{content}"):
                    server.files[path] = golden_copy.put(folder, stem, xml).read_bytes()
                formats[content] = {"xml": {"url": f"{server.url}{path}", "size": 1}}
            publication[subject] = {
                "full_file": formats["golden-copy"],
                "delta_files": {"LastDay": formats["last-day"], "IntraDay": None},
            }
        publications.append(publication)
    server.files[PUBLISHES] = json.dumps({"data": publications}).encode()


def first_days(today: dt.date) -> tuple[str, str]:
    """A day and the next one in the last month, both of one month."""
    day = today - dt.timedelta(days=3)
    if (day + dt.timedelta(days=1)).month != day.month:
        day -= dt.timedelta(days=1)
    return f"{day:%Y%m%d}", f"{day + dt.timedelta(days=1):%Y%m%d}"


def test_the_first_copy_of_a_month_and_the_first_delta_of_a_day_are_listed(
    gleif: FakeRegister, tmp_path: Path
) -> None:
    moments = ("20230531-1600", "20230604-0800", "20230604-1600", "20230605-0800")
    publish(gleif, tmp_path, {moment: {} for moment in moments})
    days = (dt.date(2023, 6, 1), dt.date(2023, 6, 30))

    entries = registers.published("gleif_lei2", *days)

    assert [file.name.stem for file in entries.files] == [
        "20230604-0800-gleif-goldencopy-lei2-golden-copy",
        "20230604-0800-gleif-goldencopy-lei2-last-day",
        "20230605-0800-gleif-goldencopy-lei2-last-day",
    ]
    [delta] = registers.published("gleif_rr", days[0], dt.date(2023, 6, 4), kinds=["RRDELTA"]).files
    assert delta.name.stem == "20230604-0800-gleif-goldencopy-rr-last-day"


def test_the_command_fetches_and_loads_what_is_published(
    gleif: FakeRegister, tmp_path: Path
) -> None:
    first, second = first_days(dt.datetime.now(tz=dt.UTC).date())
    newer = record(VOLVO, "Newer", updated="2023-06-06T08:00:00Z")
    relationships = (DATA / "gleif" / f"{golden_copy.name(subject='rr')}.xml").read_bytes()
    publish(
        gleif,
        tmp_path,
        {
            f"{first}-0800": {
                "lei2-golden-copy": message(record(VOLVO, "Older")),
                "lei2-last-day": message(record(VOLVO, "Older"), content="DELTA"),
                "rr-golden-copy": relationships,
            },
            f"{second}-0800": {"lei2-last-day": message(newer, content="DELTA")},
        },
    )
    path = f"/storage/{first}-0800-gleif-goldencopy-lei2-golden-copy.xml.zip"
    gleif.trouble(PUBLISHES, Trouble(status=503), Trouble(status=429))
    gleif.trouble(path, Trouble(status=500), Trouble(cut_after=100))

    with pytest.raises(CommandError, match=r"last-day.*404"):
        call_command("sync_entities", stdout=io.StringIO())

    assert LegalEntity.objects.get().legal_name == "Newer"
    assert EntityRelationship.objects.count() == 10
    assert EsmaFile.objects.get(name=f"{name(first)}.zip").state == EsmaFile.State.LOADED

    out = io.StringIO()
    call_command("sync_entities", "--dataset", "gleif_lei2", stdout=out)
    assert out.getvalue() == "Everything that GLEIF lists is loaded.\n"


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        pytest.param(Trouble(body=b"<html>"), UnknownAnswer, id="html"),
        pytest.param(Trouble(body=b'{"data": [{"lei2": {}}]}'), UnknownAnswer, id="fields"),
        pytest.param(Trouble(body=b'{"data": [1]}'), UnknownAnswer, id="number"),
        pytest.param(Trouble(status=404), Refused, id="404"),
        pytest.param(Trouble(status=503), Unavailable, id="503"),
        pytest.param(Trouble(cut_after=5), Unavailable, id="cut"),
        pytest.param(Trouble(wait=3), Unavailable, id="slow", marks=pytest.mark.slow),
    ],
)
def test_an_answer_that_is_no_list_changes_nothing(
    gleif: FakeRegister, trouble: Trouble, error: type[Exception], settings: LazySettings
) -> None:
    settings.HTTP_TIMEOUT_SECONDS = 1
    gleif.files[PUBLISHES] = b'{"data": []}'
    gleif.trouble(PUBLISHES, *[trouble] * 3)

    with pytest.raises(error):
        steps.sync("gleif_lei2", since=dt.date(2023, 6, 1))

    assert not EsmaFile.objects.exists()


def test_an_address_elsewhere_is_an_unusable_entry(gleif: FakeRegister, tmp_path: Path) -> None:
    publish(gleif, tmp_path, {"20230604-0800": {}})
    elsewhere = gleif.files[PUBLISHES].replace(gleif.url.encode(), b"https://elsewhere.example")
    gleif.files[PUBLISHES] = elsewhere

    entries = registers.published("gleif_lei2", dt.date(2023, 6, 1), dt.date(2023, 6, 30))

    assert entries.files == []
    assert len(entries.unusable) == 2


# The ISIN-LEI file


def publish_mapping(server: FakeRegister, folder: Path, day: str) -> None:
    """Make a file of a day the newest one, at an address that does not end with its name."""
    path = f"/isin-lei/{day}/download"
    content = isin_lei.table([("SE0000115446", VOLVO)])
    server.files[path] = isin_lei.put(folder, content, day=day).read_bytes()
    attributes = {
        "fileName": f"{isin_lei.name(day)}.zip",
        "uploadedAt": "2026-08-10T07:15:13Z",
        "downloadLink": f"{server.url}{path}",
    }
    resource = {"type": "isin-lei", "id": "f1805508", "attributes": attributes}
    server.files[MAPPING] = json.dumps({"data": resource}).encode()


def test_the_newest_isin_lei_file_is_fetched_and_loaded(
    gleif: FakeRegister, tmp_path: Path
) -> None:
    first, second = first_days(dt.datetime.now(tz=dt.UTC).date())
    publish_mapping(gleif, tmp_path, first)
    steps.sync("gleif_isin_lei", since=dt.date(2026, 1, 1), until=dt.date(2100, 1, 1))
    publish_mapping(gleif, tmp_path, second)
    gleif.trouble(MAPPING, Trouble(status=503), Trouble(cut_after=5))
    gleif.trouble(f"/isin-lei/{second}/download", Trouble(status=500), Trouble(cut_after=9))

    out = io.StringIO()
    call_command("sync_entities", "--dataset", "gleif_isin_lei", stdout=out)

    assert f"{isin_lei.name(second)}.zip" in out.getvalue()
    row = MappedIssuer.objects.select_related("mapped_lei").get()
    assert str(row) == f"SE0000115446 {VOLVO}"
    states = dict(EsmaFile.objects.values_list("name", "state"))
    assert states == {
        f"{isin_lei.name(first)}.zip": EsmaFile.State.LISTED,
        f"{isin_lei.name(second)}.zip": EsmaFile.State.LOADED,
    }
    assert {headers.get("Accept") for path, headers in gleif.requests if MAPPING in path} == {
        "*/*"
    }  # GLEIF answers 406 to application/json


def test_a_file_of_another_day_is_not_listed(gleif: FakeRegister, tmp_path: Path) -> None:
    publish_mapping(gleif, tmp_path, "20230605")

    entries = registers.published("gleif_isin_lei", dt.date(2023, 6, 6), dt.date(2023, 6, 9))
    assert (entries.files, entries.unusable) == ([], [])
    [file] = registers.published("gleif_isin_lei", dt.date(2023, 6, 5), dt.date(2023, 6, 5)).files
    assert file.url == f"{gleif.url}/isin-lei/20230605/download"


def test_an_entry_with_another_name_or_host_is_reported(gleif: FakeRegister) -> None:
    for name_, url, problem in (
        ("LEI-MIC-20260828.zip", f"{gleif.url}/x", "not a published file's name"),
        ("isin-lei-20260810T071513.zip", "https://example.org/x", "example.org"),
        ("20230605-0800-gleif-goldencopy-lei2-golden-copy.zip", f"{gleif.url}/x", "has no files"),
    ):
        attributes = {"fileName": name_, "downloadLink": url}
        gleif.files[MAPPING] = json.dumps({"data": {"attributes": attributes}}).encode()

        entries = registers.published("gleif_isin_lei", dt.date(2023, 6, 6), dt.date(2030, 6, 9))

        assert entries.files == []
        assert problem in str(entries.unusable[0])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": {}}', b'{"data": [1]}'])
def test_an_answer_without_a_file_changes_nothing(gleif: FakeRegister, body: bytes) -> None:
    gleif.files[MAPPING] = body

    with pytest.raises(UnknownAnswer, match="no file in the answer"):
        registers.published("gleif_isin_lei", dt.date(2023, 6, 6), dt.date(2030, 6, 9))
