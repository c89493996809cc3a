"""Tables whose rows are paragraphs on a phone, where each value stands behind the header of its column."""

import itertools
import re
from typing import Any

from django import template
from django.template.base import NodeList, Parser, Token
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_HEADER = re.compile(r"<th\b[^>]*>([^<]*)")  # "" for a header that only screen readers have


class _StackedNode(template.Node):
    def __init__(self, nodes: NodeList) -> None:
        self._nodes = nodes

    def render(self, context: Any) -> SafeString:
        # Values are escaped, so that each "<" is one of the template.
        head, body, rows = self._nodes.render(context).partition("<tbody")
        headers = _HEADER.findall(head)
        labelled = "<tr".join(_label(row, headers) for row in rows.split("<tr"))
        return mark_safe(f"{head}{body}{labelled}")  # noqa: S308


@register.tag
def stacked(parser: Parser, token: Token) -> _StackedNode:
    """Give each cell of the table up to `endstacked` the header of its column as `data-label`."""
    nodes = parser.parse(("endstacked",))
    parser.delete_first_token()
    return _StackedNode(nodes)


def _label(row: str, headers: list[str]) -> str:
    beginning, *cells = row.split("<td")
    # A table may have more columns than headers.
    labelled = itertools.zip_longest(cells, headers[: len(cells)], fillvalue="")
    return beginning + "".join(f'<td data-label="{label}"{cell}' for cell, label in labelled)
