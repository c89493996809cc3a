"""The page of one instrument, with its listings and answers for a day."""

import datetime as dt
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.classification import cfi
from instruments.corrected_records import correct
from instruments.entities.parents import read_parents
from instruments.entities.questions import read_successors_of_ended
from instruments.figis.questions import get_figis
from instruments.listings import corrections, descriptions, history, lookup, underlyings
from instruments.listings.facts import classification_rows, term_rows
from instruments.listings.reportability import get_reportability
from instruments.listings.status import EffectiveStatus, today
from instruments.listings.timeline_chart import draw_listings
from instruments.models import Instrument, LegalEntity, Register
from instruments.transparency.applicable import Applicable
from instruments.transparency.charts import draw_in_force
from instruments.transparency.descriptions import describe_result
from instruments.transparency.facts import result_rows
from instruments.transparency.questions import get_transparency
from instruments.volume_cap.questions import get_volume_cap
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import day_field, refuse
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 20
FIGIS_SHOWN = 20
_REGISTERS = [("", "EU and UK"), *Register.choices]
# The fields of a transparency result that the page shows. The API has all of them.
_RESULT_FIELDS = ("liquid", "thresholds", "market_size", "methodology", "sub_class")


class DaysForm(forms.Form):
    """The days of a question about an instrument."""

    on = day_field("Reportable on", "Day of a trade; else that of “As of”, or today")
    as_of = day_field("As of", "As the register read on this day")
    known_on = day_field("Known on", "Only what had been published by this day")
    register = forms.ChoiceField(required=False, choices=_REGISTERS, label="Register")

    def get_day(self, name: str) -> dt.date | None:
        day: dt.date | None = self.cleaned_data.get(name)
        return day


class InstrumentView(GuardedView):
    """One instrument: its terms, its listings with every published field, and its reportability on a day.

    Query parameters are `register`, `as_of` and `known_on`, which select the records shown, and `on`,
    the day of the reportability: by default that of `as_of`, or today.
    """

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest, isin: str) -> HttpResponse:
        given = request.GET.dict()
        days = DaysForm({**given, "register": given.get("register", "").upper()})
        if not days.is_valid():
            return refuse(request, days, isin)
        as_of, known_on = days.get_day("as_of"), days.get_day("known_on")
        register = days.cleaned_data["register"]
        try:
            current = lookup.get_instrument(isin)
            instrument, applied = corrections.get_served(
                current, as_of=as_of, known_on=known_on, register=register
            )
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error
        day = as_of or known_on or today()
        reportability = get_reportability(
            current.isin, on=days.get_day("on") or as_of, known_on=known_on, register=register
        )
        answer_for_day = descriptions.describe_reportability(reportability)
        answer = descriptions.describe_instrument(
            instrument, as_of=as_of, known_on=known_on, applied=applied
        )
        decoded = instrument.classification
        transparency = get_transparency(current.isin, on=as_of or today(), known_on=known_on)
        volume_cap = get_volume_cap(current.isin, on=as_of or today())
        figis = get_figis(current.isin)
        newest = max(listing.source_file.published_on for listing in instrument.listings)
        context = {
            "answer": answer,
            "reference": instrument.authoritative,
            "newest": newest,
            "age_days": (today() - newest).days,
            "issuer": _read_issuer(answer["issuer_lei"], day),
            "status": EffectiveStatus(answer["status"]).label,
            "effective_status": EffectiveStatus(answer["effective_status"]).label,
            "days": days,
            "reportability": answer_for_day,
            "reportability_rows": zip(
                (*answer_for_day["venues"], *answer_for_day["other_venues"]),
                sorted(reportability.listings, key=lambda listing: not listing.is_reportable),
                strict=True,
            ),
            "is_before_records": any(
                listing.basis == history.Basis.EARLIEST_KNOWN for listing in reportability.listings
            ),
            "transparency": _describe_applicable(transparency.applies),
            "transparency_chart": draw_in_force(transparency),
            "has_transparency": bool(transparency.results or transparency.other_registers),
            "volume_cap": volume_cap,
            "figis": figis.sorted_by_use()[:FIGIS_SHOWN],
            "figi_count": len(figis.figis),
            "category": cfi.category_names().get(instrument.category, ""),
            "classification": classification_rows(decoded) if decoded else [],
            "terms": term_rows(answer["terms"]),
            "underlyings": underlyings.read_underlyings(instrument.listings),
            "derivatives": BoundedPaginator(
                Instrument.objects.derived_from(current.isin), PAGE_SIZE
            ),
            "is_in_both_registers": current.eu_listings is not None
            and current.uk_listings is not None,
            "registers": _REGISTERS,
            "register": register,
            "chart": draw_listings(instrument.listings, day),
            "listings": [
                (row, listing, descriptions.describe_record(listing))
                for row, listing in zip(answer["listings"], instrument.listings, strict=True)
            ],
        }
        return render(request, "instruments/instrument.html", context)


def _read_issuer(lei: str, day: dt.date) -> dict[str, Any]:
    """Return the legal entity of an issuer, its parents on a day, and its successors if it has ended.

    The entity is None if GLEIF's record of it is not loaded. Four queries, and more for one that has ended.
    """
    if not lei:
        return {"entity": None, "parents": [], "successors": []}
    parents, _ = read_parents(lei, day)
    entity = LegalEntity.objects.filter(lei=lei).first()
    if entity is not None:
        correct([entity])
    successors = read_successors_of_ended(entity)
    return {"entity": entity, "parents": parents, "successors": successors}


def _describe_applicable(applies: dict[str, Applicable]) -> list[dict[str, Any]]:
    """Return each transparency result in force once, with all the respects in which it applies."""
    rows: dict[int, dict[str, Any]] = {}
    for respect, applicable in applies.items():
        for dated in applicable.in_force:
            fields = describe_result(dated.result)
            facts = {name: fields[name] for name in _RESULT_FIELDS}
            row = rows.setdefault(
                dated.result.pk,
                {
                    "respects": [],
                    "reason": applicable.why,
                    "rows": result_rows(facts),
                    "file": dated.result.source_file,
                },
            )
            row["respects"].append(respect.replace("_", " "))
    return list(rows.values())
