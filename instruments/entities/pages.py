"""Pages of legal entities: the search, and one entity with its group and its instruments."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from instruments.corrected_records import correct, describe_corrections
from instruments.entities.filters import LegalEntityFilterSet
from instruments.entities.hierarchy import Hierarchy, read_group_instruments, read_hierarchy
from instruments.entities.questions import get_entity, read_instruments, read_successors
from instruments.entities.search import is_lei
from instruments.listings import descriptions
from instruments.models import LegalEntity
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, is_met, reading
from marketdata.web.forms import day_field, get_status, refuse
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
INSTRUMENTS_SHOWN = 20
_DIFFERENCES = reading("instruments.view_mappedissuer")
# The columns of an entity that its page shows. The API has the whole record.
_FACTS = (
    *("jurisdiction", "category", "sub_category", "legal_form", "legal_form_other"),
    *("entity_status", "created_at", "expired_at", "expiration_reason"),
    *("registration_authority", "registration_number", "registration_status"),
    *("first_registered_at", "last_updated_at", "next_renewal_at", "managing_lou"),
)
_ADDRESS = ("first_line", "second_line", "third_line", "fourth_line", "postal_code", "city")


class EntityForm(forms.Form):
    """The search of legal entities."""

    q = forms.CharField(required=False, max_length=100, label="LEI, BIC or words of a name")


class GroupForm(forms.Form):
    """The day of a group, and the choice of the instruments that are listed."""

    on = day_field("Group on", "Relationships in force on this day; now, if it is empty")
    group = forms.BooleanField(required=False, label="Instruments of the whole group")


class EntitiesView(GuardedView):
    """Legal entities by words of any form of their names. A known LEI redirects to its page."""

    needs = reading("instruments.view_legalentity")

    def get(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "").strip()[:100]
        if is_lei(words.upper()) and LegalEntity.objects.filter(lei=words.upper()).exists():
            return redirect("entity", lei=words.upper())
        parameters = {"q": words} if words else {}
        filterset = LegalEntityFilterSet(parameters, LegalEntity.objects.order_by("lei"))
        messages = get_messages(filterset)
        entities: Any = LegalEntity.objects.none() if messages else filterset.qs
        page = BoundedPaginator(entities, PAGE_SIZE).get_page(request.GET.get("page"))
        page.object_list = list(page.object_list)
        correct(page.object_list)
        context = {
            "form": EntityForm(request.GET),
            "words": words,
            "messages": messages,
            "page": page,
            "query": urlencode(parameters),
            "may_see_differences": is_met(_DIFFERENCES, request.user),
        }
        return render(request, "instruments/entities.html", context, status=get_status(messages))


class EntityView(GuardedView):
    """One legal entity: its names and addresses, its group on a day, its successors and instruments.

    The instruments are those of the entity, or with `group` those of the whole group below it too.
    """

    needs = reading("instruments.view_legalentity")

    def get(self, request: HttpRequest, lei: str) -> HttpResponse:
        form = GroupForm(request.GET)
        if not form.is_valid():
            return refuse(request, form, f"Legal entity {lei}")
        try:
            entity = get_entity(lei)
            hierarchy = read_hierarchy(entity.lei, on=form.cleaned_data["on"])
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error
        of_group = form.cleaned_data["group"]
        listed = read_group_instruments(entity.lei) if of_group else read_instruments(entity)
        instruments = list(listed[: INSTRUMENTS_SHOWN + 1])
        facts = {name: getattr(entity, name) for name in _FACTS}
        context = {
            "entity": entity,
            "corrections": describe_corrections(entity),
            "form": form,
            "of_group": of_group,
            "facts": {name: _shorten(value) for name, value in facts.items() if value},
            "bics": [row.bic for row in entity.bics.all()],
            "legal_address": _join_address(entity, "legal_address_"),
            "headquarters": _join_address(entity, "headquarters_"),
            "hierarchy": hierarchy,
            "tree": _draw_tree(hierarchy),
            "successors": read_successors(entity),
            "instruments": descriptions.describe_instruments(instruments[:INSTRUMENTS_SHOWN]),
            "has_more_instruments": len(instruments) > INSTRUMENTS_SHOWN,
        }
        return render(request, "instruments/entity.html", context)


def _draw_tree(hierarchy: Hierarchy) -> dict[str, Any] | None:
    """Return the direct parents, the entity and all below it as one tree, from the top; None if it is alone.

    Each node has `lei`, `name`, `is_self` and `children`.
    """
    if not (hierarchy.parents or hierarchy.children):
        return None
    nodes: dict[str, dict[str, Any]] = {}

    def get_node(lei: str, name: str | None) -> dict[str, Any]:
        new: dict[str, Any] = {
            "lei": lei,
            "name": name,
            "is_self": lei == hierarchy.lei,
            "children": [],
        }
        return nodes.setdefault(lei, new)

    top = get_node(hierarchy.lei, hierarchy.legal_name)
    for child in hierarchy.children:
        if child.lei not in nodes:  # one that is reached in two ways is drawn once
            above = nodes.get(child.related_lei, top)
            above["children"].append(get_node(child.lei, child.legal_name))
    for parent in hierarchy.parents:
        if parent.lei in nodes:  # a circle
            break
        node = get_node(parent.lei, parent.legal_name)
        node["children"].append(top)
        top = node
    return top


def _shorten(value: Any) -> Any:
    """Return a time to the minute; other values as they are."""
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else value


def _join_address(entity: LegalEntity, prefix: str) -> str:
    parts = [getattr(entity, prefix + name) for name in _ADDRESS]
    return ", ".join([*(part for part in parts if part), getattr(entity, f"{prefix}country") or ""])
