"""Filters of lists: unknown parameters and values are refused, never ignored."""

import datetime as dt
from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from marketdata.api import parameters
from marketdata.common import filtering

if TYPE_CHECKING:  # DRF imports this module while rest_framework.views is being imported.
    from rest_framework.views import APIView


class StrictFilterBackend(DjangoFilterBackend):
    """Refuse parameters that are neither filters nor pagination; list the choices of a filter."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: "APIView"
    ) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        accepted = parameters.get_accepted_parameters(view, str(request.method))
        parameters.refuse_unknown(request.query_params, accepted, noun="parameter")
        if messages := filtering.get_messages(filterset):
            raise ValidationError(messages)
        filtered: QuerySet[Any] = filterset.qs
        return filtered


class CommaSeparatedInput(forms.TextInput):
    """Several values: separated by commas, or the parameter given several times."""

    separator = ","

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        values = data.getlist(name) if hasattr(data, "getlist") else [data.get(name)]
        return self.separator.join(value for value in values if value) or None


class SemicolonSeparatedInput(CommaSeparatedInput):
    """Several values that may contain commas: separated by semicolons, or the parameter repeated."""

    separator = ";"


class CodeFilter(django_filters.CharFilter):
    """A code, compared in upper case."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        filtered: QuerySet[Any] = super().filter(queryset, value.upper() if value else value)
        return filtered


class TimeField(IsoDateTimeField):
    """A time in ISO 8601, converted to UTC. It is invalid if that is outside of the years 1 to 9999."""

    def clean(self, value: Any) -> dt.datetime | None:
        time: dt.datetime | None = super().clean(value)
        try:
            return time and time.astimezone(dt.UTC)
        except OverflowError as error:
            raise forms.ValidationError(
                "Enter a time between the years 1 and 9999 in UTC.", code="invalid"
            ) from error


class TimeFilter(django_filters.IsoDateTimeFilter):
    """A time in ISO 8601."""

    field_class = TimeField


class TrueFalseFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`. django-filter's BooleanFilter ignores every other value."""

    def __init__(self, **options: Any) -> None:
        choices = [("true", "yes"), ("false", "no")]
        super().__init__(choices=choices, coerce=lambda text: text == "true", **options)
