"""The front page: an overview of the data, and the search with filters."""

import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from instruments.classification import cfi
from instruments.corrected_records import correct
from instruments.entities.search import is_lei
from instruments.figis.questions import problem_of_figi, resolve
from instruments.isin import problem_of
from instruments.listings import dates, export, search_facets, search_results, spelling
from instruments.listings.facts import format_value
from instruments.listings.filters import ListFilterSet
from instruments.listings.overview import draw_changes, read_changes, read_overview
from instruments.listings.search_results import PAGE_SIZE
from instruments.listings.status import EffectiveStatus
from instruments.listings.suggestions import MAX_LENGTH, suggest_others
from instruments.models import Instrument, LegalEntity, ListedVenue, Register, Status, Venue
from marketdata.common.errors import InvalidQuery
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, holding, is_met, reading
from marketdata.web.forms import day_field, get_status

PATIENT = "wait"  # the parameter of an address whose answer takes the time that it needs
_MIC_LENGTH = 4
_REGISTERS = [("", "EU and UK"), *Register.choices]
_ANY = ("", "Any")
# The columns that a list can have beside the ISIN (fields of exports, in the order of RTS 23), and those that
# it has unless others are chosen.
COLUMNS = {
    "full_name": "Name",
    "short_name": "Short name",
    "cfi_code": "CFI",
    "category": "Category",
    "notional_currency": "Currency",
    "commodity_derivative": "Commodity derivative",
    "issuer_lei": "Issuer (LEI)",
    "issuer_name": "Issuer",
    "issuer_country": "Country of the issuer",
    "mic": "Venue",
    "register": "Register",
    "competent_authority": "Authority",
    "first_trade_at": "First trade (UTC)",
    "terminated_at": "Terminated (UTC)",
    "total_issued_nominal": "Issued nominal",
    "maturity_date": "Maturity",
    "nominal_value_per_unit": "Nominal per unit",
    "fixed_rate": "Fixed rate (%)",
    "seniority": "Seniority",
    "expiry_date": "Expiry",
    "price_multiplier": "Price multiplier",
    "underlying_isin": "Underlying",
    "option_type": "Option type",
    "strike_amount": "Strike price",
    "exercise_style": "Exercise style",
    "delivery_type": "Delivery type",
    "status": "Published status",
    "effective_status": "Effective status",
    "listing_count": "Listings",
}
DEFAULT_COLUMNS = (
    "full_name",
    "cfi_code",
    "notional_currency",
    "effective_status",
    "listing_count",
)
_EXPORTING = holding("instruments.export_instrument")
EXPORT_FORMATS = {"xlsx": "Excel", "csv": "CSV", "parquet": "Parquet", "ndjson": "NDJSON"}
# A label, spaces and invisible characters.
_NOT_OF_ISINS = re.compile(r"^\s*ISIN\b\W*|[\s\u200b-\u200f\u2060\ufeff]+")
EXAMPLES = ("Volkswagen", "XETR", "ESVUFR")  # a name, a MIC and a CFI code
# Those of these instruments that are loaded are examples too.
EXAMPLE_ISINS = ("DE0007664039", "DE000A1R07V3", "US0378331005", "ZZNORDSHARE8")


class FilterForm(forms.Form):
    """The filters of the search page: those of the API that people use most."""

    category = forms.ChoiceField(
        required=False, choices=[_ANY, *cfi.category_names().items()], label="Category"
    )
    status = forms.ChoiceField(
        required=False, choices=[_ANY, *Status.choices], label="Published status"
    )
    effective_status = forms.ChoiceField(
        required=False, choices=[_ANY, *EffectiveStatus.choices], label="Effective status"
    )
    mic = forms.CharField(required=False, max_length=4, label="MIC")
    currency = forms.CharField(required=False, max_length=3, label="Currency")
    cfi = forms.CharField(required=False, max_length=6, label="CFI code, or its start")
    issuer = forms.CharField(required=False, max_length=20, label="Issuer (LEI)")
    issuer_group = forms.CharField(
        required=False, max_length=20, label="Issuer and entities below it (LEI)"
    )
    underlying = forms.CharField(required=False, max_length=20, label="Underlying (ISIN or LEI)")
    maturity_after = day_field("Maturity after")
    maturity_before = day_field("Maturity before")
    expiry_after = day_field("Expiry after")
    expiry_before = day_field("Expiry before")
    first_trade_after = day_field("First trade after")
    first_trade_before = day_field("First trade before")
    changed_since = day_field("Changed here since")
    has_figi = forms.ChoiceField(
        required=False, choices=[_ANY, ("true", "With a FIGI"), ("false", "Without")], label="FIGI"
    )
    has_entity = forms.ChoiceField(
        required=False,
        choices=[_ANY, ("true", "Loaded from GLEIF"), ("false", "Not loaded")],
        label="Record of the issuer",
    )
    # Set by the facet of venues: unlike `mic` it leaves out the segments of an operating MIC.
    mic_exact = forms.CharField(
        required=False, max_length=4, label="Venue", widget=forms.HiddenInput
    )
    ordering = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Default: by ISIN, for words active ones first"),
            *((name, f"B{label[1:]}") for name, label in dates.ORDERINGS.items() if name != "isin"),
        ],
        label="Order",
    )

    def describe_chosen(self) -> list[str]:
        """Return the filters that have a value, as text."""
        chosen = []
        for field in self:
            value = self.data.get(field.name, "").strip()
            choices = dict(getattr(field.field, "choices", ()))
            if value:
                chosen.append(f"{field.label} {choices.get(value, value)}")
        return chosen


