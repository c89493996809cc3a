"""Logs, and the exporters that telemetry is sent to."""

import logging as logging_library
import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from marketdata.common import logs
from marketdata.settings import env, masking

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_EXPORTERS = ("azure", "opencensus", "prometheus")


def logging(*, is_production: bool) -> dict[str, Any]:
    """Return Django's LOGGING. In production the lines are JSON, unless somebody reads them on a terminal."""
    default = logs.default_format(is_production=is_production)
    line_format = env.read("LOG_FORMAT", env.one_of("json", "line"), default)
    logging_library.captureWarnings(line_format == "json")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": "marketdata.common.logs.LineFormatter", "mask": masking.mask},
            "json": {"()": "marketdata.common.logs.JsonFormatter", "mask": masking.mask},
        },
        "filters": {
            "refusals": {"()": "marketdata.common.logs.LinesOfRefusals"},
            "broker": {"()": "marketdata.common.logs.LinesOfLostBroker"},
            "repeated": {"()": "marketdata.common.logs.RepeatedLines"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": line_format,
                "filters": ["refusals", "broker", "repeated"],
            }
        },
        "root": {
            "handlers": ["console"],
            "level": env.read("LOG_LEVEL", env.one_of(*_LEVELS), "WARNING"),
        },
    }


def connection_string() -> str:
    return env.read("APPLICATIONINSIGHTS_CONNECTION_STRING", env.connection_string, "")


def exporters(connection_string: str) -> list[str]:
    """Return the exporters in TELEMETRY. A connection string alone means Application Insights."""
    names: list[str] = env.read("TELEMETRY", env.names, [])
    if unknown := [name for name in names if name not in _EXPORTERS]:
        raise ImproperlyConfigured(
            f"TELEMETRY={','.join(unknown)!r} is unknown. Choose from: {', '.join(_EXPORTERS)}."
        )
    if not {"azure", "opencensus"} & set(names):
        return [*names, "azure"] if connection_string else names
    if not connection_string:
        raise ImproperlyConfigured(
            "TELEMETRY needs the variable APPLICATIONINSIGHTS_CONNECTION_STRING for Application Insights."
        )
    return names


def middleware(names: list[str]) -> list[str]:
    """Return the middleware that the exporters need: none without exporters."""
    classes = []
    if set(names) - {"opencensus"}:
        classes.append("marketdata.common.telemetry.TelemetryMiddleware")
    if "opencensus" in names:
        classes.append("monitoring.telemetry.opencensus.OpenCensusMiddleware")
    return classes


def measured(caches: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return CACHES with a backend for `counts` that reports its calls, if there is an exporter for them."""
    if set(names) - {"opencensus"}:
        is_redis = "Redis" in caches["counts"]["BACKEND"]
        backend = "MeasuredRedis" if is_redis else "MeasuredFileCounts"
        caches["counts"]["BACKEND"] = f"marketdata.web.measured_caches.{backend}"
    return caches


def use_metrics_folder(folder: Path, names: list[str]) -> None:
    """Let prometheus-client share numbers between processes; it reads this variable when imported."""
    if "prometheus" in names:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
