"""Filters of lists: unknown parameters and values are refused, never ignored."""

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from marketdata.common import filters

if TYPE_CHECKING:  # DRF imports this module while rest_framework.views is being imported.
    from rest_framework.views import APIView


class StrictFilterBackend(DjangoFilterBackend):
    """List the choices of a filter whose value is refused. Unknown names are refused by `ApiView`."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: "APIView"
    ) -> QuerySet[Any]:
        filterset_class = self.get_filterset_class(view, queryset)
        if filterset_class is None:
            return queryset
        filter_names = frozenset(filterset_class.base_filters) & frozenset(request.query_params)
        arguments = self.get_filterset_kwargs(request, queryset, view)
        filterset = filters.narrow(filterset_class, filter_names)(**arguments)
        if messages := filters.get_messages(filterset):
            raise ValidationError(messages)
        filtered: QuerySet[Any] = filterset.qs
        return filtered
