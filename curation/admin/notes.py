"""Notes and tags in the admin, to search and to delete. They are added on the pages of their subjects."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from curation import notes
from curation.models import Note, Tag
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin
from marketdata.web.pages import BoundedPaginator


class _RowAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_filter = ["subject"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("curation.view_note")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.view_note")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(notes.DELETE)

    def get_list_display(self, request: HttpRequest) -> Any:
        names = ["author"] if may_see_user_name(request.user) else []
        return [*super().get_list_display(request), *names]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        return None if may_see_user_name(request.user) else ["created_by"]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        notes.delete(obj, by=request.user.get_username(), may_delete=True, request=request)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)

    @admin.display(description="by")
    def author(self, row: Note | Tag) -> str:
        return row.created_by

    @admin.display(description="added at (UTC)", ordering="pk")
    def added(self, row: Note | Tag) -> str:
        return f"{row.created_at:%Y-%m-%d %H:%M}"


@admin.register(Note)
class NoteAdmin(_RowAdmin):
    list_display = ["code", "subject", "text", "added"]
    search_fields = ["=code", "text"]
    search_help_text = "An ISIN, a MIC, an LEI, or words of the note"


@admin.register(Tag)
class TagAdmin(_RowAdmin):
    list_display = ["name", "code", "subject", "added"]
    list_filter = ["subject", "name"]
    search_fields = ["=code", "=name"]
    search_help_text = "An ISIN, a MIC, an LEI, or a tag"
