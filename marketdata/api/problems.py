"""Errors as RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from marketdata.api import throttles
from marketdata.api.renderers import UNKNOWN_PATH
from marketdata.common import limits
from marketdata.common.access import PUBLIC
from marketdata.common.errors import InvalidQuery, NotInDatabase

CONTENT_TYPE = "application/problem+json"


class ProblemSerializer(serializers.Serializer[Any]):
    """The body of every error."""

    type = serializers.CharField(help_text="always about:blank: the status says what it is")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="what is wrong, and what to do")
    instance = serializers.CharField(help_text="the path asked for")
    errors = serializers.DictField(  # type: ignore[assignment]  # of the body, not of the serializer
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="what is wrong with each parameter",
    )


def documented(problems: dict[int, str]) -> dict[tuple[int, str], OpenApiResponse]:
    """Problems by status, as drf-spectacular takes them."""
    return {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, said)
        for status, said in problems.items()
    }


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: None for errors that are none of a client's business."""
    error = _as_api_exception(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    request: Request = context["request"]
    if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        error, response = _counted(error, response, context)
    status = HTTPStatus(response.status_code)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": _detail(error),
        "instance": request.path,
    }
    if isinstance(error, exceptions.ValidationError):
        problem["errors"] = _by_parameter(error)
        said = (f"{name}: {' '.join(texts)}" for name, texts in problem["errors"].items())
        problem["detail"] = "; ".join(said)
    response.data = problem
    # There is none yet where what was asked for is a format that there is not.
    if getattr(getattr(request, "accepted_renderer", None), "format", "json") == "json":
        response.content_type = CONTENT_TYPE
    return response


def _as_api_exception(error: Exception) -> Exception:
    """Translate the errors of domain modules into DRF's; return any other error as it is."""
    if isinstance(error, InvalidQuery):
        return exceptions.ValidationError({error.parameter: [str(error)]})
    if isinstance(error, NotInDatabase):
        return exceptions.NotFound(str(error))
    return error


def _counted(
    error: Exception, response: Response, context: dict[str, Any]
) -> tuple[Exception, Response]:
    """DRF refuses before it counts: a refusal is counted here, and too many of them are a 429."""
    request: Request = context["request"]
    throttles.count(request)
    usage = limits.usage_of(request._request)
    if usage is None or not usage.exceeded:
        return error, response
    too_many = exceptions.Throttled(usage.seconds)
    return too_many, cast(Response, exception_handler(too_many, context))


def _detail(error: Exception) -> str:
    if isinstance(error, Http404):
        return str(error) or "There is nothing here."
    if isinstance(error, PermissionDenied):
        return "You may not do this."
    return str(getattr(error, "detail", error))


def _by_parameter(error: exceptions.ValidationError) -> dict[str, list[str]]:
    detail = error.detail
    if not isinstance(detail, dict):
        detail = {"request": detail}
    return {name: [str(text) for text in texts] for name, texts in detail.items()}


class Conflict(exceptions.APIException):
    """409: what is asked for cannot be done in the state that the thing is in."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class UnknownPath(APIView):
    """Every path below /api/ that is none of ours: a problem, and not a page."""

    name = UNKNOWN_PATH
    schema = None
    needs = {"GET": PUBLIC}

    def get(self, request: Request, **path: str) -> Response:
        raise exceptions.NotFound("There is no such path; /api/docs/ shows those there are.")
