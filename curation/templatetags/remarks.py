"""The link to the notes and tags of a thing."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from curation.models import Note, Tag

register = template.Library()


@register.simple_tag(takes_context=True)
def notes_link(context: dict[str, Any], subject: str, code: str) -> SafeString | str:
    """Return a link to the notes on a thing, with the number of its notes and tags; "" without the right."""
    if not context["user"].has_perm("curation.view_note"):
        return ""
    key = {"subject": subject, "code": code}
    number = Note.objects.filter(**key).count() + Tag.objects.filter(**key).count()
    text = f"Notes ({number})" if number else "Notes"
    return format_html('<a href="{}">{}</a>', reverse("notes-of", args=[subject, code]), text)
