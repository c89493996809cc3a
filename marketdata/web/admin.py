"""The base class of admin pages of loaded data."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from marketdata.common.errors import PermanentError
from marketdata.web import once
from marketdata.web.access import may_see_user_name
from marketdata.web.pages import BoundedPaginator

# Words of names of fields that are written in capital letters.
_ABBREVIATIONS = {"cfi", "esma", "eu", "figi", "fisn", "isin", "lei", "lou", "mic", "uk", "url"}


# What Django's filters of lists add to the name of a column.
_COMPARISONS = {"", "__exact", "__id__exact", "__isnull", "__gte", "__lt"}


def _label(field: Any) -> str:
    """Return the name of a field as people write it: "issuer LEI" and not "issuer lei"."""
    words = str(field.verbose_name).split(" ")
    label = " ".join(word.upper() if word in _ABBREVIATIONS else word for word in words)
    return label[:1].upper() + label[1:]


def _get_parameter(list_filter: Any) -> str:
    """Return the parameter of an entry of `list_filter`: the name of a field, or that of a filter's class."""
    if isinstance(list_filter, (list, tuple)):
        return str(list_filter[0])
    return str(getattr(list_filter, "parameter_name", list_filter))


class DiscreetAdmin(admin.ModelAdmin[Any]):
    """Admin pages that tell nothing of what they do not show."""

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Permit the filters of the list alone.

        Django takes any comparison with any column as a parameter: a hidden user name could be found out
        letter by letter, a column without an index reads the whole table, and a pattern can take hours.
        """
        names = map(_get_parameter, self.get_list_filter(request))
        return any(lookup.removeprefix(name) in _COMPARISONS for name in names)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the history; the names of other users only to those who may view users."""
        response = super().history_view(request, object_id, extra_context)
        for entry in getattr(response, "context_data", {}).get("action_list", ()):
            if not may_see_user_name(request.user, entry.user.get_username()):
                entry.user = get_user_model()()  # without a name
        return response


class ReadOnlyAdmin(DiscreetAdmin):
    """Admin of rows that only loads write.

    The tables are large: totals are not counted, and no page may read a table as a whole. A `date_hierarchy`
    or a filter by all values of a column would do so; filter by choices, or by a date with an index.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the table once for each choice
    list_per_page = 50
    # Columns of codes in capital letters that are searched for the term as a whole. Django's exact search
    # (`=isin`) ignores case, so that no index of SQLite serves it.
    searched_codes: tuple[str, ...] = ()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> Any:
        labels = {field.name: _label(field) for field in self.opts.fields}
        return super().get_form(request, obj, change, **{"labels": labels, **options})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form again if what was valid could not be saved: somebody else was first."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except PermanentError as error:
            messages.error(request, f"{error} Nothing was saved.")
            once.release(request)
            return redirect(request.get_full_path())

    def get_search_fields(self, request: HttpRequest) -> Any:
        codes = [f"{name}__exact" for name in self.searched_codes]
        return codes or super().get_search_fields(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.upper() if self.searched_codes else search_term
        return super().get_search_results(request, queryset, term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
