"""Telemetry of real processes, received by a server on loopback, and searched for secrets."""

import datetime as dt
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from pytest_django import DjangoAssertNumQueries

from marketdata.common import telemetry
from marketdata.services.models import RequestBudget
from marketdata.settings import telemetry as telemetry_settings
from monitoring.telemetry.gauges import read_gauges
from monitoring.telemetry.prometheus import BatchHistogram
from tests import ingestion
from tests.ingestion import Ingestion
from tests.installation import ROOT, Installation

CANARY = "canary-of-a-client"
API_KEY = f"md_0123456789ab_{CANARY:x<43}"
# A process of the service: a page, an unknown page, a failing page and a run, with values of a client.
SCRIPT = f"""
import logging, sys, django
django.setup()
from django.conf import settings
from django.test import Client
from django.http import HttpResponse
from django.urls import path
from esma_files.models import Run
from django.core.cache import caches
from marketdata.common import telemetry
import marketdata.urls

def fail(request, name):
    raise RuntimeError(f"the example has failed with {{settings.SECRET_KEY}} and {API_KEY}")

settings.STORAGES["staticfiles"] = {{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
caches["counts"].get("{CANARY}")
telemetry.report_stage("staging", 1.5)
with telemetry.Call("http", "example.org", "GET"):
    pass
marketdata.urls.urlpatterns.insert(0, path("example/<str:name>/", fail))
client = Client(raise_request_exception=False)
headers = {{"authorization": "Bearer {CANARY}", "x-api-key": "{CANARY}", "cookie": "sessionid={CANARY}"}}
client.get("/api/v1/instruments/?q={CANARY}&token={CANARY}", headers=headers)  # two credentials
client.get("/api/v1/instruments/?q={CANARY}")
client.post("/sign-in/", {{"username": "{CANARY}", "password": "{CANARY}"}}, headers=headers)
client.get("/example/{CANARY}/?secret={CANARY}", headers=headers)
client.get("/api/no-such-path/{CANARY}/")
logging.getLogger("example").warning("a warning of the example: %s", settings.SECRET_KEY)
try:
    fail(None, "")
except RuntimeError:
    logging.getLogger("example").exception("an error of the example", extra={{"canary": "{CANARY}"}})
run = Run.begin(Run.Kind.CLEAN)
run.read = run.new = 7
run.end()
FINISH
"""
ENVIRONMENT = {"HTTPS": "false", "ALLOWED_HOSTS": "testserver", "ANONYMOUS_READ": "true"}


