"""The operations guide explains each health check and each alert, and no others."""

import re

from django.conf import LazySettings

from esma_files.datasets import Dataset
from monitoring.health import services
from monitoring.health.checks import CHECKS
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "operations.md").read_text()
_ALERT = re.compile(r"^    name: '([a-z0-9-]+)'$", re.MULTILINE)


def read_table(header: str) -> list[str]:
    """Return the first cells of the rows of each table with a header."""
    tables = GUIDE.split(f"{header}\n")[1:]
    assert tables, header
    lines = [line for table in tables for line in table.partition("\n\n")[0].splitlines()[1:]]
    return [line.split(" |")[0].removeprefix("| ") for line in lines]


def test_each_health_check_is_explained(settings: LazySettings) -> None:
    settings.REGISTERS = list(Dataset.values)
    cells = read_table("| check | what to do if it is not `ok` |")
    explained = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]

    assert sorted(explained) == sorted([*(check.name for check in CHECKS), *services.names()])


def test_each_alert_of_azure_is_explained() -> None:
    modules = ROOT / "deploy" / "modules"
    names = [
        name
        for file in ("alerts.bicep", "log_alerts.bicep")
        for name in _ALERT.findall((modules / file).read_text())
    ]
    explained = [cell.split("`")[1] for cell in read_table("| alert | what to do |")]

    assert len(names) == 11
    assert sorted(explained) == sorted(names)
