"""Logs, and where telemetry is sent."""

import sys
from typing import Any

from marketdata.settings import env


def logging(*, is_production: bool) -> dict[str, Any]:
    """Return Django's LOGGING. In production the lines are JSON, unless somebody reads them on a terminal."""
    default = "json" if is_production and not sys.stderr.isatty() else "line"
    line_format = env.read("LOG_FORMAT", env.one_of("json", "line"), default)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
            "json": {"()": "marketdata.common.logs.JsonFormatter"},
        },
        "filters": {
            "omit_traceback": {"()": "marketdata.common.logs.OmitTracebackOfRefusals"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": line_format,
                "filters": ["omit_traceback"],
            }
        },
        "root": {"handlers": ["console"], "level": env.read("LOG_LEVEL", str, "WARNING")},
    }
