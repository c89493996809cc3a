"""Instruments in the admin with what curation knows of them: a filter for gaps, problems and notes."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from curation.models import Problem, ProblemCount
from curation.problem_kinds import CHOICES, KINDS
from instruments.listings.admin.instruments import InstrumentAdmin
from instruments.models import Instrument


class GapFilter(admin.SimpleListFilter):
    """Instruments with a problem of a kind, as it was found by night."""

    title = "gaps and problems"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [choice for choice in CHOICES if choice[0] != "venue_unknown"]  # of venues

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        kind = self.value()
        if kind not in KINDS:
            return queryset
        return queryset.filter(pk__in=Problem.objects.filter(kind=kind).order_by().values("isin"))

    def get_facet_queryset(self, changelist: Any) -> dict[str, int]:
        """Return the kept numbers of problems, whatever the other filters are."""
        counts = dict(ProblemCount.objects.values_list("kind", "problems"))
        return {f"{i}__c": counts.get(kind, 0) for i, (kind, _) in enumerate(self.lookup_choices)}


admin.site.unregister(Instrument)


@admin.register(Instrument)
class CuratedInstrumentAdmin(InstrumentAdmin):
    list_filter = [*InstrumentAdmin.list_filter, GapFilter]

    def links(self, instrument: Instrument) -> str:
        """Return the links of `InstrumentAdmin`, and those to the problems of the instrument."""
        kinds = Problem.objects.filter(isin=instrument.isin).order_by("kind").values_list("kind")
        links = [
            (
                reverse(f"admin:curation_{kind.replace('_', '')}problem_changelist"),
                instrument.isin,
                KINDS[kind].title,
            )
            for (kind,) in kinds.distinct()
        ]
        problems = format_html_join("", '<div><a href="{}?q={}">problem: {}</a></div>', links)
        return super().links(instrument) + problems
