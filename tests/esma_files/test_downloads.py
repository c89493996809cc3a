"""Many downloads at a time, and the commands."""

import datetime as dt
import io
import json
import zipfile

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from esma_files import downloading, steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db(transaction=True)

DAY = dt.date(2025, 8, 30)


def test_many_files_come_several_at_a_time_and_a_bad_one_does_not_stop_them(
    esma: FakeRegister,
) -> None:
    for part in range(1, 8):
        name = f"FULINS_E_20250830_{part:02}of07.zip"
        esma.publish(name, b"PK" + bytes([part]) * 400_000, day=f"{DAY}")
    esma.trouble("/files/FULINS_E_20250830_03of07.zip", Trouble(status=404))
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)

    results = list(downloading.download(EsmaFile.objects.in_publication_order()))

    assert len(results) == 7
    failed = [result.file.part for result in results if result.error]
    assert failed == [3]
    assert EsmaFile.objects.filter(state="downloaded").count() == 6


def test_who_stops_early_leaves_nothing_claimed(esma: FakeRegister) -> None:
    for part in range(1, 8):
        name = f"FULINS_E_20250830_{part:02}of07.zip"
        esma.publish(name, b"PK" + bytes([part]) * 400_000, day=f"{DAY}")
        esma.trouble(f"/files/{name}", Trouble(wait=0.2 if part == 1 else 1.0))
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)

    going = downloading.download(EsmaFile.objects.in_publication_order())
    next(going)
    going.close()  # type: ignore[attr-defined]

    assert not EsmaFile.objects.filter(state="downloading").exists()
    assert not Run.objects.open().exists()


def test_the_command_fetches_what_is_wanted(esma: FakeRegister, settings: LazySettings) -> None:
    today = timezone.localdate()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.xml", "<a/>")
    selected, other = f"FULINS_E_{today:%Y%m%d}_01of01.zip", f"FULINS_D_{today:%Y%m%d}_01of01.zip"
    for name in (selected, other):
        esma.publish(name, archive.getvalue(), day=f"{today}")
    esma.publish("FULINS_E_20190105_01of01.zip", archive.getvalue(), day="2019-01-05")
    settings.DOWNLOAD_CATEGORIES = ["E"]

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command(*arguments, stdout=out, stderr=io.StringIO())
        return out.getvalue()

    [synced] = json.loads(run("sync_register", "--since", "2019-01-01", "--format", "json"))
    assert (synced["read"], synced["new"]) == (3, 3)
    [row] = json.loads(run("download", "--format", "json"))
    assert (row["file"], row["state"]) == (selected, "downloaded")
    assert "nothing to download" in run("download")
    # a file that is not selected is downloaded when it is named
    [named] = json.loads(run("download", "FULINS_E_20190105_01of01", "--format", "json"))
    assert named["state"] == "downloaded"
    with pytest.raises(CommandError, match=r"FULINS_X_20190105_01of01\.zip: no register"):
        run("download", "FULINS_X_20190105_01of01.zip")
    assert "FULINS_E_20190105_01of01.zip" in run("files", "list", "--state", "downloaded")
