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
from instruments.models import EntityRelationship, LegalEntity
from marketdata.common.errors import Refused, Unavailable
from tests import golden_copy, register
from tests.conftest import DATA
from tests.golden_copy import message, name, record
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db(transaction=True)
VOLVO = "549300HGV012CNC8JD22"
PUBLISHES = "/publishes"


@pytest.fixture
def gleif(settings: LazySettings) -> Iterator[FakeRegister]:
    stamina.set_testing(True, attempts=3)
    with register.running() as running:
        settings.GLEIF_GOLDEN_COPY_URL = f"{running.url}{PUBLISHES}"
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
        (Trouble(body=b"<html>"), UnknownAnswer),
        (Trouble(body=b'{"data": [{"lei2": {}}]}'), UnknownAnswer),
        (Trouble(body=b'{"data": [1]}'), UnknownAnswer),
        (Trouble(status=404), Refused),
        (Trouble(status=503), Unavailable),
        (Trouble(cut_after=5), Unavailable),
        (Trouble(wait=3), Unavailable),
    ],
    ids=["html", "fields", "number", "404", "503", "cut", "slow"],
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
