"""The browsable API."""

from typing import Any

from rest_framework import renderers
from rest_framework.request import Request
from rest_framework.utils import formatting

# The name of the view of unknown paths (marketdata/api/views.py).
UNKNOWN_PATH = "Unknown path"


def get_view_name(view: Any) -> str:
    """Return the name of a view in the browsable API: its `name`, else the `title` of its view set.

    Routers set the `name` of view sets themselves.
    """
    if name := getattr(view, "name", None) or getattr(view, "title", ""):
        return str(name)
    class_name = formatting.remove_trailing_string(type(view).__name__, "View")
    return formatting.camelcase_to_spaces(class_name)


class BrowsableApi(renderers.BrowsableAPIRenderer):
    """DRF's browsable API, with breadcrumbs for existing addresses only."""

    def get_breadcrumbs(self, request: Request) -> list[tuple[str, str]]:
        breadcrumbs: list[tuple[str, str]] = super().get_breadcrumbs(request)
        return [breadcrumb for breadcrumb in breadcrumbs if breadcrumb[0] != UNKNOWN_PATH]

    def render(self, *args: Any, **kwargs: Any) -> Any:
        """Return the page, with the inline styles of DRF's templates as attributes `data-style`.

        The content security policy forbids inline styles; static/css/browsable.css has the same rules. Values
        in the page are escaped, so ` style="` is only found in markup.
        """
        page = super().render(*args, **kwargs)
        return page.replace(' style="', ' data-style="') if isinstance(page, str) else page

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the context without the inline style sheet of highlighted code, which no description has."""
        context: dict[str, Any] = super().get_context(*args, **kwargs)
        return {**context, "code_style": ""}
