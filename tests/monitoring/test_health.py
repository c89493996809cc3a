"""Health probes, reports, records and outside services."""

import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from esma_files.models import EsmaFile, Heartbeat, Run
from esma_files.names import FileName
from marketdata import __version__
from marketdata.settings.masking import Secret
from monitoring import tasks
from monitoring.health import report, services
from monitoring.health.checks import CHECKS, Check, Outcome, Result, check_data_age
from monitoring.health.report import Report
from monitoring.models import CheckResult
from tests import register, servers
from tests.register import FakeRegister, Trouble

pytestmark = pytest.mark.django_db
READINESS = {"database", "migrations", "cache", "storage"}


@pytest.fixture(autouse=True)
def no_report_of_an_earlier_test(settings: LazySettings, tmp_path: Path) -> Iterator[None]:
    report.recent.forget()
    settings.MEDIA_ROOT = tmp_path / "files"
    yield
    report.recent.forget()


@pytest.fixture
def working(db: None) -> None:
    """A worker and a schedule report, and a recent file is loaded."""
    for role in Heartbeat.Role.values:
        Heartbeat.objects.report(role)
        Heartbeat.objects.filter(role=role).update(identity=f"other/{role}/1")
    name = FileName.parse(f"DLTINS_{timezone.localdate():%Y%m%d}_01of01.zip")
    file = EsmaFile.from_name(name, dataset="esma_firds")
    file.sequence, file.state, file.loaded_at = 1, EsmaFile.State.LOADED, timezone.now()
    file.save()


@pytest.fixture
def curator() -> Client:
    user = User.objects.create_user("carla", password="correct horse battery staple")
    user.groups.add(Group.objects.get(name="curator"))
    client = Client()
    client.force_login(user)
    return client


def get_checks(client: Client) -> dict[str, Any]:
    """Return the checks of /health/ by name, made anew."""
    report.recent.forget()
    content = client.get("/health/").json()
    return {check["name"]: check for check in content["checks"]}


