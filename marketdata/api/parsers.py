"""Parsing of request bodies."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_MAX_DEPTH = 32  # no body of this API needs more than 3


class BoundedJSONParser(JSONParser):
    """DRF's parser, which also refuses bodies that are nested too deeply.

    Python's parser raises RecursionError at some depth. A body just below it would fail later.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise _too_deep() from None
        _check_depth(data)
        return data


def _check_depth(data: Any) -> None:
    """Raise ParseError if lists and objects are nested too deeply."""
    level = [data]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise _too_deep()


def _children(value: Any) -> list[Any]:
    """Return the lists and objects directly inside of a value."""
    if isinstance(value, dict):
        values = list(value.values())
    elif isinstance(value, list):
        values = value
    else:
        return []
    return [child for child in values if isinstance(child, (dict, list))]


def _too_deep() -> ParseError:
    return ParseError(f"The body is nested more deeply than {_MAX_DEPTH} levels.")
