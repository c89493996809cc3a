"""The page on which a list of instruments or trades is checked."""

import dataclasses
import datetime as dt
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from instruments.entities.hierarchy import read_names
from instruments.list_check.answers import CheckStatus, Question, answer_items, format_csv
from instruments.list_check.items import Item
from instruments.list_check.lines import Lines
from instruments.listings.status import today
from instruments.models import Register
from marketdata.web import limits
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import day_field, read_text

MAX_LINES = 10_000
MAX_QUERY = 2_000  # characters of an address: what mail programs and browsers take
_LIQUIDITY = {True: "liquid", False: "not_liquid", None: "no_liquidity"}
_SHOWN = {
    "": "All lines",
    "reportable": "Reportable",
    "not_reportable": "Not reportable",
    "by_underlyings": "With traded underlyings",
    "liquid": "Liquid",
    "not_liquid": "Not liquid",
    "no_liquidity": "Without a liquidity result",
    "unknown": "Unknown",
    "invalid": "Invalid",
}
# Rows of the table; the file to download has all.
MAX_SHOWN = 200
EXAMPLE = "SE0000115446\nDE000A1R07V3, XFRA, 2020-06-30\nNL00150001Q9; ; 2021-03-01"


class ListForm(forms.Form):
    """A list as text or as a file, and what is asked of all lines."""

    lines = forms.CharField(
        required=False,
        label="ISINs or trades, one in each line",
        widget=forms.Textarea(attrs={"spellcheck": "false", "placeholder": EXAMPLE}),
    )
    file = forms.FileField(
        required=False,
        label="Or a text or CSV file",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )
    on = day_field("Day for lines that name none", "Default: today")
    known_on = day_field("Known on", "Only what had been published by this day")
    register = forms.ChoiceField(
        required=False,
        choices=[("", "EU and UK"), *Register.choices],
        label="Register",
    )
    show = forms.ChoiceField(required=False, choices=list(_SHOWN.items()), label="Show")

    def clean(self) -> dict[str, Any]:
        """Add `items`, the parsed lines, and `columns`, which of a table were read."""
        cleaned: dict[str, Any] = super().clean() or {}
        text = cleaned.get("lines") or ""
        file: UploadedFile[Any] | None = cleaned.get("file")
        if file is not None:
            if text.strip():
                raise forms.ValidationError("Give either lines or a file, and not both.")
            text = read_text(file)
            # The lines are shown, and are what the download is made of.
            self.data = {**self.data.dict(), "lines": text}  # type: ignore[attr-defined]
        lines = Lines(io.StringIO(text, newline=None))
        items = list(lines)
        if not items:
            raise forms.ValidationError("There is no line to check. Paste ISINs, or choose a file.")
        if len(items) > MAX_LINES:
            raise forms.ValidationError(
                f"At most {MAX_LINES:,} lines; these are {len(items):,}. Send longer lists on the page of"
                " files, or use the command check_list."
            )
        return {**cleaned, "items": items, "columns": lines.columns}


class CheckListView(GuardedView):
    """A form for a list, and the answer for each line as a table or as a CSV file.

    Lists are sent by POST, so that trades are in no log and no history of a browser. The answers for a short
    one have a link to an address with its lines, for those who want to keep it or send it.
    """

    needs = reading("instruments.view_instrument")
    template = "instruments/check_list.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form, with the answers for a short list in the address."""
        if "lines" in request.GET:
            return self._answer(request, ListForm(request.GET))
        return render(request, self.template, {"form": ListForm(), "max_lines": MAX_LINES})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request, ListForm(request.POST, request.FILES))

    def _answer(self, request: HttpRequest, form: ListForm) -> HttpResponseBase:
        limits.count_client(request, user=request.user, costly=True)
        usage = limits.usage_of(request)
        context: dict[str, Any] = {"form": form, "max_lines": MAX_LINES}
        if usage is not None and usage.is_exceeded:
            context["exceeded"] = usage
            response = render(request, self.template, context, status=429)
            for name, value in usage.headers().items():
                response[name] = value
            return response
        if not form.is_valid():
            return render(request, self.template, context, status=400)
        items: list[Item] = form.cleaned_data["items"]
        question = Question(
            on=form.cleaned_data["on"],
            known_on=form.cleaned_data["known_on"],
            register=form.cleaned_data["register"],
        )
        context["columns"] = form.cleaned_data["columns"]
        answers = answer_items(items, question)
        if "download" in request.POST:
            return _download(format_csv(answers, spreadsheet=True))
        context |= _summarize(answers, show=form.cleaned_data["show"])
        context["address"] = _make_address(items, form.cleaned_data)
        return render(request, self.template, context)


def _make_address(items: list[Item], asked: dict[str, Any]) -> str | None:
    """Return the query of an address that asks the same; None for a list that is too long for one.

    It has the codes, venues and days alone, whatever other columns the list has, and the day that is today
    if none is given. It must have the same answers: there is none for a line that would be read otherwise.
    """
    texts = [f"{item.code},{item.mic},{item.on or ''}".rstrip(",") for item in items]
    # A code of a table may hold what divides the fields of a line, as a ticker with a space.
    read_again = [dataclasses.replace(item, line=0) for item in Lines(texts)]
    if read_again != [dataclasses.replace(item, line=0) for item in items]:
        return None
    lines = "\n".join(texts)
    question = {**asked, "lines": lines, "on": asked["on"] or today()}
    names = ("lines", "on", "known_on", "register", "show")
    query = urlencode({name: question[name] for name in names if question[name]}, safe=",")
    return f"?{query}" if len(query) <= MAX_QUERY else None


def _summarize(answers: Iterator[dict[str, Any]], *, show: str) -> dict[str, Any]:
    """Count the answers of each kind, and return the first of the kind `show`, with names of issuers.

    Without a kind the first of all are returned.
    """
    shown: list[dict[str, Any]] = []
    counts = dict.fromkeys(_SHOWN, 0)
    for answer in answers:
        kinds = {"", *_get_kinds(answer)}
        if show in kinds and len(shown) < MAX_SHOWN:
            shown.append(answer)
        for kind in kinds:
            counts[kind] += 1
    names = read_names({answer["issuer_lei"] for answer in shown if answer["issuer_lei"]})
    for answer in shown:
        answer["issuer_name"] = names.get(answer["issuer_lei"])
    is_cut = counts[show] > len(shown)
    return {
        "answers": shown,
        "lines": counts.pop(""),
        "counts": [(_SHOWN[kind].lower(), number) for kind, number in counts.items()],
        "kind": show and _SHOWN[show].lower(),
        "is_cut": is_cut,
    }


def _get_kinds(answer: dict[str, Any]) -> Iterator[str]:
    if answer["status"] == CheckStatus.FOUND:
        yield "reportable" if answer["reportable"] else "not_reportable"
        if answer["traded_underlyings"]:
            yield "by_underlyings"
        yield _LIQUIDITY[answer["liquid"]]
    else:
        yield answer["status"]


def _download(lines: Iterator[str]) -> StreamingHttpResponse:
    name = f"check-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.csv"
    return StreamingHttpResponse(
        (line.encode() for line in lines),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
