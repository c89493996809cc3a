"""Syncs: what a register lists becomes rows, and what it should list and does not is noticed."""

import datetime as dt

import pytest
from django.conf import LazySettings
from django.utils import timezone

from esma_files import gaps, steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import Unavailable
from tests.conftest import DATA
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db

RECORDED = DATA / "registers"
DAY = dt.date(2025, 8, 30)
SOLR = "/solr/esma_registers_firds_files/select"


def test_a_sync_lists_what_is_new_and_only_that(esma: FakeRegister) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK one", day="2025-08-30")
    esma.publish("FULINS_E_20250830_01of01.zip", b"PK two", day="2025-08-30")

    first = steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)
    second = steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)

    assert (first.read, first.new, first.unchanged, first.state) == (2, 2, 0, Run.State.DONE)
    assert (second.read, second.new, second.unchanged) == (2, 0, 2)
    file = EsmaFile.objects.get(kind="DLTINS")
    assert file.state == EsmaFile.State.LISTED
    assert file.url == f"{esma.url}/files/DLTINS_20250830_01of01.zip"
    assert len(file.md5) == 32
    assert not file.has_content


def test_other_bytes_under_a_known_name_are_another_file(esma: FakeRegister) -> None:
    esma.publish("DLTINS_20250830_01of01.zip", b"PK one", day="2025-08-30")
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)
    esma.entries.clear()
    esma.publish("DLTINS_20250830_01of01.zip", b"PK another", day="2025-08-30")

    run = steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)

    assert (run.new, run.changed) == (0, 1)
    old, new = EsmaFile.objects.order_by("revision")
    assert (old.revision, new.revision) == (0, 1)
    assert old.sequence < new.sequence
    assert old.md5 != new.md5


def test_without_checksums_the_number_of_an_entry_tells_files_apart(esma: FakeRegister) -> None:
    entry = esma.publish("DLTINS_20250830_01of01.zip", b"PK", day="2025-08-30", with_checksum=False)
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)

    assert steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY).unchanged == 1
    # what a later answer says of it is learned
    entry["checksum"] = "0" * 32
    assert steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY).unchanged == 1
    assert EsmaFile.objects.get().md5 == "0" * 32
    entry["id"], entry["checksum"] = "77", "1" * 32
    assert steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY).changed == 1


def test_the_same_name_in_two_registers_is_two_files(esma: FakeRegister) -> None:
    esma.publish("FULINS_E_20250830_01of01.zip", b"PK", day="2025-08-30")

    for dataset in (Dataset.ESMA_FIRDS, Dataset.FCA_FIRDS):
        assert steps.sync(dataset, since=DAY, until=DAY).new == 1

    assert EsmaFile.objects.values("name").distinct().count() == 1


def test_a_sync_that_fails_says_so_in_its_run(esma: FakeRegister) -> None:
    esma.trouble(SOLR, *[Trouble(status=503)] * 3)

    with pytest.raises(Unavailable):
        steps.sync(Dataset.ESMA_FIRDS)

    run = Run.objects.get()
    assert run.state == Run.State.FAILED
    assert "HTTP 503" in run.problem


def test_a_missing_day_is_noticed_looked_for_and_filled(esma: FakeRegister) -> None:
    today = timezone.localdate()
    days = [today - dt.timedelta(days=n) for n in (40, 39, 37, 36)]
    for day in days:
        esma.publish(f"DLTINS_{day:%Y%m%d}_01of01.zip", b"PK", day=f"{day}")
    run = steps.sync(Dataset.ESMA_FIRDS, since=days[0])
    missing = today - dt.timedelta(days=38)

    [gap] = gaps.find()
    assert (gap.kind, gap.day, gap.count) == ("DLTINS", missing, 1)
    assert str(gap) in run.report
    # once it appears, a sync that nobody told a day looks back far enough
    esma.publish(f"DLTINS_{missing:%Y%m%d}_01of01.zip", b"PK", day=f"{missing}")
    assert steps.sync(Dataset.ESMA_FIRDS).new == 1
    assert gaps.find() == []


def test_an_incomplete_set_and_a_missing_week_are_gaps(esma: FakeRegister) -> None:
    for name, day in (
        ("FULINS_E_20250830_01of03.zip", "2025-08-30"),
        ("FULINS_E_20250830_03of03.zip", "2025-08-30"),
        ("FULINS_E_20250920_01of01.zip", "2025-09-20"),
    ):
        esma.publish(name, b"PK", day=day)
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=dt.date(2025, 9, 30))

    assert [str(gap) for gap in gaps.find()] == [
        "FULINS E of 2025-08-30 (ESMA FIRDS): part 2 of 3 missing",
        "FULINS E of 2025-09-06 to 2025-09-13 (ESMA FIRDS): 2 missing",
    ]


def test_the_gap_that_a_recorded_answer_of_esma_has_is_found(
    esma: FakeRegister, settings: LazySettings
) -> None:
    """In May 2019 there is no delta of the 22nd; that of the 25th has five parts."""
    settings.DOWNLOAD_HOSTS = ["firds.esma.europa.eu"]
    esma.trouble(SOLR, Trouble(body=(RECORDED / "firds_files_20190602.json").read_bytes()))

    run = steps.sync(Dataset.ESMA_FIRDS, since=dt.date(2019, 5, 16), until=dt.date(2019, 5, 30))

    assert (run.new, run.rejected) == (91, 0)
    assert run.report == ["DLTINS of 2019-05-22 (ESMA FIRDS): missing"]
