"""Query parameters and request bodies: names and values that are not known are refused.

A view declares its query parameters once, as a serializer in `query_serializers` (`marketdata.api.views`);
the parameters of its filters and pages are added from `filterset_class` and `pagination_class`. The same
declarations are read here, where a request is checked, and by the OpenAPI schema.
"""

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django_filters import MultipleChoiceFilter
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from marketdata.common.filters import CommaSeparatedInput, SemicolonSeparatedInput
from marketdata.common.suggestions import describe_unknown, list_choices

if TYPE_CHECKING:  # DRF imports this module while rest_framework.views is being imported.
    from rest_framework.views import APIView

T = TypeVar("T")

MAX_NAMES = 20  # unknown names in an error: finding similar ones costs time


def get_for_method(view: Any, table: Mapping[str, T], method: str) -> T | None:
    """Return the entry of a view's table (`needs`, `query_serializers`) for an HTTP method.

    Tables are keyed by the action of a view set, else by the method. OPTIONS and HEAD have the entry of
    GET, or of the first method where there is no GET. The browsable API asks for other methods than that
    of the request, so the action is looked up by method.
    """
    method = get_described_method(view, method)
    action = (getattr(view, "action_map", None) or {}).get(method.lower(), "")
    return table.get(action) or table.get(method)


def get_described_method(view: Any, method: str) -> str:
    """Return the method whose rules apply: GET for OPTIONS and HEAD, where the view has it."""
    if method in ("OPTIONS", "HEAD"):
        return "GET" if "GET" in view.allowed_methods else str(next(iter(view.allowed_methods)))
    return method


def get_accepted_parameters(view: "APIView", method: str) -> set[str]:
    """Return the names of all query parameters that a view takes for an HTTP method."""
    method = get_described_method(view, method)
    names = {"format"}
    serializer_class = get_for_method(view, getattr(view, "query_serializers", {}), method)
    if serializer_class is not None:
        names |= get_field_names(serializer_class)
    if method == "GET" and getattr(view, "action", None) != "retrieve":
        if getattr(view, "filter_backends", ()):
            filterset_class = getattr(view, "filterset_class", None)
            names |= set(getattr(filterset_class, "base_filters", ()))
        names |= set(getattr(getattr(view, "pagination_class", None), "parameters", ()))
    return names


@functools.cache
def get_field_names(serializer_class: type[serializers.Serializer[Any]]) -> frozenset[str]:
    return frozenset(serializer_class().fields)


@functools.cache
def get_defaults(serializer_class: type[serializers.Serializer[Any]]) -> Mapping[str, Any]:
    """Return the values of a request without any of the parameters; raise ValidationError if one is required.

    Defaults are constants, so they are validated once.
    """
    serializer = serializer_class(data={})
    serializer.is_valid(raise_exception=True)
    defaults: Mapping[str, Any] = serializer.validated_data
    return defaults


def refuse_unknown(names: Collection[str], accepted: Collection[str], *, noun: str) -> None:
    """Raise a ValidationError that names each unknown parameter or field and suggests the right one."""
    unknown = sorted(set(map(str, names)) - set(accepted))[:MAX_NAMES]
    if unknown:
        raise ValidationError({name: [describe_unknown(name, accepted, noun)] for name in unknown})


class AnyCaseChoiceField(serializers.ChoiceField):
    """One of a list of choices, in upper or lower case."""

    def to_internal_value(self, data: Any) -> Any:
        choices = {str(choice).casefold(): choice for choice in self.choices}
        return super().to_internal_value(choices.get(str(data).casefold(), data))


def refuse_repeated(values: Iterable[tuple[str, Sequence[Any]]], view: "APIView") -> None:
    """Raise a ValidationError for each parameter that is given more than once and takes one value."""
    filters = getattr(getattr(view, "filterset_class", None), "base_filters", {})
    repeated = [
        name for name, given in values if len(given) > 1 and not _takes_several(filters.get(name))
    ]
    if repeated:
        message = "Given more than once. Separate several values by commas, where they are taken."
        raise ValidationError({name: [message] for name in repeated[:MAX_NAMES]})


def _takes_several(filter_: Any) -> bool:
    widget = getattr(filter_, "extra", {}).get("widget")
    return isinstance(filter_, MultipleChoiceFilter) or widget in (
        CommaSeparatedInput,
        SemicolonSeparatedInput,
    )


class _AnyCase(dict[str, Any]):
    """The values of choices by their texts, in upper or lower case."""

    def __missing__(self, text: str) -> Any:
        return {known.casefold(): value for known, value in self.items()}[text.casefold()]


def _adapt(field: Any) -> None:
    """Have a field take choices in any case, and say in its messages what it takes, in the words of JSON."""
    if isinstance(field, serializers.ListField | serializers.ListSerializer):
        field.error_messages["not_a_list"] = "Expected an array."
        _adapt(field.child)
    if isinstance(field, serializers.DateField):
        field.error_messages["invalid"] = "This is not a day as 2026-07-18."
    if isinstance(field, serializers.DateTimeField):
        field.error_messages["invalid"] = "This is not a time as 2026-07-18T06:00:00Z."
    if isinstance(field, serializers.ChoiceField):
        field.choice_strings_to_values = _AnyCase(field.choice_strings_to_values)
        choices = list_choices(field.choices).replace("{", "{{").replace("}", "}}")
        field.error_messages["invalid_choice"] = f"'{{input}}' is not a valid choice. {choices}"


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer of request bodies that refuses unknown fields, with a suggestion of the right name.

    A value that is not among the choices of its field is refused with the list of choices. Messages have the
    words of JSON, not those of Python.
    """

    default_error_messages = {"invalid": "Expected an object."}

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for field in fields.values():
            _adapt(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self.refuse_unknown_fields(data)
            self._refuse_long_lists(data)
        return super().to_internal_value(data)

    def _refuse_long_lists(self, data: Mapping[str, Any]) -> None:
        """Refuse lists that are too long before their items are validated, as DRF does afterwards."""
        for name, field in self.fields.items():
            value, longest = data.get(name), getattr(field, "max_length", None)
            if isinstance(value, list) and longest is not None and len(value) > longest:
                message = f"At most {longest:,} items; these are {len(value):,}."
                raise ValidationError({name: [message]})

    def refuse_unknown_fields(self, data: Mapping[str, Any]) -> None:
        writable = {name for name, field in self.fields.items() if not field.read_only}
        refuse_unknown(data, writable, noun="field")


class QuerySerializer(StrictSerializer):
    """A serializer of the query parameters of one operation, named in a view's `query_serializers`.

    Unknown parameters are refused by the view (`marketdata.api.views.ApiView`), which also knows those of
    its filters and pages.
    """

    def refuse_unknown_fields(self, data: Mapping[str, Any]) -> None:
        """Do nothing: the view has compared the names with all that it accepts."""
