"""Files, what was done with them, and what they hold that cannot be."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from audit import trail
from esma_files import downloading, gaps, queue, retention, sets, steps, usage
from esma_files.models import EsmaFile, RejectedRecord, Run
from marketdata.common.admin import ReadOnlyAdmin

# Characters of a problem in a list; the page of the row has all of it.
_SHOWN = 100


@admin.register(EsmaFile)
class EsmaFileAdmin(ReadOnlyAdmin):
    """Actions queue the work for a worker, and say what they have left out and why."""

    actions = ["download", "load", "try_again", "keep", "stop_keeping", "delete_bytes"]
    change_list_template = "admin/esma_files/esmafile/change_list.html"
    date_hierarchy = "published_on"
    list_display = [
        "name",
        "dataset",
        "published_on",
        "state",
        "short_problem",
        "state_since",
        "size",
        "tier",
        "kept",
    ]
    list_filter = ["state", "dataset", "kind", "category", "kept", "tier"]
    search_fields = ["name"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"gaps": gaps.find(), "usage": usage.collect(), **(extra_context or {})}
        return super().changelist_view(request, shown)

    @admin.action(description="Download", permissions=["download"])
    def download(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        def ask(file: EsmaFile) -> str:
            if not file.url:
                return "no register lists it"
            queue.request_run(
                Run.Kind.DOWNLOAD, file=downloading.once_more(file), requested_by=_who(request)
            )
            return ""

        self._each(request, queryset, ask, done="will be downloaded")

    @admin.action(description="Load", permissions=["load"])
    def load(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        def ask(file: EsmaFile) -> str:
            if not file.has_content:
                return f"it is {file.state}: download it first"
            queue.request_run(Run.Kind.LOAD, file=file, requested_by=_who(request))
            return ""

        self._each(request, queryset, ask, done="will be loaded")

    @admin.action(description="Try the failed ones again", permissions=["load"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        def ask(file: EsmaFile) -> str:
            if not EsmaFile.objects.filter(pk=file.pk).retry():
                return f"it is {file.state}, and has not failed"
            kind = Run.Kind.LOAD if file.has_content else Run.Kind.DOWNLOAD
            queue.request_run(kind, file=file, requested_by=_who(request))
            return ""

        self._each(request, queryset, ask, done="will be tried again")

    @admin.action(description="Keep: never delete", permissions=["keep"])
    def keep(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._mark(request, queryset, kept=True)

    @admin.action(description="Stop keeping", permissions=["keep"])
    def stop_keeping(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._mark(request, queryset, kept=False)

    @admin.action(description="Delete the bytes, set by set", permissions=["delete_bytes"])
    def delete_bytes(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        """A set goes only where all of its stored files are chosen."""
        chosen = {file.pk for file in queryset}
        complete = {each.key: retention.set_of(each.key) for each in sets.group(queryset)}

        def ask(file: EsmaFile) -> str:
            whole = complete[sets.SetKey.of(file)]
            stored = [each for each in whole.files if each.has_content]
            if not stored:
                return "it is not stored"
            if any(each.pk not in chosen for each in stored):
                return "other parts of its set are not chosen"
            if why_not := retention.hindrance(whole):
                return why_not
            if file.pk == stored[0].pk:
                queue.request_run(Run.Kind.DELETE, file=file, requested_by=_who(request))
            return ""

        self._each(request, queryset, ask, done="will be deleted")

    def has_download_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("esma_files.download_esmafile")

    def has_load_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("esma_files.load_esmafile")

    def has_keep_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("esma_files.keep_esmafile")

    def has_delete_bytes_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("esma_files.delete_esmafile")

    @admin.display(description="problem", ordering="problem")
    def short_problem(self, file: EsmaFile) -> str:
        return Truncator(file.problem).chars(_SHOWN)

    def _mark(self, request: HttpRequest, queryset: QuerySet[EsmaFile], *, kept: bool) -> None:
        def mark(file: EsmaFile) -> str:
            if file.kept == kept:
                return "it is so already"
            steps.keep(file, kept=kept, requested_by=_who(request))
            return ""

        done = "will be kept" if kept else "will be kept no longer"
        self._each(request, queryset, mark, done=done)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[EsmaFile],
        do: Callable[[EsmaFile], str],
        *,
        done: str,
    ) -> None:
        """Do something to each file; `do` returns "" or why it has left one out."""
        skipped = {}
        for file in queryset:
            if why := do(file):
                skipped[file.name] = why
            else:
                trail.record(f"file.{request.POST['action']}", request=request, about=file)
        count = len(queryset) - len(skipped)
        if count:
            self.message_user(request, f"{_files(count)} {done}.", messages.SUCCESS)
        for name, why in list(skipped.items())[:10]:
            self.message_user(request, f"{name} was left out: {why}.", messages.WARNING)
        if len(skipped) > 10:
            more = _files(len(skipped) - 10)
            self.message_user(request, f"{more} more left out.", messages.WARNING)


def _who(request: HttpRequest) -> str:
    return request.user.get_username()


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    date_hierarchy = "requested_at"
    list_display = [
        "kind",
        "file",
        "requested_at",
        "requested_by",
        "state",
        "progress",
        "short_problem",
        "read",
        "new",
        "changed",
        "ended",
        "late",
        "unchanged",
        "rejected",
        "outside",
        "seconds",
    ]
    list_display_links = ["kind", "file"]
    list_filter = ["state", "kind", "file__kind"]
    list_select_related = ["file"]
    search_fields = ["file__name"]

    @admin.display(description="done")
    def progress(self, run: Run) -> str:
        return f"{run.share:.0%}"

    @admin.display(description="problem", ordering="problem")
    def short_problem(self, run: Run) -> str:
        return Truncator(run.problem).chars(_SHOWN)


@admin.register(RejectedRecord)
class RejectedRecordAdmin(ReadOnlyAdmin):
    list_display = ["file", "position", "isin", "mic", "field", "value", "reason"]
    list_filter = ["field"]
    search_fields = ["=isin", "file__name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedRecord]:
        return super().get_queryset(request).select_related("file")
