"""Users, roles and keys by hand; each change goes into the audit trail."""

from typing import Any

import axes.admin  # noqa: F401  # registers what is taken away again below
import rest_framework_simplejwt.token_blacklist.admin  # noqa: F401
from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import keys, lifecycle, own_roles
from accounts.models import ApiKey, User
from accounts.roles import ROLES
from audit import trail
from audit.admin import AuditedAdmin
from marketdata.common.admin import ReadOnlyAdmin

admin.site.unregister(Group)
# Pages that say nothing that helps, or that stay empty: the audit trail has it.
for _model in (BlacklistedToken, OutstandingToken, AccessLog, AccessFailureLog):
    admin.site.unregister(_model)

_FOR_SUPERUSERS = ("is_superuser", "user_permissions")


@admin.register(User)
class AccountAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Accounts are switched off, not deleted. Nobody changes who may do more, or gives what they lack."""

    list_display = ["username", "email", "role_names", "is_active", "is_staff", "last_login"]
    readonly_fields = ["last_login", "date_joined", "entra_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def role_names(self, user: User) -> str:
        return ", ".join(user.roles)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user: Any = request.user
        if obj is not None and lifecycle.is_above(obj, user):
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        closed = () if request.user.is_superuser else _FOR_SUPERUSERS
        return [*super().get_readonly_fields(request, obj), *closed]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Nobody gives a role that may do more than they."""
        if db_field.name == "groups":
            user: Any = request.user
            lacked = Permission.objects.exclude(pk__in=own_roles.grantable(user))
            kwargs["queryset"] = Group.objects.exclude(permissions__in=lacked)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002  # Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Django's page; it saves without `save_related`."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect):
            trail.record("user.password", request=request, about=User.objects.get(pk=id))
        return response


@admin.register(Group)
class RoleAdmin(AuditedAdmin, GroupAdmin):
    """Roles of one's own. Those of the table in accounts/roles.py are as it says, whoever is asked."""

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        """Nobody puts into a role what they lack."""
        if request is not None:
            user: Any = request.user
            kwargs["queryset"] = own_roles.grantable(user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_own(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_own(obj) and super().has_delete_permission(request, obj)


def _is_own(group: Group | None) -> bool:
    return group is None or group.name not in ROLES


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys to look at and to revoke; who makes one does so by the API or a command, and sees it once."""

    list_display = ["name", "prefix", "owner", "state", "created_at", "expires_at", "last_used_at"]
    list_filter = ["owner"]
    list_select_related = ["owner"]
    search_fields = ["name", "=prefix", "=owner__username"]
    actions = ["revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """One's own; with `manage_apikey` everybody's."""
        found = super().get_queryset(request)
        user: Any = request.user
        return found if user.has_perm("accounts.manage_apikey") else found.filter(owner=user.pk)

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        usable = queryset.filter(revoked_at=None)
        count = len([keys.revoke(key, request=request) for key in usable])
        self.message_user(request, f"{count} revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.change_apikey"))
