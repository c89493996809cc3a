"""Pages of a user's watch lists, and of what changed in one of them."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from curation import watching
from curation.models import WatchList
from marketdata.common.errors import InvalidQuery, NotInDatabase, WrongState
from marketdata.web.access import GuardedView, holding

_KEEP = holding("curation.keep_watchlist")


class WatchListForm(forms.Form):
    """A watch list: ISINs, or a filter."""

    name = forms.CharField(max_length=100, label="Name")
    isins = forms.CharField(
        required=False,
        max_length=20_000,
        label="ISINs, FIGIs or tickers, one in each line",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    filter = forms.CharField(
        required=False,
        max_length=500,
        label="Or a filter, as category=D&currency=EUR",
        widget=forms.TextInput(attrs={"size": 60}),
    )
    by_mail = forms.BooleanField(required=False, label="Mail its changes by night")


def _save(form: WatchListForm, watch_list: WatchList) -> bool:
    """Save a watch list with the values of a form; False if there is an error, which the form has then."""
    if not form.is_valid():
        return False
    values = form.cleaned_data
    for name, value in {**values, "isins": values["isins"].replace(",", " ").split()}.items():
        setattr(watch_list, name, value)
    try:
        watching.save(watch_list)
    except InvalidQuery as error:
        form.add_error(error.parameter if error.parameter in form.fields else "isins", str(error))
    except WrongState as error:
        form.add_error("name", str(error))
    return form.is_valid()


class WatchListsView(GuardedView):
    """The watch lists of the user, and a form for a new one."""

    needs = _KEEP

    def get(self, request: HttpRequest) -> HttpResponse:
        form = WatchListForm(initial={"filter": request.GET.get("filter", "")})
        return self._show(request, form)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = WatchListForm(request.POST)
        watch_list = WatchList(owner=request.user.get_username())
        if _save(form, watch_list):
            return HttpResponseRedirect(reverse("watch-list", args=[watch_list.pk]))
        return self._show(request, form, status=400)

    def _show(
        self, request: HttpRequest, form: WatchListForm, *, status: int = 200
    ) -> HttpResponse:
        lists = WatchList.objects.filter(owner=request.user.get_username())
        context: dict[str, Any] = {"form": form, "lists": lists}
        return render(request, "curation/watch_lists.html", context, status=status)


class WatchListView(GuardedView):
    """A watch list: its changes since its owner marked them as seen, its instruments, and a form."""

    needs = _KEEP

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        watch_list = self._get(request, number)
        values = {name: getattr(watch_list, name) for name in WatchListForm.base_fields}
        form = WatchListForm(initial={**values, "isins": "\n".join(watch_list.isins)})
        return self._show(request, watch_list, form)

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        """Mark the changes as seen, save other values, or delete the list."""
        watch_list = self._get(request, number)
        if "delete" in request.POST:
            watch_list.delete()
            return HttpResponseRedirect(reverse("watch-lists"))
        if "save" in request.POST:
            form = WatchListForm(request.POST)
            if not _save(form, watch_list):
                return self._show(request, self._get(request, number), form, status=400)
            return HttpResponseRedirect(reverse("watch-list", args=[number]))
        try:
            watching.mark_as_seen(watch_list, request.POST.get("until", ""))
        except InvalidQuery as error:
            raise Http404(str(error)) from error
        return HttpResponseRedirect(reverse("watch-list", args=[number]))

    def _show(
        self,
        request: HttpRequest,
        watch_list: WatchList,
        form: WatchListForm,
        *,
        status: int = 200,
    ) -> HttpResponse:
        context = {
            "list": watch_list,
            "changes": watching.read_changes(watch_list),
            "members": watching.read_members(watch_list),
            "form": form,
        }
        return render(request, "curation/watch_list.html", context, status=status)

    def _get(self, request: HttpRequest, number: int) -> WatchList:
        try:
            return watching.get_list(number, request.user.get_username())
        except NotInDatabase as error:
            raise Http404(str(error)) from error
