"""Errors of the API as problem details (RFC 9457), and how they are documented."""

import itertools
import logging
import math
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from marketdata.api import throttles
from marketdata.api.negotiation import get_file_types
from marketdata.common import errors
from marketdata.common.numbers import format_count
from marketdata.web import limits, time_limits
from marketdata.web.error_pages import get_not_found_message
from marketdata.web.problems import CONTENT_TYPE, describe_problem

logger = logging.getLogger(__name__)

# Characters of a name and of a message, and messages of a field: errors quote what a client has sent.
_MAX_NAME, _MAX_TEXT, _MAX_MESSAGES = 100, 2_000, 50

# DRF's key of messages about a whole object, and ours for those about a whole request.
_WHOLE, _REQUEST = api_settings.NON_FIELD_ERRORS_KEY, "request"

# Descriptions of the problems that many operations share. `marketdata.api.openapi` adds them to each
# operation that can answer them.
SHARED_PROBLEMS = {
    400: "Invalid parameter.",
    401: "Authentication required, or the token or key is not valid.",
    403: "Permission denied.",
    404: "Not found.",
    406: "The requested media type is not available.",
    413: "The body is too large.",
    415: "The media type of the body is not supported.",
    429: "Too many requests. The header Retry-After has the seconds to wait.",
    503: "The service cannot answer now, or not within the time limit of a request. Try again later.",
}


class ProblemSerializer(serializers.Serializer[Any]):
    """The body of every error (RFC 9457)."""

    type = serializers.CharField(help_text="Always about:blank: the status tells the kind of error")
    title = serializers.CharField(help_text="Name of the HTTP status")
    status = serializers.IntegerField(help_text="HTTP status")
    detail = serializers.CharField(help_text="What is wrong and what to do")
    instance = serializers.CharField(help_text="Path of the request")
    errors = serializers.DictField(  # type: ignore[assignment]  # the field of the body, not DRF's
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Messages by parameter, or by the path of a value in the body, as items.0.isin: positions"
        " are counted from 0",
    )


