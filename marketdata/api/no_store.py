"""Responses that no cache may store."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.api.views import ApiView


class NoStore(ApiView):
    """Base of views whose responses, also errors, have credentials or personal data."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response
