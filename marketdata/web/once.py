"""Forms that create something and show its secret in their answer, so that a reload sends them a second time.

Each form that is shown has an id. One whose id has been used in the same session is not carried out again.
"""

import secrets

from django.contrib import messages
from django.http import HttpRequest

NAME = "form_id"
_KEY, _KEPT = "forms_carried_out", 20


def make_id() -> str:
    """Return the id of a form, for the hidden field `form_id`."""
    return secrets.token_urlsafe(12)


def is_sent_again(request: HttpRequest) -> bool:
    """Return whether this form has been carried out before, and say so on the next page."""
    if request.POST.get(NAME) not in request.session.get(_KEY, []):
        return False
    messages.info(request, "The form was sent a second time: nothing was created again.")
    return True


def note(request: HttpRequest) -> None:
    """Note that the form has been carried out."""
    if identity := request.POST.get(NAME, "")[:100]:
        request.session[_KEY] = [*request.session.get(_KEY, []), identity][-_KEPT:]
