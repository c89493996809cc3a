"""Pages of curation: the problems of published data."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from curation import problems
from curation.filters import ProblemFilterSet
from curation.models import Problem
from instruments.classification import cfi
from instruments.models import Register
from marketdata.common.errors import NotInDatabase
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import get_status
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
_ANY = ("", "Any")


class ProblemsView(GuardedView):
    """The kinds of problems, with their numbers."""

    needs = reading("curation.view_problem")

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "curation/problems.html", {"kinds": problems.list_kinds()})


class ProblemForm(forms.Form):
    """The filters of the problems of a kind."""

    isin = forms.CharField(required=False, max_length=100, label="ISIN, FIGI or ticker")
    register = forms.ChoiceField(
        required=False, choices=[_ANY, *Register.choices], label="Register"
    )
    category = forms.ChoiceField(required=False, label="Category")
    suggested = forms.ChoiceField(
        required=False,
        choices=[_ANY, ("true", "With a suggestion"), ("false", "Without one")],
        label="Suggestion",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        category: Any = self.fields["category"]
        category.choices = [_ANY, *cfi.category_names().items()]


class ProblemsOfKindView(GuardedView):
    """The problems of one kind, why they are problems, and what to do."""

    needs = reading("curation.view_problem")

    def get(self, request: HttpRequest, kind: str) -> HttpResponse:
        try:
            about = problems.get_kind(kind)
        except NotInDatabase as error:
            raise Http404(str(error)) from error
        form = ProblemForm(request.GET)
        parameters = {name: request.GET.get(name, "").strip() for name in form.fields}
        parameters = {name: value for name, value in parameters.items() if value}
        every = Problem.objects.filter(kind=about.code).order_by("isin", "pk")
        filterset = ProblemFilterSet(parameters, every)
        messages = get_messages(filterset)
        rows: Any = Problem.objects.none() if messages else filterset.qs
        page = BoundedPaginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        described = next(row for row in problems.list_kinds() if row["kind"] == about.code)
        context: dict[str, Any] = {
            "about": described,
            "form": form,
            "messages": messages,
            "page": page,
        }
        context["query"] = query.urlencode()
        status = get_status(messages)
        return render(request, "curation/problems_of_kind.html", context, status=status)
