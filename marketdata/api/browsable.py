"""The browsable API."""

from typing import Any

from rest_framework import renderers
from rest_framework.request import Request
from rest_framework.utils import formatting

# The name of the view of unknown paths (marketdata/api/views.py).
UNKNOWN_PATH = "Unknown path"
# Markup of DRF's templates, which no block of theirs surrounds, and the markup that is sent instead: without
# inline styles, which the content security policy forbids (static/css/browsable.css has the same rules), and
# with a language, one main landmark, and a name for each button. Values in the page are escaped, so that
# none of these is found in them.
_MENDED = {
    ' style="': ' data-style="',
    "<html>": '<html lang="en">',
    '<div class="content-main" role="main"  aria-label="main content">': '<div class="content-main">',
    '<button class="btn btn-primary dropdown-toggle js-tooltip"': '<button aria-label="Formats"'
    ' class="btn btn-primary dropdown-toggle js-tooltip"',
}


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

    def get_filter_form(self, data: Any, view: Any, request: Request) -> str | None:
        """Return the form of the filters, None for a list without any, which may be no queryset."""
        if not getattr(view, "filter_backends", ()):
            return None
        form: str | None = super().get_filter_form(data, view, request)
        return form

    def render(self, *args: Any, **kwargs: Any) -> Any:
        """Return the page with the markup of _MENDED."""
        page = super().render(*args, **kwargs)
        if isinstance(page, str):
            for old, new in _MENDED.items():
                page = page.replace(old, new)
        return page

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the context without the inline style sheet of highlighted code, which no description has."""
        context: dict[str, Any] = super().get_context(*args, **kwargs)
        return {**context, "code_style": ""}
