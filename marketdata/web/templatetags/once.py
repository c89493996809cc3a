"""The hidden field of forms that are carried out once."""

from django import template
from django.utils.html import format_html

from marketdata.web import once

register = template.Library()


@register.simple_tag
def form_id() -> str:
    """Return the hidden field with the id of a form, which is new each time that the form is shown."""
    return format_html('<input type="hidden" name="{}" value="{}">', once.NAME, once.make_id())
