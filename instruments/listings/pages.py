"""The pages: a search box, what it finds, and an instrument."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from instruments.classification import cfi
from instruments.isin import problem_of
from instruments.listings import history, underlyings
from instruments.listings.api import categories
from instruments.listings.api.serializers import RecordSerializer
from instruments.listings.facts import classification_rows, term_rows
from instruments.listings.terms import Terms
from instruments.models import Instrument, ListedVenue, Register
from instruments.transparency.api.serializers import TransparencyResultSerializer
from instruments.transparency.questions import Applicable, transparency_of
from marketdata.common.access import GuardedView, reading
from marketdata.common.pages import BoundedPaginator

PAGE_SIZE = 20
MAX_LENGTH = 100  # characters of a search, as the box allows


class SearchView(GuardedView):
    """The front page; an ISIN that is known leads straight to its instrument."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "").strip()[:MAX_LENGTH]
        problem = problem_of(words.upper())
        if problem is None and Instrument.objects.filter(pk=words.upper()).exists():
            return redirect("instrument", isin=words.upper())
        register = request.GET.get("register", "")
        register = register if register in Register.values else ""
        page = None
        if words:
            matching = Instrument.objects.search(words)
            if register:
                matching = matching.in_register(register)
            paginator = BoundedPaginator(matching, PAGE_SIZE)
            page = paginator.get_page(request.GET.get("page"))
        # Twelve characters with a digit at the end were meant as an ISIN.
        meant_isin = len(words) == 12 and words[-1].isdigit() and " " not in words
        shown = {
            "words": words,
            "register": register,
            "registers": [("", "EU and UK"), *Register.choices],
            "any_uk": ListedVenue.objects.filter(uk_listings__gt=0).exists(),
            "page": page,
            "isin_problem": problem if meant_isin else None,
            "any": bool(words) or Instrument.objects.exists(),
        }
        return render(request, "instruments/search.html", shown)


class InstrumentView(GuardedView):
    """One instrument: its terms, and every listing with every field that ESMA published of it."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest, isin: str) -> HttpResponse:
        found = Instrument.objects.filter(pk=isin.upper()).first()
        if found is None:
            raise Http404(f"No instrument with the ISIN {isin.upper()} is in the files loaded.")
        several = found.eu_listings is not None and found.uk_listings is not None
        register = request.GET.get("register", "")
        if register in Register.values:
            found = history.snapshot(found.isin, register=register)
            if found is None:
                raise Http404(f"{isin.upper()} has no listing in the register asked for.")
        else:
            register = ""
        records = RecordSerializer(found.listings, many=True).data
        classification = found.classification
        on = timezone.now().date()
        transparency = transparency_of(found.isin, on=on)
        shown = {
            "instrument": found,
            "transparency": _shown(transparency.applies),
            "category": cfi.category_names().get(found.category, ""),
            "classification": classification_rows(classification) if classification else [],
            "terms": term_rows(categories.shown(Terms(found.authoritative, found.category, on))),
            "underlyings": underlyings.of(found.listings),
            "derivatives": BoundedPaginator(Instrument.objects.derived_from(found.isin), PAGE_SIZE),
            "several_registers": several,
            "registers": [("", "EU and UK"), *Register.choices],
            "register": register,
            "listings": list(zip(found.listings, records, strict=True)),
        }
        return render(request, "instruments/instrument.html", shown)


# What the page shows of a result: the rest is in the API.
_OF_RESULT = ("liquid", "thresholds", "market_size", "methodology", "sub_class")


def _shown(applies: dict[str, Applicable]) -> list[dict[str, Any]]:
    """Return each result in force once, with all the respects in which it applies."""
    rows: dict[int, dict[str, Any]] = {}
    for respect, applicable in applies.items():
        for dated in applicable.in_force:
            fields = TransparencyResultSerializer(dated.result).data
            facts = {name: fields[name] for name in _OF_RESULT}
            row = rows.setdefault(
                dated.result.pk, {"respects": [], "why": applicable.why, "facts": facts}
            )
            row["respects"].append(respect.replace("_", " "))
    return list(rows.values())
