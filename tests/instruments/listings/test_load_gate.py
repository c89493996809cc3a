"""Full files that would change more than usual: held, reported and released."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient
from stdnum import isin

from accounts.models import User
from audit.models import Event
from esma_files.models import EsmaFile, Run
from instruments import pipeline
from instruments.models import Listing, Reconciliation
from instruments.tasks import run_load
from monitoring.health.checks import Status, check_held_files
from tests import firds
from tests.instruments.listings.merging import Write, counts, day, delta, full, load

pytestmark = pytest.mark.django_db(transaction=True)

ISINS = [f"SE{number:09}{isin.calc_check_digit(f'SE{number:09}')}" for number in range(10)]


@pytest.fixture(autouse=True)
def small_thresholds(settings: LazySettings) -> None:
    settings.LOAD_GATE_PERCENT, settings.LOAD_GATE_PERCENTS = 30, {"O": 60}
    settings.LOAD_GATE_RECORDS = 3


def listed(code: str, *, name: str = "A name") -> str:
    return firds.record("RefData", code, "XSTO", period=day(1), name=name)


@contextmanager
def held(make_zip: Write, name: str, *records: str) -> Iterator[EsmaFile]:
    """A file that the gate holds, after a full set of ten listings."""
    load(make_zip, full(1), *map(listed, ISINS))
    path = make_zip(name, firds.message(name, *records))
    [result] = pipeline.load(pipeline.register_files([path]))
    assert result.error is not None
    assert "Held by the load gate" in str(result.error)
    yield EsmaFile.objects.get(name=f"{name}.zip")


@pytest.fixture
def truncated(make_zip: Write) -> Iterator[EsmaFile]:
    """The next full set, which lacks four of ten listings."""
    with held(make_zip, full(8), *map(listed, ISINS[:6])) as file:
        yield file


def test_held_file_changes_nothing_and_reports_its_effect(truncated: EsmaFile) -> None:
    assert truncated.state == "held"
    assert "drop 4 of 10 active listings of category E, together 40 %" in truncated.problem
    assert set(Listing.objects.values_list("status", flat=True)) == {"active"}
    assert Reconciliation.objects.count() == 1, "of the first set alone"
    run = Run.objects.get(file=truncated)
    assert (run.state, counts(run)) == ("failed", {})
    assert run.report == [
        "Reconciliation with this file: 6 listed, 6 same, 0 missed, 0 different, 0 late, 4 extra."
    ]
    assert check_held_files().status == Status.WARNING


def test_changed_listings_are_counted_and_named_by_column(make_zip: Write) -> None:
    records = [listed(code, name="Another name") for code in ISINS]
    with held(make_zip, full(8), *records) as file:
        assert "change 10, end 0 and drop 0 of 10" in file.problem
        report = Run.objects.get(file=file).report
    assert report[1] == "Differences: full_name 10, short_name 10."


def test_changed_and_dropped_listings_count_together_and_new_ones_do_not(make_zip: Write) -> None:
    new = f"SE{10:09}{isin.calc_check_digit(f'SE{10:09}')}"
    changed = [listed(code, name="Another name") for code in ISINS[:2]]
    with held(make_zip, full(8), *changed, *map(listed, (*ISINS[2:8], new))) as file:
        assert "change 2, end 0 and drop 2 of 10 active listings" in file.problem
        assert "together 40 %" in file.problem


def test_held_file_is_not_loaded_until_it_is_released(truncated: EsmaFile) -> None:
    [result] = pipeline.load([truncated])
    assert result.run is None
    assert not EsmaFile.objects.waiting().exists()

    assert EsmaFile.objects.filter(pk=truncated.pk).release_held() == 1
    truncated.refresh_from_db()
    [result] = pipeline.load([truncated])

    assert result.run
    assert counts(result.run) == {"unchanged": 6, "dropped": 4}
    assert Listing.objects.filter(status="dropped").count() == 4


def test_delta_is_never_held(make_zip: Write) -> None:
    load(make_zip, full(1), *map(listed, ISINS))
    ended = [firds.record("TermntdRcrd", code, "XSTO", period=day(2)) for code in ISINS]
    assert counts(load(make_zip, delta(2), *ended)) == {"ended": 10}


@pytest.mark.parametrize(
    ("percent", "percents", "records"), [(40, {}, 3), (0, {}, 3), (30, {"E": 40}, 3), (30, {}, 5)]
)
def test_thresholds_decide(
    percent: int,
    percents: dict[str, int],
    records: int,
    make_zip: Write,
    settings: LazySettings,
) -> None:
    settings.LOAD_GATE_PERCENT, settings.LOAD_GATE_PERCENTS = percent, percents
    settings.LOAD_GATE_RECORDS = records
    load(make_zip, full(1), *map(listed, ISINS))

    assert counts(load(make_zip, full(8), *map(listed, ISINS[:6]))) == {
        "unchanged": 6,
        "dropped": 4,
    }


def test_command_releases_a_held_file(truncated: EsmaFile) -> None:
    out = StringIO()
    call_command("files", "release", truncated.name, stdout=out)

    truncated.refresh_from_db()
    assert "released" in out.getvalue()
    assert (truncated.state, truncated.is_released) == ("downloaded", True)
    assert Event.objects.filter(action="file.release", object_id=truncated.name).exists()
    with pytest.raises(CommandError, match="only held files can be released"):
        call_command("files", "release", truncated.name)


def test_api_releases_and_loads_a_held_file(truncated: EsmaFile) -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("curator", password="x"))
    path = f"/api/v1/files/{truncated.pk}"
    assert client.post(f"{path}/load/").status_code == 409

    response = client.post(f"{path}/release/")

    assert response.status_code == 202
    run_load(response.json()["id"])
    assert client.get(f"{path}/").json()["state"] == "loaded"
    assert client.post(f"{path}/release/").status_code == 409


def test_admin_releases_held_files(truncated: EsmaFile, admin_client: Client) -> None:
    data = {"action": "release", "_selected_action": [truncated.pk]}
    admin_client.post("/admin/esma_files/esmafile/", data)

    truncated.refresh_from_db()
    assert truncated.state == "downloaded"
    assert Run.objects.filter(file=truncated, state="queued").exists()
