"""The report of missing publications, and of deltas that have to be fetched in time."""

import datetime as dt
import io
import json

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from esma_files import gaps, steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, RegisterHistory
from esma_files.names import FileName
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db(transaction=True)

START = dt.date(2026, 8, 1)  # a Saturday


def know(*names: str) -> None:
    """Add files that the register has listed."""
    for name in names:
        file = EsmaFile.from_name(FileName.parse(name), dataset=Dataset.ESMA_FIRDS)
        file.set_order()
        file.save()


def cancelled(*days: int) -> list[str]:
    """Names of lists of cancelled records, so many days after START."""
    return [f"FULCAN_{START + dt.timedelta(days=day):%Y%m%d}_01of01" for day in days]


def missing_days() -> list[int]:
    return [(gap.day - START).days for gap in gaps.find()]


@pytest.mark.parametrize(
    ("published", "missing"),
    [
        ([0, 7, 14, 21], []),
        ([0, 7, 21, 28], [14]),
        ([0, 14], [7]),  # both on a Saturday
        ([0, 7, 15, 21, 28], []),  # once a day late
        ([0, 1, 2, 3, 4], []),
        ([0, 1, 2, 4, 5], [3]),
        ([0, 1, 2, 3, 4, 11, 18, 25, 32], [5]),  # weekly since then; the pause is uncertain
        ([0], []),
        ([0, 3], []),  # one interval shows nothing
    ],
)
def test_the_cadence_of_lists_of_cancelled_records_is_the_observed_one(
    published: list[int], missing: list[int]
) -> None:
    know(*cancelled(*published))

    assert missing_days() == missing


def test_deltas_are_expected_daily_and_full_files_weekly() -> None:
    know(
        "DLTINS_20260801_01of01",
        "DLTINS_20260803_01of01",
        "FULINS_E_20260801_01of01",
        "FULINS_E_20260816_01of01",  # a Sunday: a day late
        "FULINS_E_20260829_01of01",
    )

    assert [str(gap) for gap in gaps.find()] == [
        "DLTINS of 2026-08-02 (ESMA FIRDS): missing",
        "FULINS E of 2026-08-08 (ESMA FIRDS): missing",
        "FULINS E of 2026-08-22 (ESMA FIRDS): missing",
    ]


def publish(esma: FakeRegister, days: list[dt.date]) -> None:
    esma.entries.clear()
    for day in days:
        esma.publish(f"DLTINS_{day:%Y%m%d}_01of01.zip", b"PK", day=f"{day}")


def report() -> list[str]:
    out = io.StringIO()
    call_command("files", "gaps", stdout=out)
    return out.getvalue().splitlines()


def test_a_needed_delta_that_is_about_to_leave_or_has_left_the_register_is_reported(
    esma: FakeRegister, settings: LazySettings
) -> None:
    today = timezone.localdate()
    days = [today - dt.timedelta(days=age) for age in range(30, -1, -1)]
    publish(esma, days)
    steps.sync(Dataset.ESMA_FIRDS, since=days[0])
    EsmaFile.objects.filter(published_on__gt=days[12]).update(loaded_at=timezone.now())
    quiet = report()
    publish(esma, days[10:])  # the register has removed the oldest
    steps.sync(Dataset.ESMA_FIRDS, since=days[0])

    lines = report()

    assert quiet == ["Nothing is missing between the first and the last known day."]
    assert len(lines) == 13
    assert lines[0] == (
        f"DLTINS of {days[0]} (ESMA FIRDS): listed, not fetched (it has left the register, which lists "
        f"nothing before {days[10]})"
    )
    assert "it leaves the register in about 0 days: fetch it before" in lines[10]
    assert "in about 2 days" in lines[12]
    settings.REGISTER_NOTICE_DAYS = 1
    assert len(report()) == 12
    # A delta that is not to be downloaded is not needed.
    for name, value in (("DOWNLOAD_KINDS", ["FULINS"]), ("REGISTERS", ["fca_firds"])):
        with override_settings(**{name: value}):
            assert report() == quiet


def test_a_missing_day_that_the_register_no_longer_lists_is_marked(esma: FakeRegister) -> None:
    today = timezone.localdate()
    days = [today - dt.timedelta(days=age) for age in range(9, -1, -1)]
    know(*(f"DLTINS_{day:%Y%m%d}_01of01" for day in days if day != days[2]))
    publish(esma, days[5:])
    steps.sync(Dataset.ESMA_FIRDS, since=days[0])

    out = io.StringIO()
    call_command("files", "gaps", "--format", "json", stdout=out)

    [gap] = json.loads(out.getvalue())
    assert (gap["day"], gap["is_listed"]) == (f"{days[2]}", False)
    assert "has left the register" in gap["warning"]


def test_a_register_that_keeps_everything_gives_no_warning(esma: FakeRegister) -> None:
    today = timezone.localdate()
    publish(esma, [today - dt.timedelta(days=age) for age in (2, 1, 0)])

    for _ in range(2):
        steps.sync(Dataset.ESMA_FIRDS)

    history = RegisterHistory.objects.get()
    assert (history.kind, history.oldest_on) == ("DLTINS", today - dt.timedelta(days=2))
    assert not history.removes_files
    assert report() == ["Nothing is missing between the first and the last known day."]


def test_a_sync_ends_well_where_the_register_does_not_tell_its_oldest_delta(
    esma: FakeRegister, caplog: pytest.LogCaptureFixture
) -> None:
    today = timezone.localdate()
    publish(esma, [today])
    solr = "/solr/esma_registers_firds_files/select"
    good = esma.answer(f"{solr}?q=*&fq=publication_date:[2000-01-01 TO 2999-01-01]&start=0&rows=9")
    assert good is not None
    esma.trouble(solr, Trouble(body=good), Trouble(status=404))

    run = steps.sync(Dataset.ESMA_FIRDS)

    assert (run.state, run.new) == ("done", 1)
    assert RegisterHistory.objects.count() == 0
    assert "The oldest DLTINS of esma_firds is not known" in caplog.text
