"""Parsing of request bodies."""

import re
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_MAX_DEPTH = 32  # no body of this API needs more than 3
_HALF_OF_A_CHARACTER = re.compile("[\ud800-\udfff]")


class BoundedJSONParser(JSONParser):
    """DRF's parser, which also refuses bodies that are nested too deeply, and texts that are not Unicode.

    Python's parser raises RecursionError at some depth. A body just below it would fail later. So would a
    text with half of a character, which JSON can escape, and which no database or answer can have.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise _too_deep() from None
        _check(data)
        return data


def _check(data: Any) -> None:
    """Raise ParseError if lists and objects are nested too deeply, or a text or name is not Unicode."""
    level = [data]
    for _ in range(_MAX_DEPTH + 1):
        for value in level:
            if isinstance(value, str) and (half := _HALF_OF_A_CHARACTER.search(value)):
                code = f"\\u{ord(half[0]):04x}"
                raise ParseError(
                    f"A text of the body has {code} alone, which is half of a character."
                )
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise _too_deep()


def _children(value: Any) -> list[Any]:
    """Return the values directly inside of a list or object, and the names of an object's fields."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _too_deep() -> ParseError:
    return ParseError(f"The body is nested more deeply than {_MAX_DEPTH} levels.")
