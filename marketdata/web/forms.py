"""Forms in the addresses of pages: their fields, and the answer to values that are not valid.

A page never answers another question than the one in its address: an answer about today that is taken for
one about another day is worse than none. A value that is not valid is answered by 400, with the form and
what is wrong with it, and without any records.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketdata.common.filters import get_form_messages
from marketdata.common.named_files import NOT_UTF_8


def day_field(label: str, help_text: str = "") -> forms.DateField:
    """Return an optional day, entered by the browser's date picker."""
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(
        required=False, label=label, help_text=help_text, widget=widget, input_formats=["%Y-%m-%d"]
    )


def read_text(file: UploadedFile[Any]) -> str:
    """Return the text of a file that was sent with a form. Raises ValidationError if it is not UTF-8."""
    try:
        text: str = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise forms.ValidationError(f"{file.name}: {NOT_UTF_8}") from error
    if "\x00" in text:  # in each UTF-16 file and spreadsheet, and in no text
        raise forms.ValidationError(f"{file.name}: {NOT_UTF_8}")
    return text


def refuse(request: HttpRequest, form: forms.Form, title: str) -> HttpResponse:
    """Answer 400 with a form and its errors, on a page whose whole answer depends on the form."""
    messages = {
        form.fields[name].label or name: errors for name, errors in get_form_messages(form).items()
    }
    context = {"form": form, "messages": messages, "title": title}
    return render(request, "refused.html", context, status=HTTPStatus.BAD_REQUEST)


def get_status(messages: Mapping[str, Any]) -> HTTPStatus:
    """Return the status of a list with these messages about its filters. With any, it has no rows."""
    return HTTPStatus.BAD_REQUEST if messages else HTTPStatus.OK