def run_service(
    installation: Installation, finish: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("FINISH", finish)],
        cwd=ROOT,
        env={
            **installation.environment,
            **ENVIRONMENT,
            "DJANGO_SETTINGS_MODULE": "marketdata.settings",
            "TELEMETRY_DIR": str(installation.database.parent / "telemetry"),
            "METRICS_DIR": str(installation.database.parent / "metrics"),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process


@pytest.fixture
def installation(tmp_path: Path, migrated_database: Path) -> Installation:
    return Installation(tmp_path).copy_database(migrated_database)


def wait_until(is_met: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.1)


FLUSH = "[exporter.flush() for exporter in telemetry.exporters]"


def find_request(received: Ingestion, name: str, status: int) -> dict[str, Any]:
    return next(
        data
        for data in received.of_type("RequestData")
        if data["name"] == name and data["responseCode"] == str(status)
    )


@pytest.mark.slow
def test_application_insights_receives_requests_logs_and_numbers(
    installation: Installation,
) -> None:
    with ingestion.running() as received:
        connection_string = received.connection_string
        run_service(installation, FLUSH, APPLICATIONINSIGHTS_CONNECTION_STRING=connection_string)
    page = find_request(received, "GET /api/v1/instruments/", 200)
    assert page["success"]
    assert int(page["properties"]["count.database"]) >= 1
    assert len(page["properties"]["request_id"]) == 32
    assert find_request(received, "GET /api/(?P<path>.*)", 404)
    assert not find_request(received, "GET /example/<str:name>/", 500)["success"]
    exceptions = json.dumps(received.of_type("ExceptionData"))
    assert "RuntimeError" in exceptions
    messages = received.of_type("MessageData")
    assert "a warning of the example: ********" in [data["message"] for data in messages]
    assert any("fail" in data["message"] and "Traceback" in data["message"] for data in messages)
    metrics = {m["name"] for d in received.of_type("MetricData") for m in d["metrics"]}
    assert metrics >= {
        *("request.seconds", "request.queries", "run.records", "run.seconds"),
        *("call.seconds", "cache.reads", "load.stage.seconds"),
    }
    sent = "".join(received.bodies)
    assert CANARY not in sent
    assert installation.environment["SECRET_KEY"] not in sent
    assert set(received.paths) == {"/v2.1/track"}, "nothing is sent home"


# Stores a file in Blob Storage and requests a load; then one of a file whose bytes get lost.
REQUEST_LOADS = """
from pathlib import Path
from esma_files import queue
from esma_files.models import Run
from instruments import pipeline
paths = [Path("tests/data/firds") / f"FULINS_{letter}_20250830_01of01.zip" for letter in "CE"]
kept, lost = pipeline.register_files(paths)
lost.content.storage.delete(lost.stored_name)
for file in (kept, lost):
    queue.request_run(Run.Kind.LOAD, file=file)
"""


@pytest.mark.slow
def test_application_insights_receives_tasks_and_their_calls_of_the_storage(
    installation: Installation, azurite: str
) -> None:
    with ingestion.running() as received:
        installation.environment |= {
            **ENVIRONMENT,
            "AZURE_STORAGE_CONNECTION_STRING": azurite,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": received.connection_string,
            "TELEMETRY_DIR": str(installation.database.parent / "telemetry"),
        }
        installation.run("shell", "-c", REQUEST_LOADS)
        with installation.worker():
            installation.wait_for("SELECT count(*) FROM esma_files_run WHERE state = 'done'", 1)
            installation.wait_for("SELECT count(*) FROM esma_files_run WHERE state = 'failed'", 1)
            installation.send("esma_files.run_delete", 1, 2)  # it takes one argument
            wait_until(lambda: "TypeError" in installation.log.read_text())
        # The worker has sent what was waiting, at its end.
    tasks = [t for t in received.of_type("RequestData") if t["name"] == "instruments.run_load"]
    assert len(tasks) == 2
    assert all(int(task["properties"]["count.storage"]) >= 1 for task in tasks)
    assert all(int(task["properties"]["count.database"]) >= 1 for task in tasks)
    [refused] = [t for t in received.of_type("RequestData") if "run_delete" in t["name"]]
    assert not refused["success"]
    assert "TypeError" in json.dumps(received.of_type("ExceptionData"))
    failed = [d for d in received.of_type("RemoteDependencyData") if d["name"] == "storage open"]
    assert [call["success"] for call in failed if not call["success"]] == [False]
    measured = [
        metric
        for data in received.of_type("MetricData")
        for metric in data["metrics"]
        if metric["name"] == "call.seconds" and data["properties"]["kind"] == "storage"
    ]
    assert measured
    assert installation.environment["SECRET_KEY"] not in "".join(received.bodies)
    assert "AccountKey" not in "".join(received.bodies)


@pytest.mark.slow
def test_what_could_not_be_sent_is_sent_later(installation: Installation) -> None:
    with ingestion.running() as received:
        received.is_available = False
        options = {"APPLICATIONINSIGHTS_CONNECTION_STRING": received.connection_string}
        run_service(installation, FLUSH, **options)
        assert received.bodies == []
        kept = [p for p in (installation.database.parent / "telemetry").rglob("*") if p.is_file()]
        assert kept
        assert not any(CANARY in path.read_text() for path in kept)

        for path in kept:  # as a minute later, when the exporter gives them free
            path.rename(path.with_name(path.name.partition("@")[0]))
        received.is_available = True
        send_again = (
            FLUSH
            + """
for exporter in telemetry.exporters:
    for processor in exporter._traces._active_span_processor._span_processors:
        processor.span_exporter._transmit_from_storage()
"""
        )
        run_service(installation, send_again, **options)
    failed = [d for d in received.of_type("RequestData") if d["name"].startswith("GET /example/")]
    assert len(failed) == 2, "of both processes"


@pytest.mark.slow
def test_opencensus_sends_requests_and_says_that_it_is_retired(
    installation: Installation,
) -> None:
    with ingestion.running() as received:
        options = {"APPLICATIONINSIGHTS_CONNECTION_STRING": received.connection_string}
        process = run_service(installation, TELEMETRY="opencensus", **options)
    assert "retired OpenCensus" in process.stderr
    requests = received.of_type("RequestData")
    assert {request["responseCode"] for request in requests} >= {"200", "500", "404"}
    sent = "".join(received.bodies)
    assert "token=" not in sent
    assert "secret=" not in sent
    assert f"Bearer {CANARY}" not in sent
    assert f"sessionid={CANARY}" not in sent
    assert API_KEY not in sent
    assert "and md_0123456789ab_[masked]" in sent
    assert installation.environment["SECRET_KEY"] not in sent


@pytest.mark.slow
def test_prometheus_adds_up_the_numbers_of_all_processes(installation: Installation) -> None:
    show = """
from monitoring.telemetry.prometheus import exposition
print(exposition().decode())
"""
    run_service(installation, TELEMETRY="prometheus")
    text = run_service(installation, show, TELEMETRY="prometheus").stdout

    def value(name: str) -> float:
        match = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert match, f"{name} is not in\n{text}"
        return float(match[1])

    route = 'route="GET /api/v1/instruments/",status="200"'
    assert value(f"marketdata_request_seconds_count{{{route}}}") == 2
    assert value('marketdata_records_total{kind="clean",outcome="new"}') == 14
    assert value('marketdata_runs_total{kind="clean",state="done"}') == 2
    assert value('marketdata_runs_open{state="queued"}') == 0
    assert value('marketdata_load_stage_seconds_total{stage="staging"}') == 3
    assert value('marketdata_cache_reads_total{cache="counts",hit="False"}') >= 2
    assert 'marketdata_call_seconds_count{kind="database",ok="True",target="default"}' in text
    assert CANARY not in text


@pytest.mark.slow
def test_a_metric_that_cannot_be_written_does_not_stop_the_others(
    installation: Installation,
) -> None:
    ask = """
from marketdata.common.telemetry import Operation
from monitoring.telemetry.prometheus import exposition
for name, queries in (("GET /bad/", "three"), ("GET /good/", 3)):
    with Operation("request", name, status=200) as operation:
        operation.counts["database"] = queries
print(exposition().decode())
"""
    process = run_service(installation, ask, TELEMETRY="prometheus")

    assert 'marketdata_request_queries_count{route="GET /good/"} 1.0' in process.stdout
    assert 'marketdata_request_seconds_count{route="GET /bad/",status="200"} 1.0' in process.stdout
    assert "A metric cannot be written." in process.stderr


def test_many_observations_at_once_are_counted_as_one_by_one() -> None:
    bounds = (0.0, 0.5, 1.0, 2.5)
    registries = CollectorRegistry(), CollectorRegistry()
    one_by_one, at_once = (
        BatchHistogram("seconds", "", ["route"], buckets=bounds, registry=registry)
        for registry in registries
    )
    amounts = [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 2.5, 2.75, 1000.0]

    for amount in amounts:
        one_by_one.labels("a").observe(amount)
    at_once.labels("a").observe_all(amounts)

    texts = [re.sub(r".*_created.*\n", "", generate_latest(r).decode()) for r in registries]
    assert texts[0] == texts[1]
    assert 'seconds_bucket{le="1.0",route="a"} 6.0' in texts[1]


@pytest.mark.django_db
def test_the_requests_left_to_outside_services_are_a_metric() -> None:
    RequestBudget.objects.claim("openfigi", requests=25, seconds=60)
    RequestBudget.objects.claim("gleif", requests=60, seconds=60)
    past = timezone.now() - dt.timedelta(seconds=1)
    RequestBudget.objects.filter(service="gleif").update(resets_at=past, remaining=0)

    gauges = {gauge.name: gauge for gauge in read_gauges()}

    assert gauges["service.requests.left"].numbers == {"openfigi": 24, "gleif": 60}


class TestMetricsAddress:
    @pytest.mark.django_db
    def test_it_needs_a_permission(self, client: Client, admin_client: Client) -> None:
        assert client.get("/metrics").status_code in (401, 403)
        assert admin_client.get("/metrics").status_code == 404, "no metrics are configured"

    @pytest.mark.django_db
    def test_it_answers_in_the_text_format_of_prometheus(
        self, admin_client: Client, settings: LazySettings, tmp_path: Path
    ) -> None:
        settings.TELEMETRY, settings.METRICS_DIR = ["prometheus"], tmp_path

        response = admin_client.get("/metrics")

        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        assert "\nmarketdata_storage_bytes 0" in response.content.decode()


class CallList:
    """An exporter that keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[telemetry.Call] = []

    def operation(self, operation: telemetry.Operation) -> None: ...
    def run(self, run: Any) -> None: ...
    def stage(self, name: str, seconds: float) -> None: ...
    def call(self, call: telemetry.Call) -> None:
        self.calls.append(call)


def test_calls_of_the_folder_of_files_are_measured(
    own_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = CallList()
    monkeypatch.setattr(telemetry, "exporters", [exporter])
    storage = storages["local"]

    storage.save("firds/2025/a.zip", ContentFile(b"bytes"))
    with storage.open("firds/2025/a.zip") as file:
        assert file.read() == b"bytes"
    with pytest.raises(FileNotFoundError):
        storage.open("firds/2025/b.zip")

    assert [(call.kind, call.target, call.name, call.is_ok) for call in exporter.calls] == [
        ("storage", "local", "save", True),
        ("storage", "local", "open", True),
        ("storage", "local", "open", False),
    ]


class TestWithoutTelemetry:
    @pytest.mark.slow
    def test_nothing_is_installed(self, settings: LazySettings) -> None:
        assert settings.TELEMETRY == []
        assert telemetry.exporters == []
        assert not [name for name in settings.MIDDLEWARE if "elemetry" in name]
        for library in ("azure.monitor", "prometheus_client", "opencensus"):
            assert telemetry_library_is_absent(library)

    @pytest.mark.django_db
    def test_calls_are_not_measured(
        self, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        with telemetry.Call("http", "example", "GET"):
            assert telemetry.current.get() is None


def telemetry_library_is_absent(library: str) -> bool:
    code = f"import django, sys; django.setup(); print({library!r} in sys.modules)"
    environment = {"DJANGO_SETTINGS_MODULE": "marketdata.settings"}
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**Installation(Path("/nonexistent")).environment, **environment, "SQLITE_DB_PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.strip() == "False"


class TestSettings:
    @pytest.mark.parametrize(
        ("names", "connection_string", "expected"),
        [
            ("", "", []),
            ("", "InstrumentationKey=x", ["azure"]),
            ("prometheus", "", ["prometheus"]),
            ("prometheus", "InstrumentationKey=x", ["prometheus", "azure"]),
            ("opencensus", "InstrumentationKey=x", ["opencensus"]),
        ],
    )
    def test_exporters_follow_from_the_settings(
        self,
        names: str,
        connection_string: str,
        expected: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("TELEMETRY", names)

        assert telemetry_settings.exporters(connection_string) == expected

    @pytest.mark.parametrize("names", ["azure", "opencensus", "splunk"])
    def test_what_cannot_work_stops_the_start(
        self, names: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TELEMETRY", names)

        with pytest.raises(ImproperlyConfigured, match="TELEMETRY"):
            telemetry_settings.exporters("")
