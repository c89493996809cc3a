"""The dossier of an instrument as a page to be printed."""

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.dossier.layout import lay_out
from instruments.dossier.questions import get_dossier
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import day_field, refuse


class DayForm(forms.Form):
    """The day that a dossier answers for; today without it."""

    on = day_field("On", "All that is known, as of this day")


class DossierPage(GuardedView):
    """All that is known of one instrument; the query parameter `on` is the day."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest, isin: str) -> HttpResponse:
        form = DayForm(request.GET)
        if not form.is_valid():
            return refuse(request, form, f"Dossier of {isin}")
        try:
            answer = get_dossier(isin, on=form.cleaned_data["on"]).describe()
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error
        context = {"answer": answer, "sections": lay_out(answer)}
        return render(request, "instruments/dossier.html", context)