class SearchView(GuardedView):
    """Instruments by words and filters. A known ISIN, FIGI or LEI redirects to its page, and the LEI of an
    issuer without a record to its instruments.

    Query parameters are `q`, those of FilterForm, and `register`; `column` for each column to show; `page`
    up to row 1,000, then `after`, the ISIN after which to continue. Where no name has a word, the
    instruments are those of a search with the most similar words, and the page says so. Without `wait`, an
    answer that takes long is shown as far as it is ready, and loads the rest itself
    (`instruments.listings.search_results`).
    """

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "").strip()[:MAX_LENGTH]
        by_code = resolve([words.upper()]).get(words.upper(), []) if words else []
        if (page := _find_page(words, by_code)) is not None:
            return page
        register = request.GET.get("register", "").strip().upper()
        form = FilterForm(request.GET)
        filters = {name: request.GET.get(name, "").strip() for name in form.fields}
        filters = {name: value for name, value in filters.items() if value}
        is_asked = bool(words or filters or register)
        context: dict[str, Any] = {
            "words": words,
            "register": register,
            "registers": _REGISTERS,
            "form": form,
            "filters": filters,
            "chosen": form.describe_chosen(),
            "is_asked": is_asked,
            "has_uk_listings": ListedVenue.objects.filter(uk_listings__gt=0).exists(),
        }
        if not is_asked:
            return render(request, "instruments/search.html", context | _describe_overview())
        answer = _answer(request, words, by_code, {**filters, "q": words, "register": register})
        # A part of a page is put in its place only with an answer that is good.
        is_error = answer["results"].is_stopped and "HX-Request" not in request.headers
        status = HTTPStatus.SERVICE_UNAVAILABLE if is_error else get_status(answer["messages"])
        return render(request, "instruments/search.html", context | answer, status=status)


def _read_isin(words: str) -> str:
    """Return an ISIN without what it was copied with: a label, or spaces between its groups."""
    return _NOT_OF_ISINS.sub("", words.upper())


def _find_page(words: str, by_code: list[str]) -> HttpResponse | None:
    """Redirect to the page of what the words name, an instrument or an entity; None for other words."""
    code, isin = words.upper(), _read_isin(words)
    if problem_of(isin) is None and Instrument.objects.filter(pk=isin).exists():
        return redirect("instrument", isin=isin)
    if is_lei(code):
        if LegalEntity.objects.filter(lei=code).exists():
            return redirect("entity", lei=code)
        if Instrument.objects.issued_by(code).exists():
            return redirect(f"{reverse('search')}?{urlencode({'issuer': code})}")
    if len(by_code) == 1 and problem_of_figi(code) is None:
        return redirect("instrument", isin=by_code[0])
    return None


def _describe_overview() -> dict[str, Any]:
    """Return what the page shows before anything is asked."""
    changes = read_changes()
    return {
        "overview": read_overview(),
        "examples": EXAMPLES,
        "example_instruments": Instrument.objects.filter(pk__in=EXAMPLE_ISINS),
        "changes": changes[-1] if changes else None,
        "changes_chart": draw_changes(changes),
    }


