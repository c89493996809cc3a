"""Pages of trading venues: the list with a search, and one venue."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.corrected_records import correct
from instruments.models import LegalEntity, Venue
from instruments.venues.filters import VenueFilterSet
from instruments.venues.questions import describe_venue, get_venue, with_listings
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import get_status
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
_LISTED = [("", "All venues"), ("true", "With listings"), ("false", "Without listings")]
# The facts of a venue that its page shows, in this order. The API has the same and more.
_FACTS = (
    *("legal_entity_name", "lei", "acronym", "kind", "operating_mic", "category", "status"),
    *("country", "city", "website", "created_on", "updated_on", "validated_on", "expires_on"),
    "comments",
)


# The codes of ISO 10383 in words.
_KINDS = {code: f"{label[0].lower()}{label[1:]}" for code, label in Venue.Kind.choices}
_CATEGORIES = {
    "APPA": "approved publication arrangement",
    "ARMS": "approved reporting mechanism",
    "ATSS": "alternative trading system",
    "CASP": "crypto-asset services provider",
    "DCMS": "designated contract market",
    "IDQS": "inter-dealer quotation system",
    "MLTF": "multilateral trading facility",
    "NSPD": "not specified",
    "OTFS": "organised trading facility",
    "OTHR": "other",
    "RMKT": "regulated market",
    "SEFS": "swap execution facility",
    "SINT": "systematic internaliser",
    "TRFS": "trade reporting facility",
}


class VenueForm(forms.Form):
    """The filters of the list of venues."""

    q = forms.CharField(required=False, max_length=100, label="MIC, name, operator or city")
    country = forms.CharField(required=False, max_length=2, label="Country")
    listed = forms.ChoiceField(required=False, choices=_LISTED, label="Listings")


class VenuesView(GuardedView):
    """The list of venues (ISO 10383) with their numbers of listings, by filters."""

    needs = reading("instruments.view_venue")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = VenueForm(request.GET)
        parameters = {name: request.GET.get(name, "").strip() for name in form.fields}
        parameters = {name: value for name, value in parameters.items() if value}
        filterset = VenueFilterSet(parameters, with_listings().order_by("mic"))
        messages = get_messages(filterset)
        venues: Any = Venue.objects.none() if messages else filterset.qs
        page = BoundedPaginator(venues, PAGE_SIZE).get_page(request.GET.get("page"))
        page.object_list = list(page.object_list)
        correct(page.object_list)
        query = request.GET.copy()
        query.pop("page", None)
        context = {"form": form, "messages": messages, "page": page, "query": query.urlencode()}
        return render(request, "instruments/venues.html", context, status=get_status(messages))


class VenueView(GuardedView):
    """One venue, its operator and segments, and its numbers of listings."""

    needs = reading("instruments.view_venue")

    def get(self, request: HttpRequest, mic: str) -> HttpResponse:
        try:
            venue = get_venue(mic)
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error
        described = describe_venue(venue)
        segments = list(with_listings().segments_of(venue.mic).order_by("mic"))
        correct(segments)
        operators = list(LegalEntity.objects.filter(lei=venue.lei)[:1])
        correct(operators)
        facts = {name: described[name] for name in _FACTS if described[name]}
        for name, meanings in (("kind", _KINDS), ("category", _CATEGORIES)):
            if meaning := meanings.get(described[name]):
                facts[name] = f"{described[name]} ({meaning})"
        context = {
            "venue": described,
            "facts": facts,
            "operator": operators[0] if operators else None,
            "segments": segments,
            "corrections": described["corrections"],
        }
        return render(request, "instruments/venue.html", context)
