"""Output profiles are saved as versions. `vendor` names the newest version, `vendor@2` the second one."""

import re
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from audit import trail
from instruments.listings.export import FIELDS
from instruments.models import OutputProfile
from instruments.profiles import shapes
from marketdata.common.errors import InvalidQuery, NotInDatabase, NotPermitted, WrongState
from marketdata.common.plain import to_plain

MANAGE = "instruments.manage_outputprofile"
MAX_PROFILES = 500
_REFERENCE = re.compile(r"([a-z][a-z0-9-]{0,59})(?:@([1-9][0-9]{0,8}))?")


def get_profile(reference: str, *, parameter: str = "") -> OutputProfile:
    """Return a version of a profile: the newest, or that after `@`. Raises InvalidQuery, NotInDatabase.

    `parameter` is the name of the one that has the reference; without it, the profile itself is asked for,
    and an unknown one raises NotInDatabase.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        message = f"{reference[:100]!r} is not the name of a profile, as vendor or vendor@2."
        raise InvalidQuery(parameter or "profile", message)
    versions = OutputProfile.objects.filter(name=match[1])
    if match[2]:
        versions = versions.filter(version=int(match[2]))
    profile = versions.order_by("-version").first()
    if profile is None:
        message = f"There is no profile {reference}."
        raise InvalidQuery(parameter, message) if parameter else NotInDatabase(message)
    return profile


def check(name: str, values: dict[str, Any], *, by: str, may_manage: bool = False) -> OutputProfile:
    """Return the next version of a profile, unsaved.

    `values` are `rows`, `title`, `parent` (a reference), `columns` and `omitted`, all but the columns
    optional. Raises InvalidQuery, NotPermitted (a profile of somebody else).
    """
    if not shapes.NAME.fullmatch(name):
        message = f"{name[:100]!r} is not a lower-case letter and then letters, digits and hyphens."
        raise InvalidQuery("name", message)
    latest = OutputProfile.objects.filter(name=name).order_by("-version").first()
    if latest is None and OutputProfile.objects.newest().count() >= MAX_PROFILES:
        raise WrongState(f"There are {MAX_PROFILES} profiles: delete one first.")
    if latest is not None and latest.created_by != by and not may_manage:
        raise NotPermitted(f"The profile {name} belongs to another user.")
    parent = values.get("parent") or ""
    profile = OutputProfile(
        name=name,
        version=latest.version + 1 if latest else 1,
        title=values.get("title", ""),
        parent=get_profile(parent, parameter="parent") if parent else None,
        columns=[column.describe() for column in shapes.parse_columns(values.get("columns") or [])],
        omitted=list(values.get("omitted") or []),
        # Whoever manages a profile of somebody else does not take it over.
        created_by=latest.created_by if latest else by,
    )
    _check_parents(profile)
    _choose_rows(profile, values.get("rows", ""))
    shapes.get_shape(profile)
    return profile


def save(
    name: str,
    values: dict[str, Any],
    *,
    by: str,
    may_manage: bool = False,
    request: Any = None,
) -> OutputProfile:
    """Save a profile as a new version. `values` and errors are those of `check`."""
    profile = check(name, values, by=by, may_manage=may_manage)
    try:
        with transaction.atomic():
            profile.save()
    except IntegrityError as error:
        raise WrongState(f"The profile {profile} has just been saved by somebody else.") from error
    trail.record("profile.save", request=request, about=profile, new=describe(profile))
    return profile


def _check_parents(profile: OutputProfile) -> None:
    """Raise InvalidQuery if a profile inherits from itself, so that it could never be deleted."""
    parent = profile.parent
    while parent is not None:
        if parent.name == profile.name:
            raise InvalidQuery("parent", f"The profile {profile.name} would inherit from itself.")
        parent = parent.parent


def _choose_rows(profile: OutputProfile, rows: str) -> None:
    """Set the kind of rows: as given, or as inherited, or instruments. Raises InvalidQuery."""
    inherited = profile.parent.rows if profile.parent else ""
    profile.rows = rows or inherited or "instruments"
    if profile.rows not in FIELDS:
        raise InvalidQuery("rows", f"{rows!r} is not one of {', '.join(FIELDS)}.")
    if inherited and profile.rows != inherited:
        raise InvalidQuery("rows", f"The parent {profile.parent} has rows of {inherited}.")


def delete(name: str, *, by: str, may_manage: bool = False, request: Any = None) -> None:
    """Delete all versions of a profile. Raises NotInDatabase, NotPermitted, WrongState."""
    profile = get_profile(name)
    if profile.created_by != by and not may_manage:
        raise NotPermitted(f"The profile {profile.name} belongs to another user.")
    others = OutputProfile.objects.filter(parent__name=profile.name).exclude(name=profile.name)
    if (child := others.first()) is not None:
        raise WrongState(f"The profile {child} inherits from {profile.name}.")
    try:
        OutputProfile.objects.filter(name=profile.name).delete()
    except ProtectedError as error:
        raise WrongState(f"Another profile inherits from {profile.name} now.") from error
    trail.record("profile.delete", request=request, about=profile.name)


def describe(profile: OutputProfile) -> dict[str, Any]:
    """Return a version as plain values, with the inherited columns in `all_columns`."""
    return {
        "name": profile.name,
        "version": profile.version,
        "title": profile.title,
        "rows": profile.rows,
        "parent": str(profile.parent) if profile.parent else None,
        "columns": profile.columns,
        "omitted": profile.omitted,
        "all_columns": [column.describe() for column in shapes.resolve(profile)],
        "created_at": to_plain(profile.created_at),
    }