def _answer(
    request: HttpRequest, words: str, by_code: list[str], values: dict[str, str]
) -> dict[str, Any]:
    """Return what the page shows for a search: the instruments, and what else the words may mean."""
    isin = _read_isin(words)
    problem = problem_of(isin)
    is_figi = problem is not None and problem_of_figi(words.upper()) is None
    # Twelve other characters with a digit at the end are probably meant as an ISIN.
    looks_like_isin = len(words) == 12 and words[-1].isdigit() and " " not in words and not is_figi
    patient = request.GET.copy()
    patient[PATIENT] = "1"
    answer = {
        "code_pages": _find_code_pages(words.upper()),
        "by_code": Instrument.objects.filter(pk__in=by_code[:PAGE_SIZE]),
        "isin_problem": problem if looks_like_isin else None,
        "isin": isin if problem is None else "",
        "is_figi": is_figi,
        "is_lei": is_lei(words.upper()),
        "can_export": is_met(_EXPORTING, request.user),
        "patient_query": patient.urlencode(),
        **_find(request, values),
    }
    if answer["messages"] or not answer["results"].is_searched:
        return answer
    is_unknown = not (answer["instruments"] or by_code or looks_like_isin)
    if is_unknown and (corrected := spelling.correct(words)):
        answer |= _find(request, {**values, "q": corrected})
        answer["corrected"] = corrected if answer["instruments"] else ""
    if words and not answer["instruments"]:
        answer["others"] = suggest_others(words, request.user)
    return answer


def _find_code_pages(code: str) -> list[tuple[str, str, str]]:
    """Return the kind, name and address of the pages of a MIC or a CFI code; none for other words."""
    pages = []
    if len(code) == _MIC_LENGTH and (venue := Venue.objects.filter(pk=code).first()):
        correct([venue])
        pages.append(("a venue", venue.name, reverse("venue", args=[code])))
    if len(code) == cfi.LENGTH and code.isascii() and code.isalpha():
        decoded = cfi.decode(code)
        if decoded.category and decoded.group:
            name = f"{decoded.category.name}, {decoded.group.name}"
            pages.append(("a CFI code", name, reverse("cfi", args=[code])))
    return pages


def _find(request: HttpRequest, values: dict[str, str]) -> dict[str, Any]:
    """Return the instruments of one page, and the addresses of the pages beside it."""
    parameters = {name: value for name, value in values.items() if value}
    chosen = [name for name in request.GET.getlist("column") if name in COLUMNS]
    columns = [name for name in COLUMNS if name in (chosen or DEFAULT_COLUMNS)]
    query = QueryDict(mutable=True)
    query.update(parameters)
    query.setlist("column", chosen)
    context: dict[str, Any] = {
        "query": query.urlencode(),
        **_describe_columns(columns, parameters),
        "chosen_columns": chosen,
        "instruments": [],
        "results": search_results.Results(),
        "messages": {},
    }
    filterset = ListFilterSet(parameters, Instrument.objects.all())
    if messages := get_messages(filterset):
        return context | {"messages": messages}
    # Words are a question, whose best answers come first; filters alone make a list.
    asked = search_results.Search(
        find=lambda: filterset.qs,
        is_question="q" in parameters and not parameters.keys() & {"ordering", "effective_status"},
        after=request.GET.get("after", ""),
        page=request.GET.get("page"),
        describe=lambda matching: search_facets.describe(matching, parameters, query),
    )
    try:
        results = search_results.read(asked, is_patient=PATIENT in request.GET)
    except InvalidQuery as error:
        name = "after" if error.parameter == "cursor" else error.parameter
        return context | {"messages": {name: [str(error)]}}
    layout = export.Layout(columns=("isin", "corrected", *columns))
    instruments = [
        {
            "isin": isin,
            "corrected": _name_corrected(corrected, columns),
            "cells": list(zip(columns, map(format_value, values), strict=True)),
        }
        for isin, corrected, *values in export.read_rows(
            results.rows, layout, with_corrections=True
        )
    ]
    return context | {"instruments": instruments, "results": results, "after": asked.after}


def _name_corrected(published: str, columns: list[str]) -> str:
    """Return the columns of a row that have corrected values, by the published values of all as JSON."""
    fields = json.loads(published) if published else ()
    return ", ".join(COLUMNS[name] for name in columns if name in fields)


def _describe_columns(columns: list[str], parameters: dict[str, str]) -> dict[str, Any]:
    """Return the columns that are shown, those to choose from, and the export of a list with them."""
    exported = {name: value for name, value in parameters.items() if name != "ordering"}
    return {
        "columns": [(name, COLUMNS[name]) for name in columns],
        "column_choices": [(name, label, name in columns) for name, label in COLUMNS.items()],
        "export_query": urlencode({**exported, "fields": ",".join(["isin", *columns])}),
        "export_formats": EXPORT_FORMATS,
    }
