"""Filters that refuse what they do not know."""

from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from marketdata.api.pagination import NumberedPages

if TYPE_CHECKING:  # DRF reads this module while it is itself being imported
    from rest_framework.views import APIView


class StrictFilterBackend(DjangoFilterBackend):
    """A parameter that no filter has is a mistake of the caller's: 400, and not everything."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: "APIView"
    ) -> QuerySet[Any]:
        filterset_class = self.get_filterset_class(view, queryset)
        if filterset_class is not None:
            pages = getattr(view, "pagination_class", None) or NumberedPages
            known = {*filterset_class.base_filters, *pages.parameters, "format"}
            if unknown := sorted(set(request.query_params) - known):
                reason = f"no such parameter; there are {', '.join(sorted(known))}"
                raise ValidationError({name: [reason] for name in unknown})
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered


class CommaOrAgain(forms.TextInput):
    """Several values: with commas between, or the parameter given several times."""

    separator = ","

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        values = data.getlist(name) if hasattr(data, "getlist") else [data.get(name)]
        return self.separator.join(value for value in values if value) or None


class SemicolonOrAgain(CommaOrAgain):
    """The same for values that have commas in them."""

    separator = ";"


class CodeFilter(django_filters.CharFilter):
    """A code: compared in upper case."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        filtered: QuerySet[Any] = super().filter(queryset, value.upper() if value else value)
        return filtered


class TruthFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`; django-filter's own takes anything else for a question not asked."""

    def __init__(self, **options: Any) -> None:
        choices = [("true", "yes"), ("false", "no")]
        super().__init__(choices=choices, coerce=lambda raw: raw == "true", **options)
