"""Log lines as JSON, and the ids of requests and runs in them."""

import json
import logging
import sys
import warnings

import pytest
from django.test import Client
from gunicorn.config import Config
from redis.exceptions import ConnectionError as RedisConnectionError

from esma_files.models import Run
from esma_files.tasks import end_task
from marketdata.common import logs
from marketdata.common.logs import JsonFormatter
from marketdata.settings import telemetry
from marketdata.settings.masking import Secret
from marketdata.web_worker import ServerLog


@pytest.fixture(autouse=True)
def no_run() -> None:
    """Forget the run that an earlier test of this process has worked on."""
    logs.run_id.set(None)


def format_record(message: str, *arguments: object, exc_info: object = None) -> dict[str, object]:
    record = logging.LogRecord(
        "example",
        logging.ERROR,
        __file__,
        1,
        message,
        arguments,
        exc_info,  # type: ignore[arg-type]
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    content: dict[str, object] = json.loads(line)
    return content


def test_a_line_is_one_json_object() -> None:
    content = format_record("%s is\nmissing", "x")

    assert content.pop("time")
    assert content == {"level": "ERROR", "logger": "example", "message": "x is\nmissing"}


def test_an_exception_stays_within_its_line() -> None:
    try:
        raise ValueError("no number")
    except ValueError:
        content = format_record("failed", exc_info=sys.exc_info())

    assert "ValueError: no number" in str(content["exception"])


def test_a_line_names_its_request_and_its_run() -> None:
    token, run_token = logs.request_id.set("abc"), logs.run_id.set(7)
    try:
        content = format_record("x")
    finally:
        logs.request_id.reset(token)
        logs.run_id.reset(run_token)

    assert (content["request_id"], content["run_id"]) == ("abc", 7)


@pytest.mark.django_db
def test_a_run_is_named_until_its_task_ends() -> None:
    run = Run.begin(Run.Kind.CLEAN)

    assert format_record("x")["run_id"] == run.pk
    end_task(state="SUCCESS")
    assert "run_id" not in format_record("x")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("proxy-id.1234", True), ("short", False), ("x" * 65, False), ("12345678\nforged", False)],
)
def test_each_response_has_the_id_of_its_request(
    client: Client, given: str, *, is_taken: bool
) -> None:
    header = given.replace("\n", " ")
    response = client.get("/sign-in/", headers={"x-request-id": header})

    identifier = response.headers["X-Request-ID"]
    assert (identifier == given) is is_taken
    assert is_taken or len(identifier) == 32
    assert logs.request_id.get() == ""


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/nothing/", "/api/v1/nothing/", "/api/v1/instruments/"])
def test_the_line_of_a_refusal_names_its_request(
    client: Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """Django logs a refusal after all middleware, when the id is no longer that of the thread."""
    response = client.get(path)

    assert response.status_code in (401, 404)
    lines = [
        JsonFormatter().format(record)
        for record in caplog.records
        if record.name == "django.request"
    ]
    (line,) = map(json.loads, lines)
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert "exception" not in line


def test_production_logs_json_where_nobody_reads_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)

    def formatter(**options: bool) -> str:
        return str(telemetry.logging(**options)["handlers"]["console"]["formatter"])

    assert formatter(is_production=True) == "json"
    assert formatter(is_production=False) == "line"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert formatter(is_production=True) == "line"
    monkeypatch.setenv("LOG_FORMAT", "json")
    assert formatter(is_production=False) == "json"


@pytest.mark.parametrize("line_format", ["json", "line"])
def test_the_web_server_logs_in_the_format_of_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line_format: str
) -> None:
    monkeypatch.setenv("LOG_FORMAT", line_format)

    server_log = ServerLog(Config())
    server_log.error("Worker (pid:%s) was sent %s!", 7, "SIGKILL")
    for handler in list(server_log.error_log.handlers):
        server_log.error_log.removeHandler(handler)

    line = capsys.readouterr().err
    assert "Worker (pid:7) was sent SIGKILL!" in line
    assert line.startswith("{") is (line_format == "json")


@pytest.mark.parametrize("line_format", ["json", "line"])
def test_the_lines_of_the_web_server_are_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line_format: str
) -> None:
    monkeypatch.setenv("LOG_FORMAT", line_format)
    secret = Secret("a-password-of-the-example")

    server_log = ServerLog(Config())
    try:
        raise ValueError(f"cannot sign in with {secret}")
    except ValueError:
        server_log.exception("Exception in worker process: %s", str(secret))
    for handler in list(server_log.error_log.handlers):
        server_log.error_log.removeHandler(handler)

    lines = capsys.readouterr().err
    assert "cannot sign in with ********" in lines
    assert "Exception in worker process: ********" in lines
    assert str(secret) not in lines


def test_warnings_are_log_lines_in_production(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    logging.captureWarnings(False)  # whatever the settings of the tests are
    try:
        telemetry.logging(is_production=True)
        warnings.showwarning("two\nlines", UserWarning, "example.py", 1)
    finally:
        logging.captureWarnings(False)

    [record] = caplog.records
    assert record.name == "py.warnings"
    assert "\n" not in JsonFormatter().format(record)


def test_a_line_that_repeats_is_written_once_a_minute_with_the_number_left_out() -> None:
    time = [100.0]
    repeated = logs.RepeatedLines(clock=lambda: time[0])

    def written(number: int, extra: dict[str, bool]) -> str | None:
        logger = logging.getLogger("example")
        record = logger.makeRecord(
            "example", 40, __file__, 1, "Lost: %s", (number,), None, extra=extra
        )
        return record.getMessage() if repeated.filter(record) else None

    assert written(1, logs.REPEATED) == "Lost: 1"
    assert [written(n, logs.REPEATED) for n in (2, 3)] == [None, None]
    assert [written(n, {}) for n in (4, 5)] == ["Lost: 4", "Lost: 5"]
    time[0] += 60
    assert written(6, logs.REPEATED) == "Lost: 6 (not logged meanwhile: 2 more of these)"
    assert written(7, logs.REPEATED) is None
    time[0] += 60
    assert written(8, logs.REPEATED) == "Lost: 8 (not logged meanwhile: 1 more of these)"


@pytest.mark.parametrize(
    ("logger", "first", "has_traceback"),
    [
        ("kombu.asynchronous.hub", RedisConnectionError("refused"), False),
        ("celery.bootsteps", RedisConnectionError("closed"), False),
        ("celery.worker.consumer.consumer", ConnectionRefusedError("refused"), False),
        ("kombu.asynchronous.hub", ValueError("a defect"), True),
        ("kombu.asynchronous.hub", FileNotFoundError("a defect"), True),
        ("celery.app.trace", ConnectionRefusedError("a task has failed"), True),
        ("instruments.tasks", ConnectionRefusedError("refused"), True),
    ],
)
def test_a_broker_that_is_away_is_a_line_without_a_traceback(
    logger: str, first: Exception, has_traceback: bool
) -> None:
    try:
        try:
            raise first
        except type(first):
            raise AttributeError("the channel is closed")  # noqa: B904  # as kombu does
    except AttributeError:
        record = logging.LogRecord(logger, 40, __file__, 1, "Error in timer", (), sys.exc_info())

    assert logs.LinesOfLostBroker().filter(record)
    assert ("exception" in json.loads(JsonFormatter().format(record))) is has_traceback
