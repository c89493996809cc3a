"""The Grafana dashboard asks for metrics and labels that the service exports, and for all of its metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from prometheus_client import REGISTRY, Counter, Histogram

from instruments import pipeline
from monitoring.telemetry import prometheus
from tests.conftest import FIRDS, ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "marketdata.json"
_METRIC = re.compile(r"(marketdata_\w+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"sum by \(([^)]*)\) \([^m]*(marketdata_\w+)")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}

Labels = dict[str, set[str]]


@pytest.fixture
def exported(transactional_db: None, settings: LazySettings, tmp_path: Path) -> Iterator[Labels]:
    """Return the labels of each series that /metrics can show."""
    settings.METRICS_DIR = tmp_path / "metrics"
    [loaded] = pipeline.load(pipeline.register_files([FIRDS / "FULINS_C_20250830_01of01.zip"]))
    assert loaded.error is None
    exporter = prometheus.Prometheus()
    metrics = [
        value for value in vars(exporter).values() if isinstance(value, (Counter, Histogram))
    ]
    labels: Labels = {}
    for metric in metrics:
        for suffix in _SUFFIXES[metric._type]:
            own = {"le"} if suffix == "_bucket" else set()
            labels[metric._name + suffix] = {*metric._labelnames} | own
    for family in prometheus._DatabaseGauges().collect():
        labels[family.name] = {*family._labelnames}
    yield labels
    for metric in metrics:
        REGISTRY.unregister(metric)


def get_queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_bytes())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_each_query_names_a_metric_and_labels_that_are_exported(exported: Labels) -> None:
    for query in get_queries():
        names = _METRIC.findall(query)
        assert names, query
        for name, selectors in names:
            assert name in exported, query
            assert set(re.findall(r"(\w+)(?:=|!=|=~)\"", selectors)) <= exported[name], query
        grouped = _GROUPED.findall(query)
        assert len(grouped) == query.count(" by ("), query
        for labels, name in grouped:
            assert set(labels.split(", ")) <= exported[name], query


def test_each_legend_names_labels_that_the_query_keeps() -> None:
    for panel in json.loads(DASHBOARD.read_bytes())["panels"]:
        for target in panel["targets"]:
            kept = {name for by, _ in _GROUPED.findall(target["expr"]) for name in by.split(", ")}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, panel["title"]


def test_each_exported_metric_is_on_the_dashboard(exported: Labels) -> None:
    shown = {name for query in get_queries() for name, _ in _METRIC.findall(query)}
    missing = {
        name
        for name in exported
        if not any(other.startswith(re.sub("_(bucket|sum|count)$", "", name)) for other in shown)
    }

    assert missing == {"marketdata_info", "marketdata_run_seconds_total"}  # not to be looked at


def test_the_operations_guide_explains_each_metric_and_no_other(exported: Labels) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    table = guide.partition("| Prometheus | Application Insights |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"^\| `(marketdata_\w+)` \|", table, re.MULTILINE))

    names = {re.sub("_(bucket|sum|count)$", "", name) for name in exported}
    assert explained == names
    anywhere = {re.sub("_(bucket|sum|count)$", "", name) for name, _ in _METRIC.findall(guide)}
    assert anywhere <= names


def test_the_operations_guide_names_what_application_insights_receives() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    table = guide.partition("| Prometheus | Application Insights |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"\| `([a-z.]+)` \|", table))

    telemetry = ROOT / "monitoring" / "telemetry"
    created = re.findall(
        r'create_(?:histogram|counter)\("([a-z.]+)"', (telemetry / "azure.py").read_text()
    )
    gauges = re.findall(
        r'"([a-z]+(?:\.[a-z]+)*)", "[A-Z0-9]', (telemetry / "gauges.py").read_text()
    )
    assert explained == {*created, *gauges}
