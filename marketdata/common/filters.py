"""Filters that the API and the commands share."""

import datetime as dt
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.fields import ChoiceField, IsoDateTimeField


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


class _AnyCaseChoiceField(ChoiceField):
    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value)).strip()
        choices = {str(choice).casefold(): str(choice) for choice, _ in self.choices}
        return choices.get(text.casefold(), text)


class AnyCaseChoiceFilter(django_filters.ChoiceFilter):
    """One of a list of choices, in upper or lower case."""

    field_class = _AnyCaseChoiceField
