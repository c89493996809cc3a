"""Links between pages, of which the one to the page that is shown is marked."""

from typing import Any

from django import template
from django.forms import Form
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
# Error pages have the path, where they may have no request.
_PATH = template.Variable("request.path")


@register.simple_tag(takes_context=True)
def page_link(context: dict[str, Any], name: str, text: str) -> SafeString:
    """Return a link to a page, marked if it is shown."""
    address = reverse(name)
    is_shown = _PATH.resolve(context) == address
    return _link(address, text, current="page" if is_shown else "")


@register.simple_tag(takes_context=True)
def section_link(context: dict[str, Any], name: str, text: str) -> SafeString:
    """Return a link to a page, marked if it is shown or one below its address."""
    address = reverse(name)
    path = _PATH.resolve(context)
    current = "page" if path == address else "true" if path.startswith(address) else ""
    return _link(address, text, current=current)


@register.simple_tag
def label_of(form: Form, name: str) -> str:
    """Return the label of a field of a form; the name of what is no field, as of another parameter."""
    field = form.fields.get(name)
    return str(field.label) if field and field.label else name


def _link(address: str, text: str, *, current: str) -> SafeString:
    mark = format_html(' aria-current="{}"', current) if current else ""
    return format_html('<a href="{}"{}>{}</a>', address, mark, text)
