"""The queries of Azure's workbook and alerts name what Application Insights receives."""

import json
import re
from pathlib import Path

import pytest

from tests import ingestion
from tests.conftest import ROOT
from tests.ingestion import Ingestion
from tests.installation import Installation
from tests.monitoring.test_telemetry import FLUSH, run_service

WORKBOOK = ROOT / "deploy" / "azure" / "workbook.json"
ALERTS = ROOT / "deploy" / "modules" / "log_alerts.bicep"
LOAD = """
from pathlib import Path
from esma_files.models import Heartbeat
from instruments import pipeline
from monitoring.tasks import record_health
[loaded] = pipeline.load(
    pipeline.register_files([Path("tests/data/firds/FULINS_C_20250830_01of01.zip")])
)
if loaded.error is not None:
    raise loaded.error
Heartbeat.objects.report("worker")
record_health()
"""
# The tables of Application Insights: the type of the envelopes that fill each, and its columns.
TABLES = {
    "requests": ("RequestData", {"name", "url", "success", "resultCode", "duration"}),
    "dependencies": ("RemoteDependencyData", {"name", "target", "success", "duration"}),
    "exceptions": ("ExceptionData", {"type", "outerMessage"}),
    "customMetrics": ("MetricData", {"name", "value", "valueCount", "valueSum"}),
}
COMMON_COLUMNS = {"timestamp", "customDimensions"}
LANGUAGE = {
    *("where", "summarize", "extend", "by", "bin", "top", "desc", "and", "in", "false"),
    *("percentile", "count", "countif", "sum", "sumif", "avg", "max", "arg_max"),
    *("isnotempty", "isnull", "or", "tostring", "todouble", "toint"),
}


def get_queries() -> list[str]:
    items = json.loads(WORKBOOK.read_bytes())["items"]
    queries = [item["content"]["query"] for item in items if item["type"] == 3]
    return queries + re.findall(r"^    query: '(.*)'$", ALERTS.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Ingestion:
    installation = Installation(tmp_path_factory.mktemp("telemetry"))
    installation.copy_database(migrated_database)
    with ingestion.running() as received:
        connection_string = received.connection_string
        run_service(
            installation, LOAD + FLUSH, APPLICATIONINSIGHTS_CONNECTION_STRING=connection_string
        )
    return received


def test_each_query_uses_columns_of_its_table() -> None:
    queries = get_queries()
    assert len(queries) == 21
    for query in queries:
        table, *rest = re.sub(r'"[^"]*"', '""', query).split("|")
        text = "|".join(rest)
        columns = TABLES[table.strip()][1] | COMMON_COLUMNS
        aliases = set(re.findall(r"(\w+) = ", text))
        unknown = set(re.findall(r"\b[A-Za-z_]\w*", text)) - LANGUAGE - columns - aliases
        assert unknown == set(), query


@pytest.mark.slow
def test_each_query_names_metrics_and_dimensions_that_are_sent(received: Ingestion) -> None:
    for query in get_queries():
        envelope = TABLES[query.split("|")[0].strip()][0]
        sent = received.of_type(envelope)
        if envelope == "MetricData":
            [condition] = re.findall(r"where name (?:==|in) (.*)", query.replace(" | ", "\n"))
            names = set(re.findall(r'"([^"]+)"', condition))
            by_name = {name: [] for name in names}  # type: dict[str, list[object]]
            for data in sent:
                for metric in data["metrics"]:
                    by_name.setdefault(metric["name"], []).append(data)
            assert all(by_name[name] for name in names), query
            sent = [data for name in names for data in by_name[name]]  # type: ignore[misc]
        for dimension in re.findall(r'customDimensions\["([^"]+)"\]', query):
            assert any(dimension in data["properties"] for data in sent), (dimension, query)


@pytest.mark.slow
def test_every_number_that_is_sent_is_in_the_workbook(received: Ingestion) -> None:
    sent = {m["name"] for data in received.of_type("MetricData") for m in data["metrics"]}
    text = WORKBOOK.read_text()
    # Durations and statements of requests are taken from the requests themselves.
    missing = {name for name in sent if f'\\"{name}\\"' not in text}
    assert missing <= {"request.seconds", "request.queries", "info", "runs.open", "processes"}
