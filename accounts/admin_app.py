from django.contrib.admin.apps import AdminConfig


class AccountsAdminConfig(AdminConfig):
    """Django's admin, with a site that notes changed passwords."""

    default_site = "accounts.site.AccountsAdminSite"
