"""Suggestions for the search box: instruments, legal entities and venues by the first words of a search."""

import dataclasses
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from instruments.correctable import CorrectionSubject
from instruments.corrected_records import correct
from instruments.models import Instrument, LegalEntity, Status, Venue
from instruments.served_values import is_served
from marketdata.web.access import GuardedView, is_met, reading

MAX_LENGTH = 100  # characters of a search; the rest is ignored
_LEAST_LETTERS = 2
_READ = 20  # instruments of which the active ones come first
_SHOWN = 6
_OTHERS_SHOWN = 2
_READING_ENTITIES = reading("instruments.view_legalentity")
_READING_VENUES = reading("instruments.view_venue")


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A page that a search may mean."""

    kind: str
    code: str
    name: str
    address: str


class SuggestionsView(GuardedView):
    """The suggestions for `q`, as a part of a page that htmx puts below the search box."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "").strip()[:MAX_LENGTH]
        suggestions: list[Suggestion] = []
        if len(words) >= _LEAST_LETTERS:
            suggestions = _suggest_instruments(words) + suggest_others(words, request.user)
        context = {"suggestions": suggestions, "words": words}
        return render(request, "instruments/suggestions.html", context)


def suggest_others(words: str, user: Any) -> list[Suggestion]:
    """Return the entities and venues whose names begin with these words, that a user may read."""
    suggestions: list[Suggestion] = []
    if is_met(_READING_ENTITIES, user):
        suggestions += _suggest_entities(words)
    if is_met(_READING_VENUES, user):
        suggestions += _suggest_venues(words)
    return suggestions


def _suggest_instruments(words: str) -> list[Suggestion]:
    rows = sorted(Instrument.objects.search(words)[:_READ], key=lambda i: i.status != Status.ACTIVE)
    return [
        Suggestion("Instrument", row.isin, row.full_name, reverse("instrument", args=[row.isin]))
        for row in rows[:_SHOWN]
    ]


def _suggest_entities(words: str) -> list[Suggestion]:
    rows = list(LegalEntity.objects.search(words)[:_OTHERS_SHOWN])
    correct(rows)
    return [
        Suggestion("Entity", row.lei, row.legal_name, reverse("entity", args=[row.lei]))
        for row in rows
    ]


def _suggest_venues(words: str) -> list[Suggestion]:
    matching = Venue.objects.filter(
        Q(mic=words.upper()) | is_served(CorrectionSubject.VENUE, "name", istartswith=words)
    )
    rows = list(matching.order_by("mic")[:_OTHERS_SHOWN])
    correct(rows)
    return [
        Suggestion("Venue", row.mic, row.name, reverse("venue", args=[row.mic])) for row in rows
    ]
