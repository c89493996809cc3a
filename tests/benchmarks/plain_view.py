"""The addresses of the service and a plain view beside them, for `tests.benchmarks.telemetry`."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from instruments.models import Venue
from marketdata.urls import handler400, handler403, handler404, handler500
from marketdata.urls import urlpatterns as addresses_of_the_service

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def plain_view(request: HttpRequest) -> JsonResponse:
    """Answer with the number of rows of a small table: one query."""
    return JsonResponse({"venues": Venue.objects.count()})


urlpatterns = [path("plain/", plain_view), *addresses_of_the_service]
