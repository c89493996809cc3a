"""API keys: made, found by what a machine sends, and revoked."""

import datetime as dt
import hmac
import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.errors import ScopeTooWide
from accounts.models import ApiKey, User
from accounts.models.api_key import PATTERN, digest
from accounts.permissions import by_name, names_of
from audit import trail

# A key is for data: what is done to accounts is done by people.
_NEVER = ("accounts.", "auth.", "admin.", "axes.", "sessions.", "token_blacklist.")


def grantable(user: User) -> list[str]:
    """The permissions that a key of this user may hold."""
    return sorted(p for p in user.get_all_permissions() if not p.startswith(_NEVER))


@transaction.atomic
def create(
    owner: User, *, name: str, permissions: Sequence[str], days: int, request: Any = None
) -> tuple[ApiKey, str]:
    """A key and its text, which nobody can show again. Raises ScopeTooWide."""
    if too_wide := sorted(set(permissions) - set(grantable(owner))):
        raise ScopeTooWide(too_wide)
    days = min(days, settings.API_KEY_MAX_DAYS)
    key = ApiKey(owner=owner, name=name, expires_at=timezone.now() + dt.timedelta(days=days))
    text = key.set_secret()
    key.save()
    known = by_name()
    key.permissions.set([known[name] for name in set(permissions)])
    said = {"permissions": sorted(permissions), "expires_at": key.expires_at.isoformat()}
    trail.record("key.created", request=request, about=key, new={"owner": owner.username, **said})
    return key, text


@transaction.atomic
def revoke(key: ApiKey, *, request: Any = None) -> None:
    """End a key for good; the row stays, to say what it was."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        trail.record("key.revoked", request=request, about=key, old={"owner": key.owner.username})


def find(text: str) -> ApiKey | None:
    """The usable key with this text, its owner narrowed to what the key may do."""
    match = re.fullmatch(PATTERN, text)
    if match is None:
        return None
    keys = ApiKey.objects.usable().select_related("owner")
    key = keys.prefetch_related("permissions__content_type").filter(prefix=match[1]).first()
    if key is None or not hmac.compare_digest(key.hashed, digest(text)):
        return None
    key.owner.only = frozenset(names_of(key.permissions.all()))
    return key
