"""Create, authenticate and revoke API keys."""

import datetime as dt
import hmac
import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.errors import ApiKeyLimitReached, ScopeTooWide
from accounts.models import ApiKey, User
from accounts.models.api_key import key_digest
from accounts.permissions import permission_names, permissions_by_name
from audit import trail
from marketdata.common.unchanged import remember
from marketdata.settings.masking import KEY_PATTERN

# API keys are for data. Accounts are managed by people only.
_EXCLUDED_PREFIXES = ("accounts.", "auth.", "admin.", "axes.", "sessions.", "token_blacklist.")


def grantable_permissions(owner: User) -> list[str]:
    """Return the names of the permissions that an API key of this user may have."""
    return sorted(
        name for name in owner.get_all_permissions() if not name.startswith(_EXCLUDED_PREFIXES)
    )


@transaction.atomic
def create(
    owner: User, *, name: str, permissions: Sequence[str], days: int, request: Any = None
) -> tuple[ApiKey, str]:
    """Return a new API key and its text, which is not stored and cannot be shown again.

    The key is valid for `days`, at most API_KEY_MAX_DAYS. Raises ScopeTooWide, and ApiKeyLimitReached if the
    owner has API_KEYS_PER_USER usable keys.
    """
    if excess := sorted(set(permissions) - set(grantable_permissions(owner))):
        raise ScopeTooWide(excess)
    User.objects.select_for_update().get(pk=owner.pk)  # so that no other key is created meanwhile
    limit = settings.API_KEYS_PER_USER
    if ApiKey.objects.usable().filter(owner=owner).count() >= limit:
        raise ApiKeyLimitReached(owner.username, limit=limit)
    days = min(days, settings.API_KEY_MAX_DAYS)
    api_key = ApiKey(owner=owner, name=name, expires_at=timezone.now() + dt.timedelta(days=days))
    text = api_key.set_secret()
    api_key.save()
    by_name = permissions_by_name()
    api_key.permissions.set([by_name[name] for name in set(permissions)])
    trail.record(
        "key.created",
        request=request,
        about=api_key,
        new={
            "owner": owner.username,
            "permissions": sorted(permissions),
            "expires_at": api_key.expires_at.isoformat(),
        },
    )
    return api_key, text


@transaction.atomic
def revoke(api_key: ApiKey, *, request: Any = None) -> None:
    """End an API key for good. Its row is kept, so that audit events can be understood later."""
    if api_key.revoked_at is None:
        api_key.revoked_at = timezone.now()
        api_key.save(update_fields=["revoked_at"])
        trail.record(
            "key.revoked", request=request, about=api_key, old={"owner": api_key.owner.username}
        )


def authenticate(text: str) -> ApiKey | None:
    """Return the usable API key with this text, None if there is none.

    The owner's permissions are narrowed to those of the key (`User.key_permissions`).
    """
    match = re.fullmatch(KEY_PATTERN, text)
    if match is None:
        return None
    prefix = match[1]
    api_key = remember(("api key", prefix), lambda: _read_usable(prefix))
    if api_key is None or api_key.expires_at <= timezone.now():
        return None
    return api_key if hmac.compare_digest(api_key.digest, key_digest(text)) else None


def _read_usable(prefix: str) -> ApiKey | None:
    """Return the usable API key with a prefix, with its owner, narrowed to its permissions."""
    usable_keys = ApiKey.objects.usable().select_related("owner")
    with_prefix = usable_keys.prefetch_related("permissions__content_type").filter(prefix=prefix)
    api_key = with_prefix.first()
    if api_key is not None:
        api_key.owner.key_permissions = frozenset(permission_names(api_key.permissions.all()))
    return api_key
