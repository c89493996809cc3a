"""Application Insights by opencensus-ext-django, which Microsoft retired in September 2024.

Its middleware reports requests and queries of its own accord. What it sends of clients is removed before: the
query string of an address, which may hold a token, and the name of the user.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")  # read at the import

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from opencensus.ext.azure.trace_exporter import AzureExporter
from opencensus.ext.django.middleware import OpencensusMiddleware
from opencensus.trace.samplers import AlwaysOnSampler

from marketdata.settings import masking

logger = logging.getLogger(__name__)

_REMOVED_PROPERTIES = ("django.user.id", "django.user.name", "http.url", "request.url")


class OpenCensusMiddleware(OpencensusMiddleware):
    """The middleware of opencensus-ext-django, sending to Application Insights."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        logger.warning(
            "TELEMETRY=opencensus: Microsoft retired OpenCensus in September 2024. Set TELEMETRY=azure"
            " to use the exporter that it supports."
        )
        exporter = AzureExporter(
            connection_string=str(settings.APPLICATIONINSIGHTS_CONNECTION_STRING),
            storage_path=str(settings.TELEMETRY_DIR / "opencensus"),
            export_interval=settings.TELEMETRY_SECONDS,
        )
        exporter.add_telemetry_processor(remove_data_of_clients)
        settings.OPENCENSUS = {"TRACE": {"SAMPLER": AlwaysOnSampler(), "EXPORTER": exporter}}
        super().__init__(get_response)


def remove_data_of_clients(envelope: Any) -> None:
    """Remove query strings, user names and secrets from what is about to be sent."""
    data = envelope.data.baseData
    for exception in data.get("exceptions") or []:
        for name in ("message", "stack"):
            exception[name] = masking.mask(exception.get(name) or "")
    properties = data.get("properties") or {}
    for name, value in properties.items():
        properties[name] = masking.mask(str(value))
    for name in _REMOVED_PROPERTIES:
        properties.pop(name, None)
    if data.get("url"):
        data["url"] = data["url"].partition("?")[0]
