"""API keys and tokens in addresses and logs: the former are refused, the latter masked."""

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest

from marketdata.settings.masking import CREDENTIAL, mask_credentials

_PARAMETERS = {"api_key", "apikey", "api-key", "key", "token", "access_token"}


def has_credentials(request: HttpRequest) -> bool:
    """Return True if the address of a request has an API key or token, or a parameter meant for one."""
    if any(name.lower() in _PARAMETERS for name in request.GET):
        return True
    address = f"{request.path} {request.META.get('QUERY_STRING', '')}"
    return any(CREDENTIAL.search(text) for text in (address, unquote(address)))


def mask_log_records() -> None:
    """Mask credentials in all log records of this process, whichever logger or handler they go to."""
    factory = logging.getLogRecordFactory()
    if not getattr(factory, "masks_credentials", False):
        logging.setLogRecordFactory(_masking(factory))


def _masking(factory: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def create_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        # Arguments are masked one by one, since some formatters read them.
        record.msg = mask_credentials(record.msg) if isinstance(record.msg, str) else record.msg
        record.args = _mask_arguments(record.args)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # logging reports it when the record is written
            return record
        if mask_credentials(message) != message:
            record.msg, record.args = mask_credentials(message), None
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = mask_credentials(text) if mask_credentials(text) != text else None
        return record

    create_record.masks_credentials = True  # type: ignore[attr-defined]
    return create_record


def _mask_arguments(arguments: Any) -> Any:
    if isinstance(arguments, tuple):
        return tuple(
            mask_credentials(value) if isinstance(value, str) else value for value in arguments
        )
    if isinstance(arguments, Mapping) and any(
        isinstance(value, str) and mask_credentials(value) != value for value in arguments.values()
    ):
        return {k: mask_credentials(v) if isinstance(v, str) else v for k, v in arguments.items()}
    return arguments
