"""Webhooks of all users in the admin: their state, their last deliveries, and an action to switch them on."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from instruments.models import Webhook
from instruments.webhooks import keeping
from marketdata.common.numbers import format_count
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin

_SHOWN = 20  # deliveries


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = [
        "__str__",
        "owner",
        "url",
        "is_active",
        "failures",
        "next_attempt_at",
        "problem",
    ]
    list_filter = ["is_active"]
    search_fields = ["=owner"]
    search_help_text = "A user name"
    actions = ["switch_on", "switch_off"]
    fields = [
        *("owner", "url", "with_record", "filter", "is_active", "cursor", "failures"),
        *("next_attempt_at", "problem", "created_at", "last_deliveries"),
    ]
    readonly_fields = ["last_deliveries"]

    def get_list_display(self, request: HttpRequest) -> Any:
        hidden = () if may_see_user_name(request.user) else ("owner",)
        return [name for name in self.list_display if name not in hidden]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        hidden = () if may_see_user_name(request.user) else ("owner",)
        return [name for name in self.fields if name not in hidden]

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(keeping.KEEP)

    @admin.action(description="Switch on", permissions=["switch"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        """Try the selected webhooks again at once."""
        self._switch(request, queryset, is_active=True)

    @admin.action(description="Switch off", permissions=["switch"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self._switch(request, queryset, is_active=False)

    def _switch(
        self, request: HttpRequest, queryset: QuerySet[Webhook], *, is_active: bool
    ) -> None:
        webhooks = list(queryset.exclude(is_active=is_active))
        for webhook in webhooks:
            keeping.change(webhook, {"is_active": is_active}, request=request)
        state = "on" if is_active else "off"
        messages.success(
            request,
            f"{format_count(len(webhooks), 'webhook is', 'webhooks are')} switched {state}.",
        )

    @admin.display(description="Last deliveries")
    def last_deliveries(self, webhook: Webhook) -> SafeString | str:
        rows = [
            (
                f"{delivery.sent_at:%Y-%m-%d %H:%M:%S}",
                delivery.changes,
                "" if delivery.status is None else delivery.status,
                delivery.problem,
            )
            for delivery in webhook.deliveries.all()[:_SHOWN]
        ]
        if not rows:
            return "Nothing has been sent yet."
        cells = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
        head = "<tr><th>Time (UTC)</th><th>Changes</th><th>Status</th><th>Problem</th></tr>"
        return format_html(
            "<table><thead>{}</thead><tbody>{}</tbody></table>",
            SafeString(head),
            format_html_join("", cells, rows),
        )
