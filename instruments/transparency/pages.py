"""The page of an instrument's transparency results."""

import datetime as dt
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.listings.lookup import get_instrument
from instruments.models import Instrument, Register
from instruments.transparency.charts import draw_in_force, draw_turnover
from instruments.transparency.descriptions import describe_result
from instruments.transparency.facts import result_rows
from instruments.transparency.questions import InstrumentTransparency, get_transparency
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import day_field, refuse

# The fields of a result that the page shows for each respect. The table and the API have all of them.
_FIELDS: dict[str, tuple[str, ...]] = {
    "liquidity": ("liquid", "classification", "sub_class"),
    "thresholds": ("thresholds",),
    "market_size": ("methodology", "market_size"),
}
RESULTS_SHOWN = 100


class TransparencyForm(forms.Form):
    """The day and the register of a question about transparency."""

    on = day_field("On", "The results that apply on this day")
    known_on = day_field("Known on", "Only what had been published by this day")
    register = forms.ChoiceField(required=False, choices=Register.choices, label="Register")


class TransparencyView(GuardedView):
    """The results in force on a day with their rules, charts over time, and every published result.

    Query parameters are `on` (today by default), `known_on` and `register` (by default the one with results).
    """

    needs = reading("instruments.view_transparencyresult")

    def get(self, request: HttpRequest, isin: str) -> HttpResponse:
        form = TransparencyForm(request.GET)
        if not form.is_valid():
            return refuse(request, form, f"Transparency of {isin}")
        values = {name: form.cleaned_data[name] or None for name in form.fields}
        try:
            instrument, answer = _read_answer(isin, **values)
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error
        context = {
            "isin": answer.isin,
            "instrument": instrument,
            "form": TransparencyForm({**request.GET.dict(), "register": answer.register}),
            "answer": answer,
            "applies": [_describe_respect(answer, respect) for respect in answer.applies],
            "chart": draw_in_force(answer),
            "turnover": draw_turnover(answer),
            "results": [
                (describe_result(result, answer.first_trade), result.source_file_id)
                for result in answer.results[:RESULTS_SHOWN]
            ],
            "left_out": max(0, len(answer.results) - RESULTS_SHOWN),
        }
        return render(request, "instruments/transparency.html", context)


def _read_answer(
    text: str, *, on: dt.date | None, known_on: dt.date | None, register: str | None
) -> tuple[Instrument | None, InstrumentTransparency]:
    """Return an instrument, if it is known, and its results; of the other register if ESMA has none.

    Raises InvalidQuery, NotInDatabase.
    """
    try:
        instrument = get_instrument(text)
    except NotInDatabase:  # Results are published of instruments that are not loaded, too.
        instrument = None
    isin = instrument.isin if instrument else text
    answer = get_transparency(isin, on=on, known_on=known_on, register=register or Register.ESMA)
    if register is None and not answer.results and answer.other_registers:
        answer = get_transparency(
            isin, on=on, known_on=known_on, register=answer.other_registers[0]
        )
    return instrument, answer


def _describe_respect(answer: InstrumentTransparency, respect: str) -> dict[str, Any]:
    """Return why results apply in a respect, and those that do, with their figures."""
    applicable = answer.applies[respect]
    rows = []
    for dated in applicable.in_force:
        fields = describe_result(dated.result, answer.first_trade)
        facts = {name: fields[name] for name in _FIELDS[respect]}
        rows.append({"rows": result_rows(facts), "file": dated.result.source_file})
    return {"name": respect.replace("_", " ").capitalize(), "why": applicable.why, "rows": rows}
