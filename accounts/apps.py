from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate

from accounts.roles import update_role_groups


class AccountsConfig(AppConfig):
    name = "accounts"
    default = True

    def ready(self) -> None:
        from accounts import sign_in_events  # noqa: PLC0415  # models can be imported from here on

        post_migrate.connect(update_role_groups, sender=self, dispatch_uid="roles")
        sign_in_events.connect_signals()


class AccountsAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with a site that writes changes of passwords to the audit trail."""

    default = False
    default_site = "accounts.admin_site.AccountsAdminSite"
