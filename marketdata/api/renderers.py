"""The browsable API."""

from typing import Any

from rest_framework import renderers
from rest_framework.request import Request
from rest_framework.utils import formatting

# The view of every path that is no address (marketdata/api/problems.py).
UNKNOWN_PATH = "Unknown path"


def name_of(view: Any) -> str:
    """What a view is called in the browsable API: its `name`, or the `title` of its view set.

    Routers set the `name` of view sets themselves.
    """
    if said := getattr(view, "name", None) or getattr(view, "title", ""):
        return str(said)
    name = formatting.remove_trailing_string(type(view).__name__, "View")
    return formatting.camelcase_to_spaces(name)


class BrowsableApi(renderers.BrowsableAPIRenderer):
    """Without a step in the way to an address for each folder that is no address itself."""

    def get_breadcrumbs(self, request: Request) -> list[tuple[str, str]]:
        steps: list[tuple[str, str]] = super().get_breadcrumbs(request)
        return [step for step in steps if step[0] != UNKNOWN_PATH]
