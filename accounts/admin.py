"""Admin pages for users, roles and API keys. Every change is written to the audit trail."""

from typing import Any

import axes.admin
import rest_framework_simplejwt.token_blacklist.admin  # noqa: F401
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import api_keys, custom_roles, lockout, users
from accounts.models import ApiKey, User
from audit import trail
from audit.admin import AuditedAdmin
from marketdata.web.admin import ReadOnlyAdmin
from marketdata.web.pages import BoundedPaginator

admin.site.unregister(Group)
# Tables of libraries: of no use to people, empty because the audit trail is used, or registered again below.
for _model in (BlacklistedToken, OutstandingToken, AccessAttempt, AccessLog, AccessFailureLog):
    admin.site.unregister(_model)

_SUPERUSER_FIELDS = ("is_superuser", "user_permissions")
_FIELDS_OF_OTHERS = ("is_active", "is_staff", "is_superuser")  # not on the own account


@admin.register(User)
class UserAccountAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Accounts, which are deactivated but never deleted or renamed.

    Lists, webhooks, corrections and audit events name their user: a name that is free again would give them
    to somebody else. Nobody can change a user who has more permissions, or assign permissions that they lack
    themselves.
    """

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
        if obj is not None and users.has_more_permissions(obj, user):
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [*super().get_readonly_fields(request, obj)]
        if obj is not None:
            fields.append("username")
        if not request.user.is_superuser:
            fields += _SUPERUSER_FIELDS
        if obj is not None and obj.pk == request.user.pk:
            fields += _FIELDS_OF_OTHERS
        return fields

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only roles whose permissions the user who asks has too."""
        if db_field.name == "groups":
            user: Any = request.user
            lacking = Permission.objects.exclude(pk__in=custom_roles.grantable_permissions(user))
            kwargs["queryset"] = Group.objects.exclude(permissions__in=lacking)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002  # Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Set the password of a user; Django's view does not call `save_related`."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect):
            trail.record("user.password", request=request, about=User.objects.get(pk=id))
        return response


@admin.register(Group)
class RoleAdmin(AuditedAdmin, GroupAdmin):
    """Roles. Built-in ones, and those with permissions that the user lacks, cannot be changed."""

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        """Offer only permissions that the user who asks has."""
        if request is not None:
            user: Any = request.user
            kwargs["queryset"] = custom_roles.grantable_permissions(user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj) and super().has_delete_permission(request, obj)

    def _may_change(self, request: HttpRequest, group: Group | None) -> bool:
        user: Any = request.user
        return group is None or (user.is_active and custom_roles.may_change(group, user))


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """API keys, to view and revoke. They are created by API or command, which show the text once."""

    list_display = ["name", "prefix", "owner", "state", "created_at", "expires_at", "last_used_at"]
    list_filter = ["owner"]
    list_select_related = ["owner"]
    search_fields = ["name", "=prefix", "=owner__username"]
    actions = ["revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """Return the user's own keys, or all keys with the permission `manage_apikey`."""
        keys = super().get_queryset(request)
        return keys if self._may_manage(request) else keys.filter(owner=request.user.pk)

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Offer the owners to those who see the keys of all: the filter lists all users."""
        return self.list_filter if self._may_manage(request) else ()

    def _may_manage(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.manage_apikey"))

    @admin.action(description="Revoke the selected API keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        active_keys = list(queryset.filter(revoked_at=None))
        for api_key in active_keys:
            api_keys.revoke(api_key, request=request)
        self.message_user(request, f"API keys revoked: {len(active_keys)}.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.change_apikey"))


@admin.register(AccessAttempt)
class AccessAttemptAdmin(axes.admin.AccessAttemptAdmin):  # type: ignore[misc]
    """Wrong passwords by user name and network. Deleting a row ends its lock-out, which is audited."""

    actions = ()
    list_filter = ()  # by path, it would read all attempts
    paginator = BoundedPaginator
    search_fields = ("username__exact", "ip_address__exact")
    search_help_text = "User name in lower case, or IP address"
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: AccessAttempt) -> None:
        lockout.unlock(AccessAttempt.objects.filter(pk=obj.pk), request=request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        lockout.unlock(AccessAttempt.objects.filter(pk__in=queryset), request=request)
