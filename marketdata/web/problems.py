"""The body of every error of the API: problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse

CONTENT_TYPE = "application/problem+json"


def describe_problem(
    status: int, detail: str, path: str, errors: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """Return a problem document. `errors` has the messages by parameter or field."""
    status = HTTPStatus(status)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": path,
    }
    return problem if errors is None else {**problem, "errors": errors}


def answer_problem(
    request: HttpRequest, status: int, detail: str, *, path: str = ""
) -> JsonResponse:
    """Return a problem as a response, for code outside of Django REST Framework."""
    problem = describe_problem(status, detail, path or request.path)
    return JsonResponse(problem, status=status, content_type=CONTENT_TYPE)