def documented(problems: dict[int, str]) -> dict[tuple[int, str], OpenApiResponse]:
    """Return documentation of problems by status, for `responses` of extend_schema.

    Only for problems particular to an operation, as 409: the shared ones are added to every operation.
    """
    return {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description)
        for status, description in problems.items()
    }


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to an error; None for errors that are not expected (DRF's exception handler)."""
    request: Request = context["request"]
    if time_limits.is_due_to_limit(error):
        time_limits.extend()
        logger.warning("A request was stopped at the end of its time limit: %s", request.path)
        error = TooSlow(time_limits.RETRY_AFTER_SECONDS)
    if isinstance(error, errors.RetryableError):
        logger.warning("A request could not be answered now: %s", error)
        error = NoAnswerNow()
    error = _translate(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        error, response = _count_refusal(error, response, context)
    messages = None
    detail = _get_detail(error, context.get("view"))
    if isinstance(error, exceptions.ValidationError):
        messages = _get_messages(error)
        detail = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in messages.items())
    response.data = describe_problem(response.status_code, detail, request.path, messages)
    if not _is_page(request):
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
        response.content_type = CONTENT_TYPE
    return response


def _is_page(request: Request) -> bool:
    """Return whether the error is shown in the browsable API, or on a page of the documentation."""
    renderer = getattr(request, "accepted_renderer", None)  # none if the format is not available
    is_documentation = getattr(renderer, "format", "") == "html" and request.method in (
        "GET",
        "HEAD",
    )
    return isinstance(renderer, BrowsableAPIRenderer) or is_documentation


def _translate(error: Exception) -> Exception:
    """Return the DRF exception for an error of the domain; other errors as they are."""
    match error:
        case errors.InvalidQuery():
            return exceptions.ValidationError({error.parameter: [str(error)]})
        case errors.NotInDatabase():
            return exceptions.NotFound(str(error))
        case errors.NotPermitted():
            return exceptions.PermissionDenied(str(error))
        case errors.WrongState():
            return Conflict(str(error))
        case RequestDataTooBig():
            return BodyTooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return error


def _count_refusal(
    error: Exception, response: Response, context: dict[str, Any]
) -> tuple[Exception, Response]:
    """Count a refused request, which DRF does not do, and return a 429 once there are too many."""
    request: Request = context["request"]
    throttles.count(request)
    usage = limits.usage_of(request._request)
    if usage is None or not usage.is_exceeded:
        return error, response
    throttled = exceptions.Throttled(usage.seconds)
    return throttled, cast(Response, exception_handler(throttled, context))


def _get_detail(error: Exception, view: Any) -> str:
    """Return what is wrong, and what a client can do about it."""
    if alternatives := _get_alternatives(error, view):
        return f"{getattr(error, 'detail', error)} {alternatives}"
    if isinstance(error, Http404):
        return get_not_found_message(error)
    if isinstance(error, PermissionDenied):
        return "Permission denied."
    if isinstance(error, exceptions.Throttled) and (wait := getattr(error, "wait", None)):
        return f"Too many requests: try again in {format_count(math.ceil(wait), 'second')}."
    return str(getattr(error, "detail", error))


def _get_alternatives(error: Exception, view: Any) -> str:
    """Return what a view takes instead of what a request has or lacks; else an empty text."""
    match error:
        case exceptions.NotAcceptable():
            renderers = [str(renderer.media_type) for renderer in view.get_renderers()]
            types = ", ".join(dict.fromkeys([*get_file_types(view), *renderers]))
            return f"The answer is available as: {types}."
        case exceptions.UnsupportedMediaType():
            types = ", ".join(parser.media_type for parser in view.get_parsers())
            return f"The body may be: {types}."
        case exceptions.MethodNotAllowed():
            return f"Allowed: {', '.join(view.allowed_methods)}."
        case exceptions.NotAuthenticated():
            return "Send the header `Authorization: Api-Key KEY` or `Authorization: Bearer TOKEN`."
    return ""


def _get_messages(error: exceptions.ValidationError) -> dict[str, list[str]]:
    """Return the messages by the path of the value, as `items.0.isin`; positions are counted from 0.

    Messages about the request as a whole are under `request`.
    """
    detail = error.detail
    if not isinstance(detail, dict):
        detail = {_WHOLE: detail}
    by_path: dict[str, list[str]] = {}
    for key, messages in itertools.islice(detail.items(), _MAX_MESSAGES):
        name = _REQUEST if key == _WHOLE else str(key)
        texts = _flatten(messages, name)
        for path, text in itertools.islice(texts, _MAX_MESSAGES):
            by_path.setdefault(_cut(path, _MAX_NAME), []).append(_cut(text, _MAX_TEXT))
        if more := sum(1 for _ in texts):
            by_path.setdefault(_cut(name, _MAX_NAME), []).append(f"{more:,} more such messages.")
    return by_path


def _cut(text: str, length: int) -> str:
    """Return a text without its middle, where it quotes a value that is too long to be sent back."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]}… ({len(text):,} characters) …{text[-half:]}"


def _flatten(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each message about a field, with the path of the value that it is about."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _flatten(inner, path if key == _WHOLE else f"{path}.{key}")
    elif isinstance(messages, list):
        for position, inner in enumerate(messages):
            # DRF has texts about the field itself, or an object for each item of an array.
            yield from _flatten(inner, f"{path}.{position}" if isinstance(inner, dict) else path)
    else:
        yield path, str(messages)


def describe_item_error(errors: Any) -> str:
    """Return the errors of a serializer of one item as the text of its own answer."""
    messages = _get_messages(exceptions.ValidationError(errors))
    return "; ".join(
        " ".join(texts) if name == _REQUEST else f"{name}: {' '.join(texts)}"
        for name, texts in messages.items()
    )


class Conflict(exceptions.APIException):
    """409: the object is not in a state in which this can be done."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class BodyTooLarge(exceptions.APIException):
    """413: the body has more bytes than the operation takes."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is too large: at most {limit:,} bytes.")


class NoAnswerNow(exceptions.APIException):
    """503: something that the answer needs, such as the storage, does not respond."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "A part of the service does not respond. Try again later."
    default_code = "unavailable"
    wait = time_limits.RETRY_AFTER_SECONDS  # which DRF puts into Retry-After


class TooSlow(exceptions.APIException):
    """503: the statements of the request took longer than REQUEST_TIMEOUT_SECONDS."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = time_limits.DETAIL
    default_code = "too_slow"

    def __init__(self, wait: int) -> None:
        super().__init__()
        self.wait = wait  # seconds, which DRF puts into Retry-After
