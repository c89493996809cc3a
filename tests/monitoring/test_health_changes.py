"""Log lines about the health of the service: one for each change, and none for the questions of monitors."""

import io
import logging
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from marketdata.common.logs import LinesOfRefusals
from monitoring.health import report
from monitoring.health.checks import Result

pytestmark = pytest.mark.django_db


def test_changes_are_logged_once_and_the_questions_not_at_all(
    client: Client, settings: LazySettings, tmp_path: Path
) -> None:
    report.recent.forget()
    client.get("/health/")  # the statuses so far are known
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(LinesOfRefusals())
    logging.getLogger().addHandler(handler)
    try:
        settings.MEDIA_ROOT = Path("/proc/files")
        for path in ("/health/ready/", "/health/", "/health", "/health/ready/"):
            report.recent.forget()
            assert client.get(path).status_code == 503
        settings.MEDIA_ROOT = tmp_path / "files"
        for _ in range(2):
            report.recent.forget()
            assert client.get("/health/ready/").status_code == 200
    finally:
        logging.getLogger().removeHandler(handler)

    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "has failed: FileNotFoundError" in lines[0]
    assert lines[1] == "The health check storage is ok again."


def test_a_change_is_logged_and_what_stays_is_not(caplog: pytest.LogCaptureFixture) -> None:
    for status in ("ok", "failed", "failed", "warning", "ok", "ok"):
        report.record([Result("example", status, "a reason", 1.0)])
    report.record([Result("gleif", "failed", "HTTP 503", 1.0, is_outside=True)])

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "The health check example has failed: a reason"),
        ("WARNING", "The health check example warns: a reason"),
        ("WARNING", "The health check example is ok again."),
        ("WARNING", "The health check gleif has failed: HTTP 503"),
    ]
