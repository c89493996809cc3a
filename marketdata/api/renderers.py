"""The JSON of answers, written by orjson: in the form that DRF's own renderer gives it."""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

_encoder = JSONEncoder()
# Days and times are written as DRF writes them, with Z for UTC.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
# Separators of lines in JavaScript, which some parsers of JSON do not take within a text.
_SEPARATORS = {"\u2028".encode(): b"\\u2028", "\u2029".encode(): b"\\u2029"}


class FastJSONRenderer(JSONRenderer):
    """JSON by orjson. Indented JSON, and numbers of more than 64 bits, are left to DRF."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        if data is None or self.get_indent(accepted_media_type or "", renderer_context or {}):
            return super().render(data, accepted_media_type, renderer_context)
        try:
            content = orjson.dumps(data, default=_encoder.default, option=_OPTIONS)
        except TypeError:
            return super().render(data, accepted_media_type, renderer_context)
        for separator, escaped in _SEPARATORS.items():
            if separator in content:
                content = content.replace(separator, escaped)
        return content
