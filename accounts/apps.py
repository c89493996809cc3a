from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import apps as admin_apps
from django.contrib.admin import checks as admin_checks
from django.core import checks
from django.db.models.signals import post_migrate

from accounts.roles import update_role_groups


class AccountsConfig(AppConfig):
    name = "accounts"
    default = True

    def ready(self) -> None:
        from accounts import sign_in_events  # noqa: PLC0415  # models can be imported from here on

        post_migrate.connect(update_role_groups, sender=self, dispatch_uid="roles")
        sign_in_events.connect_signals()


class AccountsAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin, with a site that writes changes of passwords to the audit trail.

    The admin modules of the apps are imported with the URLs, and not at the start of each command: they are
    a third of what it imports.
    """

    default = False
    default_site = "accounts.admin_site.AccountsAdminSite"

    def ready(self) -> None:
        checks.register(admin_checks.check_dependencies, checks.Tags.admin)
        checks.register(_check_admin, checks.Tags.admin)


def _check_admin(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[Any]:
    """Django's check of the admin modules, which may not be imported yet."""
    admin.autodiscover()
    problems: list[Any] = admin_checks.check_admin_app(app_configs, **options)
    return problems
