"""The roles, and the permissions that each holds: one table, brought into the database by migrate.

Permissions are named as text: accounts know no data. A name that no app has yet is left out, and arrives
with the first `migrate` after the app has it.
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
    "instruments.view_reconciliation",
    "instruments.view_difference",
    "esma_files.view_esmafile",
    "esma_files.view_run",
    "esma_files.view_rejectedrecord",
    # One's own keys; what others have needs accounts.manage_apikey.
    "accounts.view_apikey",
    "accounts.add_apikey",
    "accounts.change_apikey",
)
_ANALYST = (
    *_VIEWER,
    "instruments.export_instrument",
    "instruments.lookup_instrument",
)
_CURATOR = (
    *_ANALYST,
    "instruments.export_all_instrument",
    "instruments.enrich_instrument",
    "instruments.view_correction",
    "instruments.add_correction",
    "instruments.change_correction",
    "instruments.add_scope",
    "esma_files.change_esmafile",
    "esma_files.download_esmafile",
    "esma_files.load_esmafile",
    "esma_files.keep_esmafile",
    "esma_files.delete_esmafile",
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
    "axes.view_accessattempt",
    "axes.delete_accessattempt",
)


@dataclasses.dataclass(frozen=True)
class Role:
    """What a role may do, in names of permissions, and whether the admin's pages are open to it."""

    says: str
    permissions: tuple[str, ...]
    staff: bool = False


# From the least to the most.
ROLES = {
    "viewer": Role("reads", _VIEWER),
    "analyst": Role("reads, exports, looks up in bulk", _ANALYST),
    "curator": Role("corrects, and looks after files and enrichment", _CURATOR, staff=True),
    "admin": Role("looks after users, keys and the audit trail too", _ADMIN, staff=True),
}


def bring_up_to_date(
    *, apps: Any = installed, using: str = "default", verbosity: int = 0, **signal: Any
) -> None:
    """Make the roles as the table says. After every `migrate`; a second time it changes nothing.

    The permissions of apps that come after accounts are made first: each app would make its own only
    when its turn comes.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to before there were groups
        return
    for app in installed.get_app_configs():
        create_permissions(app, verbosity=verbosity, using=using, apps=apps)
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in permission_model.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for name, role in ROLES.items():
        group, _ = group_model.objects.using(using).get_or_create(name=name)
        group.permissions.set([known[p] for p in role.permissions if p in known])