class TestProbes:
    def test_a_live_process_answers_without_the_database(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(0):
            response = client.get("/health/live/")

        assert response.status_code == 200
        assert response.json() == {"status": "ok", "version": __version__, "checks": {}}

    def test_a_ready_process_shows_no_reasons(self, client: Client) -> None:
        response = client.get("/health/ready/")

        assert response.status_code == 200
        assert response.json()["checks"] == dict.fromkeys(READINESS, "ok")
        assert response.headers["Cache-Control"] == "no-store"

    def test_a_database_that_lacks_a_migration_is_not_ready(self, client: Client) -> None:
        migrations = next(check for check in CHECKS if check.name == "migrations")
        migrations.run.is_complete = False  # type: ignore[attr-defined]
        last = MigrationRecorder.Migration.objects.filter(app="audit").latest("id")
        MigrationRecorder(connection).record_unapplied(last.app, last.name)

        response = client.get("/health/ready/")

        assert response.status_code == 503
        assert response.json()["status"] == "unavailable"
        assert response.json()["checks"]["migrations"] == "failed"

    def test_a_folder_that_cannot_be_written_is_not_ready(
        self, client: Client, settings: LazySettings
    ) -> None:
        settings.MEDIA_ROOT = Path("/proc/files")  # where nobody may create files

        response = client.get("/health/ready/")

        assert response.status_code == 503
        assert response.json()["checks"]["storage"] == "failed"

    @pytest.mark.sqlite
    def test_a_cache_that_cannot_be_used_is_not_ready(
        self, client: Client, settings: LazySettings, tmp_path: Path
    ) -> None:
        folder = tmp_path / "counts"
        folder.mkdir()
        backend = "marketdata.web.counts.FileCounts"
        settings.CACHES = {**settings.CACHES, "counts": {"BACKEND": backend, "LOCATION": folder}}

        response = client.get("/health/ready/")

        assert response.status_code == 503
        assert response.json()["checks"]["cache"] == "failed"
        assert str(tmp_path) not in response.content.decode()

    @pytest.mark.parametrize("is_running", [True, False])
    def test_blob_storage_has_to_answer(
        self, client: Client, settings: LazySettings, azurite: str, *, is_running: bool
    ) -> None:
        port = azurite.partition("127.0.0.1:")[2].partition("/")[0]
        address = azurite if is_running else azurite.replace(port, str(servers.free_port()))
        blob = {
            "BACKEND": "esma_files.storage.blob.BlobStorage",
            "OPTIONS": {"connection_string": address},
        }
        settings.STORAGES = {**settings.STORAGES, "blob": blob}
        settings.FILES_LOCATION = "blob"

        status = client.get("/health/ready/").json()["checks"]["storage"]

        assert status == ("ok" if is_running else "failed")

    def test_migrations_are_looked_for_once(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client.get("/health/ready/")
        report.recent.forget()

        with django_assert_max_num_queries(1):
            client.get("/health/ready/")
            client.get("/health/ready/")  # the same report

    def test_a_platform_asks_by_any_host_and_by_plain_http(
        self, client: Client, settings: LazySettings
    ) -> None:
        settings.SECURE_SSL_REDIRECT = True

        for path in ("/health/live/", "/health/ready/"):
            assert client.get(path, headers={"host": "169.254.130.4:8000"}).status_code == 200


class TestReport:
    def test_a_working_installation_is_healthy(self, working: None, curator: Client) -> None:
        response = curator.get("/health/")

        assert response.status_code == 200
        content = response.json()
        assert (content["status"], content["version"]) == ("healthy", __version__)
        statuses = {check["name"]: check["status"] for check in content["checks"]}
        outside = {"openfigi": "unknown", "gleif": "unknown", "esma_register": "unknown"}
        names = {"queue", "workers", "schedule", "data_age", "gaps", "failed_files"}
        names |= READINESS | {"storage_budget", "held_files", "replica", "disks"}
        assert statuses == {**dict.fromkeys(names, "ok"), **outside}

    def test_everybody_sees_the_status_and_nothing_else(self, client: Client) -> None:
        response = client.get("/health/")

        assert response.status_code == 503
        content = response.json()
        assert (content["status"], content["commit"], content["checks"]) == ("unhealthy", "", [])

    def test_a_curator_sees_the_commit(self, curator: Client, settings: LazySettings) -> None:
        settings.GIT_COMMIT = "1234abc"

        assert curator.get("/health/").json()["commit"] == "1234abc"

    def test_without_workers_it_is_unhealthy_but_ready(self, curator: Client) -> None:
        checks = get_checks(curator)

        assert checks["workers"]["status"] == checks["schedule"]["status"] == "failed"
        assert "run_worker" in checks["workers"]["reason"]
        assert curator.get("/health/").status_code == 503
        assert curator.get("/health/ready/").status_code == 200

    def test_processes_that_fall_silent_may_be_unable_to_write(
        self, working: None, curator: Client
    ) -> None:
        Heartbeat.objects.update(seen_at=timezone.now() - dt.timedelta(hours=1))

        checks = get_checks(curator)

        for name, process in (("workers", "worker"), ("schedule", "schedule")):
            assert checks[name]["status"] == "failed"
            assert checks[name]["reason"].startswith(f"No {process} has reported for 3,60")
            assert "could not write to the database" in checks[name]["reason"]

    def test_failed_files_gaps_and_old_data_degrade_it(
        self, working: None, curator: Client, settings: LazySettings
    ) -> None:
        EsmaFile.objects.update(published_on=timezone.localdate() - dt.timedelta(days=30), size=900)
        EsmaFile.objects.filter().update(content="firds/x.zip")
        name = FileName.parse(f"DLTINS_{timezone.localdate():%Y%m%d}_01of01.zip")
        failed = EsmaFile.from_name(name, dataset="esma_firds")
        failed.sequence, failed.state, failed.md5 = 2, EsmaFile.State.FAILED, "1"
        failed.save()
        settings.STORAGE_BUDGET_BYTES = 1_000

        checks = get_checks(curator)

        warnings = {name for name, check in checks.items() if check["status"] == "warning"}
        assert warnings == {"data_age", "gaps", "failed_files", "storage_budget"}
        assert "30 days ago" in checks["data_age"]["reason"]
        assert "90 %" in checks["storage_budget"]["reason"]
        assert curator.get("/health/").status_code == 200

    def test_an_error_in_a_check_is_named_without_its_text(
        self, caplog: pytest.LogCaptureFixture, settings: LazySettings
    ) -> None:
        secret = Secret("a-password-of-the-example")

        def fail() -> Outcome:
            raise ConnectionError(f"user sa at 10.0.0.4 with {secret}")

        result = report.run_check(Check("example", fail))
        report.record([result])

        assert result.status == "failed"
        assert result.reason == "ConnectionError; the log has the details"
        assert "10.0.0.4" in caplog.text
        assert str(secret) not in f"{result.error} {caplog.text}"


class TestBriefReport:
    """The form of the migration plan."""

    def test_it_names_the_four_services(self, client: Client) -> None:
        CheckResult.objects.create(
            name="gleif", status="failed", since=timezone.now(), checked_at=timezone.now()
        )

        response = client.get("/health")

        assert response.status_code == 200
        content = response.json()
        assert set(content) == {"status", "timestamp", "services", "version"}
        assert content["services"] == {
            "database": "connected",
            "openfigi": "unknown",
            "gleif": "unavailable",
            "storage": "connected",
        }

    def test_a_failing_storage_makes_it_unhealthy(
        self, client: Client, settings: LazySettings
    ) -> None:
        settings.MEDIA_ROOT = Path("/proc/files")

        response = client.get("/health")

        assert response.status_code == 503
        assert response.json()["services"]["storage"] == "unavailable"


class TestRecords:
    def test_a_status_is_recorded_with_the_time_it_began(self, curator: Client) -> None:
        tasks.record_health()
        first = CheckResult.objects.get(name="workers")
        tasks.record_health()
        second = CheckResult.objects.get(name="workers")

        assert second.since == first.since
        assert second.checked_at > first.checked_at
        since = dt.datetime.fromisoformat(get_checks(curator)["workers"]["since"])
        assert since == first.since

    def test_another_status_begins_anew(self, curator: Client) -> None:
        tasks.record_health()
        failed = CheckResult.objects.get(name="workers")
        Heartbeat.objects.report(Heartbeat.Role.WORKER)
        assert get_checks(curator)["workers"]["since"] is None
        tasks.record_health()
        recovered = CheckResult.objects.get(name="workers")

        assert (failed.status, recovered.status) == ("failed", "ok")
        assert recovered.since > failed.since


class TestOutsideServices:
    @pytest.fixture
    def outside(self, settings: LazySettings) -> Iterator[FakeRegister]:
        with register.running() as server:
            server.files["/figi/v3/mapping/values/idType"] = b"{}"
            server.files["/gleif/api/v1/lei-records"] = b"{}"
            settings.OPENFIGI_URL = f"{server.url}/figi"
            settings.GLEIF_URL = f"{server.url}/gleif"
            settings.ESMA_REGISTER_URL = f"{server.url}/solr"
            settings.FCA_REGISTER_URL = f"{server.url}/fca"
            settings.REGISTERS = ["esma_firds", "esma_fitrs", "fca_firds"]
            settings.HTTP_TIMEOUT_SECONDS = 1
            yield server

    def test_each_service_is_asked_once(self, outside: FakeRegister) -> None:
        tasks.check_outside_services()

        assert len(outside.requests) == 4
        assert dict(CheckResult.objects.values_list("name", "status")) == dict.fromkeys(
            ("openfigi", "gleif", "esma_register", "fca_register"), "ok"
        )

    def test_failures_are_recorded_and_affect_no_readiness(
        self, outside: FakeRegister, working: None, curator: Client
    ) -> None:
        outside.trouble("/figi/v3/mapping/values/idType", Trouble(status=503))
        outside.trouble("/gleif/api/v1/lei-records", Trouble(wait=3))
        tasks.check_outside_services()

        checks = get_checks(curator)

        assert checks["openfigi"]["status"] == checks["gleif"]["status"] == "failed"
        assert "HTTP 503" in checks["openfigi"]["reason"]
        assert checks["esma_register"]["status"] == "ok"
        assert curator.get("/health/ready/").status_code == 200
        content = curator.get("/health/")
        assert (content.status_code, content.json()["status"]) == (200, "degraded")

    def test_requests_ask_no_outside_service(self, outside: FakeRegister, curator: Client) -> None:
        for path in ("/health", "/health/", "/health/live/", "/health/ready/"):
            curator.get(path)

        assert outside.requests == []

    def test_an_old_record_counts_as_unknown(self, outside: FakeRegister, curator: Client) -> None:
        tasks.check_outside_services()
        CheckResult.objects.update(checked_at=timezone.now() - services.OUTDATED_AFTER)

        assert get_checks(curator)["gleif"]["status"] == "unknown"


class TestCommand:
    @staticmethod
    def run(*arguments: str) -> tuple[int, str]:
        """Return the exit status and the output."""
        out = io.StringIO()
        try:
            call_command("health", *arguments, stdout=out)
        except SystemExit as error:
            return int(str(error.code)), out.getvalue()
        return 0, out.getvalue()

    def test_the_exit_status_tells_the_health(self, working: None) -> None:
        assert self.run()[0] == 0
        EsmaFile.objects.update(state=EsmaFile.State.FAILED)
        assert self.run()[0] == 1
        Heartbeat.objects.all().delete()
        status, text = self.run()
        assert status == 2
        assert "No worker is running" in text
        assert "Unhealthy" in text

    def test_it_tells_the_commit_and_the_time_of_each_check(
        self, working: None, settings: LazySettings
    ) -> None:
        settings.GIT_COMMIT = "0123abc"

        status, text = self.run()

        assert status == 0
        assert f"Healthy, version {__version__}, commit 0123abc." in text
        assert " ms " in text
        assert json.loads(self.run("--format", "json")[1])["commit"] == "0123abc"

    def test_readiness_alone_can_be_checked(self) -> None:
        status, text = self.run("--ready", "--format", "json")

        assert status == 0
        assert {result["name"] for result in json.loads(text)["results"]} == READINESS

    def test_it_waits_no_longer_than_told(self) -> None:
        assert self.run("--wait", "0.5")[0] == 2


def test_a_report_without_failures_of_ours_is_degraded_by_outside_services() -> None:
    results = [
        Result("database", "ok", "", 1, for_readiness=True),
        Result("gleif", "failed", "", 1, is_outside=True),
    ]

    assert Report(results, timezone.now()).status == "degraded"


def test_each_followed_register_is_one_outside_service(settings: LazySettings) -> None:
    settings.REGISTERS = ["esma_firds", "esma_fitrs", "fca_firds", "fca_fitrs", "gleif_lei2"]

    assert services.names() == [
        "openfigi",
        "gleif",
        "esma_register",
        "fca_register",
        "fca_fitrs_register",
    ]


@pytest.mark.django_db
def test_data_of_each_followed_dataset_must_be_recent(settings: LazySettings) -> None:
    settings.REGISTERS = ["esma_firds", "fca_firds"]
    today = timezone.localdate()
    for dataset, days in (("esma_firds", 5), ("fca_firds", 1)):
        name = FileName.parse(f"DLTINS_{today - dt.timedelta(days=days):%Y%m%d}_01of01.zip")
        file = EsmaFile.from_name(name, dataset=dataset)
        file.state, file.sequence, file.md5 = EsmaFile.State.ARCHIVED, 1, dataset
        file.loaded_at = timezone.now()
        file.save()

    outcome = check_data_age()

    assert outcome.status == "warning"
    assert "ESMA FIRDS: " in outcome.reason
    assert "5 days ago" in outcome.reason


@pytest.mark.usefixtures("working")
def test_the_page_of_health_shows_workers_and_checks(
    client: Client, curator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Heartbeat.objects.filter(role=Heartbeat.Role.BEAT).update(
        seen_at=timezone.now() - dt.timedelta(hours=1)
    )
    Run.objects.create(state=Run.State.QUEUED, kind=Run.Kind.ENRICH)
    curator.get("/status/")
    with django_assert_num_queries(10):  # the report itself is a few seconds old
        page = curator.get("/status/").content.decode()

    assert page.count(">Running</span>") == 1
    assert page.count(">No report</span>") == 1
    assert "1 run</a> waits for a worker" in page
    assert ">Workers</td>" in page
    assert client.get("/status/").headers["Location"].startswith("/sign-in/")
