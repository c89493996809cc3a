"""The built-in roles and their permissions: one table, which `migrate` copies to Django's groups.

Permissions are given by name, since the accounts app does not import the apps they belong to. The name of a
permission that does not exist yet is skipped; the first `migrate` after its app has defined it adds it.
"""

import dataclasses
from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions

_VIEWER = (
    "instruments.view_instrument",
    "instruments.view_listing",
    "instruments.view_listingversion",
    "instruments.view_underlying",
    "instruments.view_venue",
    "instruments.view_scope",
    "instruments.view_listedvenue",
    "instruments.view_transparencyresult",
    "instruments.view_subclasstransparency",
    "instruments.view_volumecap",
    "instruments.view_volumecapvenue",
    "instruments.view_figi",
    "instruments.view_figirequest",
    "instruments.view_entityrequest",
    "instruments.view_legalentity",
    "instruments.view_mappedissuer",
    "instruments.view_entityname",
    "instruments.view_entitybic",
    "instruments.view_entitysuccessor",
    "instruments.view_reconciliation",
    "instruments.view_difference",
    "instruments.view_outputprofile",
    "instruments.view_correction",
    "curation.view_problem",
    "curation.view_note",
    "curation.keep_watchlist",
    "curation.view_importbatch",
    "esma_files.view_esmafile",
    "esma_files.view_run",
    "esma_files.view_rejectedrecord",
    # The own API keys. Those of other users need accounts.manage_apikey.
    "accounts.view_apikey",
    "accounts.add_apikey",
    "accounts.change_apikey",
)
_ANALYST = (
    *_VIEWER,
    "instruments.export_instrument",
    "instruments.lookup_instrument",
    "instruments.add_correction",
    "instruments.add_outputprofile",
    "curation.add_note",
)
_CURATOR = (
    *_ANALYST,
    "instruments.export_all_instrument",
    "instruments.enrich_instrument",
    "instruments.approve_correction",
    "curation.import_venue",
    "curation.delete_note",
    "instruments.add_scope",
    "instruments.manage_outputprofile",
    "instruments.keep_webhook",
    "esma_files.change_esmafile",
    "esma_files.download_esmafile",
    "esma_files.load_esmafile",
    "esma_files.keep_esmafile",
    "esma_files.delete_esmafile",
    "esma_files.view_heartbeat",
    "monitoring.view_checkresult",
    "services.view_requestbudget",
)
_ADMIN = (
    *_CURATOR,
    "accounts.view_user",
    "accounts.add_user",
    "accounts.change_user",
    "accounts.manage_apikey",
    "auth.view_group",
    "auth.add_group",
    "auth.change_group",
    "auth.delete_group",
    "audit.view_event",
    "instruments.view_webhook",
    "axes.view_accessattempt",
    "axes.delete_accessattempt",
)


@dataclasses.dataclass(frozen=True)
class Role:
    """A built-in role. A staff role gives access to the admin."""

    description: str
    permissions: tuple[str, ...]
    is_staff: bool = False


# In ascending order: each role has all permissions of the one before.
ROLES = {
    "viewer": Role("Reads all data.", _VIEWER),
    "analyst": Role(
        "Reads and exports data, looks up instruments in bulk, and proposes corrections.", _ANALYST
    ),
    "curator": Role(
        "Also approves corrections, and manages files and enrichment.", _CURATOR, is_staff=True
    ),
    "admin": Role(
        "Also manages users, roles and API keys, and reads the audit trail.", _ADMIN, is_staff=True
    ),
}


def update_role_groups(
    *, apps: Any = installed, using: str = "default", verbosity: int = 0, **signal: Any
) -> None:
    """Create or update the groups of the built-in roles; runs after every `migrate`.

    Permissions of all apps are created first: Django would create those of later apps only when their turn
    comes.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to a state without groups
        return
    for app in installed.get_app_configs():
        create_permissions(app, verbosity=verbosity, using=using, apps=apps)
    keys_by_name = {
        f"{app}.{codename}": pk
        for pk, app, codename in permission_model.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for name, role in ROLES.items():
        group, _ = group_model.objects.using(using).get_or_create(name=name)
        group.permissions.set(
            [keys_by_name[name] for name in role.permissions if name in keys_by_name]
        )
