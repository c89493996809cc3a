"""Filters of all lists: choices are taken in upper or lower case."""

from collections.abc import Iterator
from typing import Any

import django_filters
import pytest
from django.http import QueryDict
from django.urls import get_resolver

from marketdata.common.filters import get_messages


def filter_sets(parent: Any = django_filters.FilterSet) -> Iterator[Any]:
    for child in parent.__subclasses__():
        is_ours = not child.__module__.startswith(("django_filters", "tests"))
        if is_ours and child._meta.model is not None:
            yield child
        yield from filter_sets(child)


def choice_filters() -> list[Any]:
    assert get_resolver().url_patterns  # which imports all filter sets
    return [
        pytest.param(filter_set, name, id=f"{filter_set.__name__}-{name}")
        for filter_set in sorted(set(filter_sets()), key=str)
        for name, filter_ in filter_set.base_filters.items()
        if "choices" in filter_.extra
    ]


@pytest.mark.parametrize(("filter_set", "name"), choice_filters())
def test_choices_are_taken_in_any_case(filter_set: Any, name: str) -> None:
    field = filter_set.base_filters[name].field
    values = [str(value) for value, label in field.choices if value not in ("", "null")]
    assert values
    for value in values:
        for text in (value.upper(), value.lower()):
            data = QueryDict(mutable=True)
            data[name] = text
            rows = filter_set._meta.model._default_manager.none()
            filters = filter_set(data, rows)
            assert name not in filters.errors, text
            cleaned = filters.form.cleaned_data[name]
            expected = {"true": True, "false": False}.get(value, value)
            assert cleaned in (expected, [expected])


def date_filters() -> list[Any]:
    assert get_resolver().url_patterns  # which imports all filter sets
    kinds = (django_filters.DateFilter, django_filters.IsoDateTimeFilter)
    return [
        pytest.param(filter_set, name, id=f"{filter_set.__name__}-{name}")
        for filter_set in sorted(set(filter_sets()), key=str)
        for name, filter_ in filter_set.base_filters.items()
        if isinstance(filter_, kinds)
    ]


@pytest.mark.parametrize(("filter_set", "name"), date_filters())
def test_days_are_taken_in_iso_8601_alone(filter_set: Any, name: str) -> None:
    """01/02/2026 is the second of January for some, and the first of February for others."""
    rows = filter_set._meta.model._default_manager.none()
    for text in ("01/02/2026", "1/2/26", "Feb 1 2026", "1 February 2026", "2026-02-30"):
        filters = filter_set(QueryDict(f"{name}={text}"), rows)
        [message] = get_messages(filters)[name]
        assert message.startswith(f"{text!r} is not a ")
        assert "2026-07-18" in message
    assert name not in filter_set(QueryDict(f"{name}=2026-02-01"), rows).errors


def test_other_values_are_refused_with_the_choices() -> None:
    [filter_set] = [cls for cls in filter_sets() if cls.__name__ == "RunFilterSet"]
    filters = filter_set(QueryDict("kind=loaded"), filter_set._meta.model.objects.none())
    assert "loaded" in str(filters.errors["kind"])
