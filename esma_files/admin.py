"""Admin pages of files, runs and rejected records."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from esma_files import file_requests, gaps, queue, retention, sets, usage
from esma_files.models import EsmaFile, Heartbeat, RejectedRecord, Run
from marketdata.common.errors import WrongState
from marketdata.common.numbers import format_count
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin

# Characters of a problem in a list; the page of the row shows all of it.
_PROBLEM_LENGTH = 100
_REASONS_SHOWN = 10


@admin.register(EsmaFile)
class EsmaFileAdmin(ReadOnlyAdmin):
    """Actions queue work for a worker, and report the files that they have skipped, with the reason."""

    actions = [
        "download",
        "load",
        "try_again",
        "release",
        "keep",
        "stop_keeping",
        "delete_bytes",
        "remove",
    ]
    exclude = ["content"]  # its link would lead nowhere
    readonly_fields = ["bytes"]
    change_list_template = "admin/esma_files/esmafile/change_list.html"
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
    list_filter = ["state", "dataset", "kind", "kept", "tier", "published_on"]
    search_fields = ["name"]
    search_help_text = "Part of a name, as FULINS_E or DLTINS_20250830"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"gaps": gaps.find(), "usage": usage.collect(), **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.action(description="Download", permissions=["download"])
    def download(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._each(request, queryset, file_requests.download, done="will be downloaded")

    @admin.action(description="Load", permissions=["load"])
    def load(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._each(request, queryset, file_requests.load, done="will be loaded")

    @admin.action(description="Retry failed files", permissions=["load"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._each(request, queryset, file_requests.retry, done="will be retried")

    @admin.action(description="Release held files", permissions=["load"])
    def release(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._each(request, queryset, file_requests.release, done="will be loaded")

    @admin.action(description="Keep: exempt from deletion", permissions=["keep"])
    def keep(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._mark(request, queryset, kept=True)

    @admin.action(description="Stop keeping", permissions=["keep"])
    def stop_keeping(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        self._mark(request, queryset, kept=False)

    @admin.action(description="Delete the bytes, set by set", permissions=["delete_bytes"])
    def delete_bytes(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        """Delete sets of which all stored files are selected."""
        selected = {file.pk for file in queryset}
        file_sets = {s.key: retention.set_of(s.key) for s in sets.group(queryset)}

        def delete(file: EsmaFile, *, request: HttpRequest) -> None:
            file_set = file_sets[sets.SetKey.of(file)]
            stored = [member for member in file_set.files if member.has_content]
            if not stored:
                raise WrongState(f"{file.name} is not stored.")
            if any(member.pk not in selected for member in stored):
                raise WrongState(f"{file.name}: other parts of its set are not selected.")
            file_requests.check_may_be_deleted(file_set)
            if file.pk == stored[0].pk:
                file_requests.delete_set(file, request=request)

        self._each(request, queryset, delete, done="will be deleted")

    @admin.action(description="Remove the bytes of bad files", permissions=["delete_bytes"])
    def remove(self, request: HttpRequest, queryset: QuerySet[EsmaFile]) -> None:
        """Delete the bytes of each selected file, whatever its state and its set."""
        self._each(request, queryset, file_requests.remove, done="will be removed")

    @admin.display(description="bytes")
    def bytes(self, file: EsmaFile) -> str:
        """Link to the stored file."""
        if not file.has_content:
            return "not stored"
        address = reverse("file-content", args=[file.pk])
        return format_html('<a href="{}">Download {}</a>', address, file.stored_name)

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
        return Truncator(file.problem).chars(_PROBLEM_LENGTH)

    def _mark(self, request: HttpRequest, queryset: QuerySet[EsmaFile], *, kept: bool) -> None:
        def mark(file: EsmaFile, *, request: HttpRequest) -> None:
            if file.kept == kept:
                raise WrongState(f"{file.name} is marked so already.")
            file_requests.keep(file, kept=kept, request=request)

        done = "will be kept" if kept else "will no longer be kept"
        self._each(request, queryset, mark, done=done, is_queued=False)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[EsmaFile],
        do: Callable[..., object],
        *,
        done: str,
        is_queued: bool = True,
    ) -> None:
        """Call `do` for each file; those for which it raises WrongState are skipped, with the reason."""
        reasons = []
        for file in queryset:
            try:
                do(file, request=request)
            except WrongState as error:
                reasons.append(str(error))
        count = len(queryset) - len(reasons)
        if count:
            self.message_user(request, f"{format_count(count, 'file')} {done}.", messages.SUCCESS)
            if is_queued and not queue.has_worker():
                self.message_user(request, queue.NO_WORKER, messages.WARNING)
        for reason in reasons[:_REASONS_SHOWN]:
            self.message_user(request, f"Skipped: {reason}", messages.WARNING)
        if len(reasons) > _REASONS_SHOWN:
            more = len(reasons) - _REASONS_SHOWN
            text = format_count(more, "more file was", "more files were")
            self.message_user(request, f"{text} skipped.", messages.WARNING)


def _find_files(search_term: str) -> list[int] | None:
    """Return the keys of the files with a name, with or without `.zip`; None for no search."""
    name = search_term.strip()
    if not name:
        return None
    named = EsmaFile.objects.filter(name=f"{name.removesuffix('.zip')}.zip")
    return list(named.values_list("pk", flat=True))


class FileKindFilter(admin.ChoicesFieldListFilter):
    """A filter by the kind of a run's file, beside the filter by the kind of the run."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = "kind of file"


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = [
        "kind",
        "file",
        "requested_at",
        "requested_by",
        "progress",
        "short_problem",
        "read",
        "new",
        "changed",
        "ended",
        "rejected",
        "duration",
    ]  # the page of a run has all its counts
    list_display_links = ["kind", "file"]
    list_filter = ["state", "kind", ("file__kind", FileKindFilter), "requested_at"]
    list_select_related = ["file"]
    search_fields = ["file__name"]
    search_help_text = "The name of a file"

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show user names to users who may view users only."""
        hidden = () if may_see_user_name(request.user) else ("requested_by",)
        return [name for name in self.list_display if name not in hidden]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if may_see_user_name(request.user) else ("requested_by",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        files = _find_files(search_term)
        return (queryset if files is None else queryset.filter(file__in=files)), False

    @admin.display(description="state", ordering="state")
    def progress(self, run: Run) -> str:
        """Return the state, and the share that a running run has done."""
        state: str = run.get_state_display()
        return f"{state}, {run.share:.0%}" if run.state == Run.State.RUNNING else state

    @admin.display(description="seconds", ordering="seconds")
    def duration(self, run: Run) -> str:
        return f"{run.seconds:,.1f}"

    @admin.display(description="problem", ordering="problem")
    def short_problem(self, run: Run) -> str:
        is_worked = bool(getattr(run, "is_worked", True))
        problem = run.problem or queue.obstacle(run, is_worked=is_worked)
        return Truncator(problem).chars(_PROBLEM_LENGTH)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        runs: QuerySet[Run] = super().get_queryset(request)
        return runs.annotate(is_worked=Value(int(queue.has_worker())))


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["role", "host", "pid", "processes", "version", "started_at", "seen_at"]
    list_filter = ["role"]


@admin.register(RejectedRecord)
class RejectedRecordAdmin(ReadOnlyAdmin):
    list_display = ["file", "position", "isin", "mic", "field", "value", "reason"]
    ordering = ["-pk"]
    search_fields = ["isin", "file__name"]
    search_help_text = "An ISIN, or the name of a file"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by ISIN or by file: a statement with both would read all records."""
        files = _find_files(search_term)
        if files:
            return queryset.filter(file__in=files), False
        code = search_term.strip().upper()
        return (queryset.filter(isin=code) if code else queryset), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedRecord]:
        return super().get_queryset(request).select_related("file")
