"""The admin of legal entities: read-only views of loaded rows."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from instruments.models import (
    EntityBic,
    EntityName,
    EntityRequest,
    EntitySuccessor,
    LegalEntity,
    LegalEntityQuerySet,
    MappedIssuer,
)
from marketdata.web.admin import ReadOnlyAdmin


class _ReadOnlyInline(admin.TabularInline[Any, LegalEntity]):
    can_delete = False
    max_num = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NameInline(_ReadOnlyInline):
    model = EntityName


class BicInline(_ReadOnlyInline):
    model = EntityBic
    fields = ["bic", "source_file"]


class SuccessorInline(_ReadOnlyInline):
    model = EntitySuccessor


@admin.register(LegalEntity)
class LegalEntityAdmin(ReadOnlyAdmin):
    list_display = [
        "lei",
        "legal_name",
        "jurisdiction",
        "category",
        "entity_status",
        "registration_status",
        "last_updated_at",
    ]
    search_fields = ["lei"]
    search_help_text = "An LEI, a BIC, or words of a name"
    inlines = [NameInline, BicInline, SuccessorInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return LegalEntityQuerySet.search(queryset, search_term), False  # type: ignore[arg-type]


@admin.register(MappedIssuer)
class MappedIssuerAdmin(ReadOnlyAdmin):
    list_display = ["isin", "mapped_lei", "source_file"]
    list_select_related = ["mapped_lei", "source_file"]
    searched_codes = ("isin",)
    search_help_text = "An ISIN"


@admin.register(EntityRequest)
class EntityRequestAdmin(ReadOnlyAdmin):
    list_display = ["lei", "subject", "state", "asked_at", "due_at", "attempts", "problem"]
    list_filter = ["subject", "state"]
    searched_codes = ("lei",)
    search_help_text = "An LEI"
